"""The status strip on top of every page."""

import streamlit as st

from pages.ui.text import md, short
from scanvi_core.services import jobs
from scanvi_core.services.diagnostics import measured_batches, uncertainty_job
from scanvi_core.services.explore import gene_tests, maps
from scanvi_core.services.export import write
from scanvi_core.services.formatting import count, percent
from scanvi_core.services.projects import open_file, status
from scanvi_core.services.quality import doublets
from scanvi_core.services.runs import train_request
from scanvi_core.services.workspace import workspace

POLL_S = 1.0
MOST = 32  # characters of a name
WHERE = 24  # characters of where a model was measured
JOB_WORDS = {
    open_file.OPEN: "Opening",
    train_request.TRAIN: "Training",
    train_request.PACE: "Measuring the time",
    gene_tests.GENE_TEST: "Testing genes",
    maps.MAP: "Drawing a map",
    write.EXPORT: "Exporting",
    doublets.DOUBLETS: "Looking for doublets",
    uncertainty_job.UNCERTAINTY: "Reasons for doubt",
}


def draw(project: str | None) -> None:
    """Draw the strip; while a job runs it refreshes itself, and never reruns the page."""
    if project is None:
        return
    running = bool(jobs.active(project))
    fragment = st.fragment(_strip, run_every=POLL_S if running else None)
    fragment(project)


def _strip(project: str) -> None:
    now = status.of(project)
    with st.container(
        horizontal=True, vertical_alignment="center", key="status-strip", gap="small"
    ):
        st.markdown(f"**{md(short(now.name, MOST))}**", width="content")
        if now.n_obs:
            size = f"{count(now.n_obs, 'cell')} × {count(now.n_vars, 'gene')}"
            st.caption(size, width="content")
            labels = (
                f"Labels: {md(short(now.label_set, MOST))}" if now.label_set else "No labels yet"
            )
            st.badge(labels, color="blue" if now.label_set else "gray", icon=":material/label:")
            if now.saved_at and now.job is None:  # both would wrap, and move the page
                st.badge(
                    f"Saved {now.saved_at}", color="green", icon=":material/check:",
                    help=md(now.last_change),
                )  # fmt: skip
        if now.model:
            opened = workspace(project)
            gap = measured_batches.gap(opened)
            where = "" if gap is None else short(gap.in_short, WHERE)
            st.badge(
                md(f"{now.model}{where}"), color="violet", icon=":material/neurology:",
                help=None if gap is None else md(f"{gap.only} Evaluate says more."),
            )  # fmt: skip
        if now.n_said:
            st.badge(
                count(now.n_said, "remark"), color="orange", icon=":material/forum:",
                help="What colleagues said by a link and is not done: see Labels.",
            )  # fmt: skip
        if now.job is not None:
            st.badge(
                f"{JOB_WORDS.get(now.job.kind, 'Working')} {percent(now.job.fraction)}",
                color="orange",
                icon=":material/progress_activity:",
            )
