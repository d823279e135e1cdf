"""The sections of the Evaluate page."""

import pandas as pd
import streamlit as st

from pages.ui.cell_map import charts
from pages.ui.frame import download, state
from pages.ui.frame.pages import LABELS, REVIEW, go
from pages.ui.labels.holdout import ASIDE_FIRST
from pages.ui.review import tabs
from pages.ui.text import md
from scanvi_core.services import jobs
from scanvi_core.services.diagnostics import (
    baselines,
    confidence_worth,
    held_out,
    holdout_report,
    integration,
    mapping,
    uncertainty_job,
)
from scanvi_core.services.diagnostics.holdout_report import HoldoutReport
from scanvi_core.services.explore import colors
from scanvi_core.services.export import figures, filling
from scanvi_core.services.formatting import count
from scanvi_core.services.labels import edit
from scanvi_core.services.review import measured, random_check
from scanvi_core.services.review.queue import review_state
from scanvi_core.services.review.random_check import N_CHECKS
from scanvi_core.services.runs import model_list
from scanvi_core.services.workspace import Workspace

TWO_DIGITS = st.column_config.NumberColumn(format="%.2f")
ROW = 35  # pixels
LONG_TABLE, SHORT_TABLE = 20, 8  # rows


def headline(report: HoldoutReport) -> None:
    """Draw the one sentence that matters, and what it leaves out."""
    st.header(md(report.headline), anchor=False)
    st.markdown(md(f"Model {report.model_number}. {report.reading}"))
    for sentence in report.notes:
        st.caption(md(sentence))


def without_holdout(opened: Workspace) -> None:
    """Say that nothing is known without labels set aside, and offer the two ways to know."""
    known = random_check.random_check(review_state(opened))
    by_hand = edit.is_by_hand(opened)
    with st.container(border=True):
        if known is not None and known.n_checked:
            st.header(md(known.sentence), anchor=False)
            more = f"{count(known.n_missing, 'more cell')} would make the interval narrower."
            st.markdown(more if known.n_missing else "Each more makes the interval narrower.")
        else:
            run = opened.current_run()
            why = "" if run is None else held_out.nothing_scored(opened, run)
            st.markdown(
                f"**{md(why)}, so how right the model is on cells it has not learned from is not "
                "measured.** Accuracy on training cells would flatter it."
            )
            st.markdown(
                f"Name {N_CHECKS} cells drawn at random: about ten minutes, and an honest number "
                "with its interval, for this model. Or set some labels aside and train again."
            )
        with st.container(horizontal=True):
            if st.button(
                "Check cells at random", key="random-check", icon=":material/casino:",
                type="primary" if by_hand else "secondary",
            ):  # fmt: skip
                state.set_widget(tabs.TAB, tabs.RANDOM_CHECK)
                go(REVIEW)
            if st.button(
                "Set labels aside", key="set-aside", icon=":material/arrow_forward:",
                type="secondary" if by_hand else "primary",
            ):  # fmt: skip
                state.remember(ASIDE_FIRST, True)
                go(LABELS)


def quick_models(opened: Workspace) -> None:
    """Draw the quick linear models on the same cells; loud when one of them wins."""
    quick = baselines.baselines(opened)
    if quick is None:
        return
    if quick.by_chance:
        st.caption(md(quick.sentence))
    elif quick.beaten:
        st.warning(md(quick.sentence), icon=":material/warning:")
    else:
        st.markdown(md(quick.sentence))
    with st.expander("Quick models on the same cells"):
        st.caption(
            "The same labels, the same held-out cells. SCANVI and the two linear models vote "
            "together in this model. Where an interval includes 0, it may be luck."
        )
        _table(quick.table, "mean F1")


def cross_validated(opened: Workspace) -> None:
    """Draw what the linear models get right without a hold-out, if that is known."""
    sentence = baselines.cross_validated(opened)
    if sentence is not None:
        st.caption(md(sentence))


def types(opened: Workspace, report: HoldoutReport) -> None:
    """Draw the confusion matrix beside the honesty of the confidence, then each type."""
    matrix, honest = st.container(key="wide-types").columns(2, gap="medium")
    with matrix.container(border=True, height="stretch"):
        st.header("Which types are mistaken for which")
        shown = st.segmented_control(
            "Show", ["Percent of each row", "Cells"], default="Percent of each row",
            key="confusion-mode", required=True, label_visibility="collapsed",
        )  # fmt: skip
        counts, matrix_ = shown == "Cells", report.scores.confusion
        charts.confusion(matrix_, report.names, key="confusion", counts=counts)
        places = colors.type_colors(opened)
        drawn = figures.confusion(matrix_, report.names, places, counts=counts)
        download.figure(opened, "confusion matrix", drawn, key="confusion")
    with honest.container(border=True, height="stretch"):
        st.header("Is the confidence honest?")
        st.markdown(f"**{md(confidence_worth.sentence(opened, filling.level_told(opened)))}**")
        charts.reliability(report.bins, key="reliability")
        drawn = figures.reliability(report.bins)
        download.figure(opened, "reliability", drawn, key="reliability")
        st.caption(
            "On the dotted line, confidence is just the share that is right; below it the model "
            f"is too sure. {md(report.honesty)} {md(report.calibration)}"
        )
    with st.container(border=True):
        st.header("Each type")
        st.caption(
            "Found (recall): how many of its cells get its name. Right when named (precision): "
            "how many cells with its name are of it. F1 joins both. In brackets: 95 % intervals."
        )
        _table(report.table, "F1")


def accepting(opened: Workspace, report: HoldoutReport) -> None:
    """Draw what may be accepted by confidence, the batches, and what the map keeps and mixes."""
    accepted, right = st.container(key="wide-accepting").columns(2, gap="medium")
    with accepted.container(border=True, height="stretch"):
        st.header("How much can be accepted without looking?")
        st.markdown(f"**{md(report.accept)}**")
        charts.coverage(report.curve, holdout_report.ACCEPTED_SHARE, key="coverage")
        drawn = figures.coverage(report.curve, holdout_report.ACCEPTED_SHARE)
        download.figure(opened, "accepted and right", drawn, key="coverage")
        _table(report.accepting, "confidence from")
        filled = filling.mostly_right(opened)
        if filled is not None and filled.n_cells:
            st.caption(
                f"Export offers to fill in {count(filled.n_cells, 'cell')} without a label: those "
                f"with a confidence of {filled.threshold:.2f} or more."
            )
    with right.container(border=True):
        st.header("Each batch")
        if report.batches is None:
            st.caption("No batch column was chosen on Check data.")
        else:
            st.caption(
                "Held-out cells of each batch, the hardest first; in brackets: 95 % intervals."
            )
            batches = measured.batch_table(measured.without_refit(opened), report.batches)
            _table(batches, most=SHORT_TABLE)
    with right.container(border=True, height="stretch"):
        st.header("Types kept apart, batches mixed")
        with st.spinner("Measuring the map"):
            scores = integration.map_scores(opened)
        if scores is not None:
            st.caption(md(scores.note))
            _table(scores.table, *integration.SPACES)


def new_files(opened: Workspace) -> None:
    """Draw how well the cells of new files fit the references, type by type."""
    fit = mapping.mapping(opened)
    if fit is None:
        return
    st.header("How well the new files fit the references")
    st.markdown(
        md(
            f"The cells set aside are of {', '.join(fit.references)}. Of "
            f"{', '.join(fit.new_files)} nobody knows the types yet: look for types of which few "
            "cells are alike, and check some of them on Review."
        )
    )
    share = st.column_config.ProgressColumn(format="%.0f %%", min_value=0.0, max_value=100.0)
    shares = {"alike": 100 * fit.types["alike"], "novel": 100 * fit.types["novel"]}
    st.dataframe(
        fit.types.assign(**shares), hide_index=True, key="mapping",
        column_config=dict.fromkeys(shares, share),
    )  # fmt: skip
    if fit.types["alike"].isna().all():
        st.caption(
            "How alike they are is being worked out: look again in a moment."
            if jobs.active(opened.id, uncertainty_job.UNCERTAINTY)
            else "How alike they are is not known yet: see Explore."
        )


def models(opened: Workspace) -> None:
    """Draw the list of models, and compare the current one with another."""
    with st.container(border=True):
        st.header("All models of this project")
        listed = model_list.models(opened)
        st.table(listed.table.map(md), hide_index=True, border="horizontal")
        if not listed.others:
            return
        other = st.selectbox(
            "Compare the current model with", list(listed.others),
            format_func=lambda number: f"Model {number}", key="compare-with", width=260,
        )  # fmt: skip
        st.markdown(md(listed.comparison(opened, other)))


def _table(table: pd.DataFrame, *decimals: str, most: int = LONG_TABLE) -> None:
    """Draw a table as high as its rows; beyond `most` of them it scrolls.

    The columns named in `decimals` get two digits.
    """
    st.dataframe(
        table, hide_index=True, placeholder="", column_config=dict.fromkeys(decimals, TWO_DIGITS),
        height="content" if len(table) <= most else ROW * (most + 1),
    )  # fmt: skip
