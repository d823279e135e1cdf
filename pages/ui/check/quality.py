"""Poor cells on the Check page: spreads with sliders that preview what they would flag."""

from dataclasses import replace

import streamlit as st

from pages.ui.cell_map.charts import DOTS, LINE
from pages.ui.frame import jobs, state
from pages.ui.frame.actions import do
from pages.ui.text import md
from scanvi_core.services.formatting import count
from scanvi_core.services.quality import chosen_limits, doublets, flags, preview
from scanvi_core.services.quality.chosen_limits import Choice
from scanvi_core.services.quality.preview import MeasureView, QualityView
from scanvi_core.services.workspace import Workspace

ALL = "All batches"
DRAFT, DRAWN = "quality-draft", "quality-drawn"  # limits tried out; counts how often sliders reset
COLUMNS = 4
TABLE_ROWS = 7
TENTH = 0.1  # smaller steps are shown with two decimals


def card(opened: Workspace) -> None:
    """Draw the card; moving a slider redraws only it, and saves nothing."""
    with st.container(border=True):
        st.fragment(_card)(opened)


def _card(opened: Workspace) -> None:
    saved, tried = chosen_limits.saved(opened, opened.batch_key), _tried(opened)
    names = opened.batches(opened.batch_key).names
    with st.container(
        horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"
    ):
        st.header("Quality of the cells", width="content")
        batch = _batch_in_view(names)
    view = preview.view(opened, tried, batch)
    _summary(view, changed=tried.limits != saved.limits)
    columns = st.columns(COLUMNS)
    for column, measure in zip(columns, view.measures, strict=False):
        with column:
            _measure(opened, measure, batch)
    if not flags.doublet_version(opened, opened.batch_key):
        with columns[len(view.measures)]:
            _doublets(opened)
    for note in view.notes:
        st.caption(f":material/info: {md(note)}")
    _decide(opened, saved, tried)
    if len(names) > 1:
        with st.expander("Flagged cells per batch"):
            height = 38 + 35 * min(len(names), TABLE_ROWS)
            st.dataframe(view.by_batch, hide_index=True, height=height)


def _batch_in_view(names: tuple[str, ...]) -> str | None:
    if len(names) == 1:
        return None
    chosen = st.selectbox(
        "Show", range(-1, len(names)), key="quality-batch", width=220, on_change=_redraw,
        format_func=lambda i: ALL if i < 0 else names[i], label_visibility="collapsed",
    )  # fmt: skip
    return None if chosen < 0 else names[chosen]


def _summary(view: QualityView, *, changed: bool) -> None:
    """Say how many cells would be flagged, for what, and that nothing is removed."""
    are = "is flagged" if view.n_flagged == 1 else "are flagged"
    would = "would be flagged" if changed else are
    text = f"**{count(view.n_flagged, 'cell')} of {view.n_cells:,} {would}**"
    if view.n_flagged:
        labeled = f"; {view.n_labeled:,} of them labeled" if view.n_labeled else ""
        text += f" ({preview.share(view)}): {md(view.reasons)}{labeled}"
    st.markdown(f"{text}. A flag is a note for you: no cell is removed.")


def _measure(opened: Workspace, measure: MeasureView, batch: str | None) -> None:
    st.markdown(f"**{md(measure.title)}**")
    _bars(measure)
    whole = measure.step >= 1
    kind = int if whole else float
    shown = "%d" if whole else "%.2f" if measure.step < TENTH else "%.1f"
    # a slider keeps its place as long as its key: another one for other batches or limits
    key = f"quality-{measure.key}-{opened.batch_key}-{state.recall(DRAWN, 0)}"

    def moved() -> None:
        value = float(state.widget(key))
        _remember(opened, _tried(opened).with_limit(measure.key, value, batch))

    st.slider(
        measure.asked, kind(0), kind(measure.top), kind(measure.limit), kind(measure.step),
        key=key, on_change=moved, format=shown,
    )  # fmt: skip
    st.caption(f"**{count(measure.n_flagged, 'cell')}.** {md(measure.reason)}")


def _bars(measure: MeasureView) -> None:
    """Draw cells per bin, those that would be flagged in another color, and a line at the limit.

    The slider below has the same scale.
    """
    table = measure.histogram
    highest = float((table["kept"] + table["flagged"]).max())
    bars = {"type": "bar", "stack": "cells", "barCategoryGap": "8%"}
    options = {
        "animation": False,
        "grid": {"left": 4, "right": 4, "top": 6, "bottom": 20},
        "tooltip": {"trigger": "axis", "confine": True},
        "xAxis": [
            {
                "type": "category", "data": table["from"].tolist(), "axisTick": {"show": False},
                "axisLabel": {"hideOverlap": True},
            },
            {"type": "value", "min": 0, "max": measure.top, "show": False},
        ],
        "yAxis": {"type": "value", "show": False, "max": highest},
        "series": [
            {**bars, "name": "stay", "color": LINE, "data": table["kept"].tolist()},
            {**bars, "name": "flagged", "color": DOTS, "data": table["flagged"].tolist()},
            {
                "type": "line", "name": "limit", "xAxisIndex": 1, "showSymbol": False,
                "silent": True, "data": [[measure.limit, 0], [measure.limit, highest]],
                "lineStyle": {"color": DOTS, "width": 2, "type": "dashed"},
                "tooltip": {"show": False},
            },
        ],
    }  # fmt: skip
    st.echarts_chart(options, key=f"bars-{measure.key}", height=110)


def _doublets(opened: Workspace) -> None:
    """Offer to look for doublets, or show how far it is."""
    st.markdown("**Doublet score**")
    st.caption("Two cells in one droplet look like a type of their own.")
    job = doublets.latest(opened)
    if job is not None:
        jobs.show(job, can_stop=True)
        if not job.status.final:
            return
    if st.button("Look for doublets", key="look-doublets", icon=":material/join_inner:"):
        do(lambda: doublets.start(opened))
    st.caption(
        "Seconds to minutes; you can go on meanwhile. After training they are looked for in any "
        "case."
    )


def _decide(opened: Workspace, saved: Choice, tried: Choice) -> None:
    """Offer to put the limits tried out in force, to forget them, and to train without."""
    suggested = Choice(leave_out=saved.leave_out)
    with st.container(horizontal=True, vertical_alignment="center"):
        if tried.limits != saved.limits:
            if st.button("Use these limits", key="quality-use", icon=":material/check:"):
                do(lambda: _use(opened, tried))
            if st.button("Forget the changes", key="quality-forget"):
                do(_forget)
        if saved.limits and st.button("Back to the suggested limits", key="quality-suggested"):
            do(lambda: _use(opened, suggested))
    leave = st.checkbox(
        "Leave flagged cells out of training. They are still predicted and exported.",
        saved.leave_out, key="quality-leave",
    )  # fmt: skip
    if leave != saved.leave_out:
        do(lambda: chosen_limits.save(opened, replace(saved, leave_out=leave)))


def _tried(opened: Workspace) -> Choice:
    """Return the limits tried out in this tab, those in force before any slider was moved."""
    saved, draft = chosen_limits.saved(opened, opened.batch_key), state.recall(DRAFT)
    if draft is None or draft[0] != opened.batch_key:
        return saved
    return replace(saved, limits=draft[1])


def _remember(opened: Workspace, tried: Choice) -> None:
    state.remember(DRAFT, (opened.batch_key, tried.limits))


def _use(opened: Workspace, choice: Choice) -> None:
    chosen_limits.save(opened, choice)
    _forget()


def _forget() -> None:
    state.forget(DRAFT)
    _redraw()


def _redraw() -> None:
    """Draw the sliders anew, at the limits as they are now."""
    state.remember(DRAWN, state.recall(DRAWN, 0) + 1)
