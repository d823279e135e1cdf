"""The tabs of the review: suggested groups, wrong labels, novel, technical, random, done."""

from collections.abc import Callable

import streamlit as st

from pages.ui.explore import uncertainty
from pages.ui.frame import state
from pages.ui.history import merge_logs
from pages.ui.labels import issues
from pages.ui.review import card, card_trail
from pages.ui.text import md
from scanvi_core.services.diagnostics import uncertainty as diagnostics_uncertainty
from scanvi_core.services.diagnostics.uncertainty import Reason
from scanvi_core.services.formatting import count
from scanvi_core.services.labels import history
from scanvi_core.services.review import random_check, stopping
from scanvi_core.services.review.queue import CHECK, SUGGESTED, ReviewState
from scanvi_core.services.review.random_check import N_CHECKS, RandomCheck
from scanvi_core.services.runs import results

N_DONE = 50  # decisions shown
TAB, RANDOM_CHECK = "review-tab", "Random check"
Tab = Callable[[ReviewState], None]


def draw(review: ReviewState) -> None:
    """Draw the choice of a tab and what is in it."""
    waiting = _waiting(review)
    if state.widget(TAB) is None:
        state.set_widget(TAB, next(iter(TABS)))
    chosen = st.segmented_control(
        "Show", list(TABS), key=TAB, required=True,
        label_visibility="collapsed",
        format_func=lambda tab: f"{tab} ({waiting[tab]:,})" if waiting.get(tab) else tab,
    )  # fmt: skip
    TABS[chosen or next(iter(TABS))](review)


def _waiting(review: ReviewState) -> dict[str, int]:
    """Return how many items wait behind each tab."""
    return {
        "Suggested": review.n_open(SUGGESTED),
        "Label check": len(diagnostics_uncertainty.label_issues(review.opened)),
        "Novel": review.n_open(Reason.NOVEL.label),
        "Technical": review.n_open(Reason.TECHNICAL.label),
        "Conflicts": len(history.conflicts(review.opened)),
    }


def _suggested(review: ReviewState) -> None:
    item = card_trail.front(review, SUGGESTED)
    if item is not None:
        card.draw(review.opened, item, SUGGESTED)
        return
    if not review.progress.n_cells:
        st.success("Nothing doubtful is left.")
    else:
        changed = results.changed_labels(review.opened)
        st.success(
            "All groups are decided."
            + (" Update the model to see what your decisions change." if changed else "")
        )
        if review.progress.n_left:
            st.caption(
                f"{count(review.progress.n_left, 'cell')} in doubt have no label: they are on the "
                "tabs Novel and Technical, beside a group that was decided, or in groups too "
                "small for a card. The model made next may ask about them, and Export lets you "
                "leave them without one."
            )
    st.markdown(stopping.rest(review).accuracy())


def _novel(review: ReviewState) -> None:
    _doubted(review, Reason.NOVEL, "No group of cells looks unlike every labeled one.")


def _technical(review: ReviewState) -> None:
    _doubted(review, Reason.TECHNICAL, "No group of cells has a technical fault.")


def _doubted(review: ReviewState, reason: Reason, nothing: str) -> None:
    """Draw the card of cells that are doubted for one reason."""
    checked = diagnostics_uncertainty.reasons(review.opened)
    if checked is None:
        uncertainty.summary(review.opened)
        return
    item = card_trail.front(review, reason.label)
    if item is None:
        notes = checked.notes if reason == Reason.TECHNICAL else checked.novelty_notes
        st.info(" ".join([*notes] or [nothing]))
        return
    st.caption(diagnostics_uncertainty.NEXT_STEPS[reason])
    card.draw(review.opened, item, reason.label)


def _random_check(review: ReviewState) -> None:
    """Draw one cell at a time of those drawn from all, and what the named ones say."""
    known = random_check.random_check(review)
    if known is None:
        st.info("Train a model first: the cells are drawn to see how right it is.")
        return
    st.markdown(
        md(known.sentence)
        or f"Name {N_CHECKS} cells drawn at random from all{known.of} without a label: what you "
        f"call them "
        "tells how often this model is right, and teaches the next, for which others are drawn."
    )
    st.caption("Cells that you call unknown are left out of the count.")
    if known.n_checked:
        st.progress(min(1.0, known.n_checked / N_CHECKS), _so_far(known))
    item = card_trail.front(review, CHECK)
    if item is None:
        st.success("Every cell that was drawn has a name.")
    else:
        card.draw(review.opened, item, CHECK)


def _so_far(known: RandomCheck) -> str:
    if known.n_missing:
        return f"{known.n_checked} of {N_CHECKS} cells"
    return f"{count(known.n_checked, 'cell')}: enough; each more makes the interval narrower"


def _label_check(review: ReviewState) -> None:
    """Draw the labels that were brought and look wrong; the chosen ones are kept or changed."""
    if diagnostics_uncertainty.reasons(review.opened) is None:
        uncertainty.summary(review.opened)
    elif diagnostics_uncertainty.label_issues(review.opened):
        issues.section(review.opened)
    else:
        st.info("No label that you brought looks wrong.")


def _conflicts(review: ReviewState) -> None:
    """Draw the cells that two people named differently."""
    if history.conflicts(review.opened):
        merge_logs.draw_differences(review.opened)
    else:
        st.info("Nobody named the same cells differently.")


def _done(review: ReviewState) -> None:
    """Draw whether more clicks would pay, and the decisions so far."""
    rest = stopping.rest(review)
    (st.success if rest.can_stop else st.info)(md(rest.advice()))
    st.markdown(md(rest.accuracy()))
    steps = history.table(review.opened)
    steps = steps[(steps["why"] == "review") & ~steps["undone"]]
    if steps.empty:
        st.caption("No group was decided yet.")
        return
    when = st.column_config.DatetimeColumn(format="D MMM, HH:mm:ss")
    st.dataframe(
        steps[["when", "what", "cells"]].head(N_DONE),
        hide_index=True,
        column_config={"when": when},
    )


TABS: dict[str, Tab] = {
    "Suggested": _suggested,
    "Label check": _label_check,
    "Novel": _novel,
    "Technical": _technical,
    RANDOM_CHECK: _random_check,
    "Conflicts": _conflicts,
    "Done": _done,
}
