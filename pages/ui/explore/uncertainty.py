"""Reasons for doubt on the Explore page: how many cells, what to do next, and the job behind."""

import streamlit as st

from pages.ui.frame import jobs
from pages.ui.text import md
from scanvi_core.services.diagnostics import uncertainty
from scanvi_core.services.formatting import count
from scanvi_core.services.workspace import Workspace

WORDS = ("without doubt", *uncertainty.REASON_NAMES[1:])  # by code


def summary(opened: Workspace) -> None:
    """Draw one line: the cells per reason, or how far the look for them is."""
    counts = uncertainty.counts(opened)
    if counts is None:
        _not_yet(opened)
        return
    n = sum(counts.values())
    counted = ", ".join(
        f"{cells:,} {word}" for cells, word in zip(counts.values(), WORDS, strict=True)
    )
    checked = uncertainty.reasons(opened)
    notes = " ".join([*checked.novelty_notes, *checked.notes]) if checked is not None else ""
    if n:
        st.markdown(f"**{count(n, 'cell')} without a label:** {counted}. {md(notes)}")
    elif notes:
        st.caption(md(notes))


def legend() -> None:
    """Draw what each reason means and what to do next."""
    steps = zip(uncertainty.REASON_NAMES[1:], uncertainty.NEXT_STEPS[1:], strict=True)
    st.caption("  \n".join(f"**{name}**: {md(step)}" for name, step in steps))


def _not_yet(opened: Workspace) -> None:
    """Say that nobody has looked yet, and how far it is; offer to begin."""
    job = uncertainty.latest(opened)
    if job is not None:
        jobs.show(job, can_stop=True, about="Reasons for doubt")
        if not job.status.final:
            return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("Reasons for doubt and wrong labels: not looked at yet.", width="content")
        if st.button("Look at every cell", key="look", icon=":material/troubleshoot:"):
            uncertainty.start(opened)
            st.rerun()
