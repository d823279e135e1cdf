"""The live view of a training run, and what it says when it has ended."""

from typing import Any

import pandas as pd
import streamlit as st

from pages.ui.cell_map import charts
from pages.ui.frame import download, where_measured
from pages.ui.frame.jobs import failure_text
from pages.ui.text import md
from pages.ui.train import where_form
from scanvi_core.services import jobs
from scanvi_core.services.export import figures
from scanvi_core.services.formatting import percent
from scanvi_core.services.jobs import JobSnapshot, JobStatus
from scanvi_core.services.projects import sharing
from scanvi_core.services.runs import results, train_request
from scanvi_core.services.runs.train_request import TrainRequest
from scanvi_core.services.training import distributed, estimate, train_plan
from scanvi_core.services.workspace import Workspace, workspace

POLL_S = 1.0
PREVIEW_HEIGHT = 340  # pixels


def watch(job: JobSnapshot) -> None:
    """Draw the run and refresh it until it ends."""
    st.fragment(_view, run_every=POLL_S)(job.id)


def how_long(opened: Workspace, request: TrainRequest, n_obs: int) -> None:
    """Say how long a training takes; while that is measured, look again and again."""
    estimate.begin(opened, request)
    measuring = bool(jobs.active(opened.id, train_request.PACE))
    st.fragment(_how_long, run_every=POLL_S if measuring else None)(opened, request, n_obs)


def _how_long(opened: Workspace, request: TrainRequest, n_obs: int) -> None:
    words = estimate.words(opened, request, n_obs)
    if words:
        st.markdown(f":material/timer: {md(words)}")


def _view(job_id: str) -> None:
    job = jobs.snapshot(job_id)
    if job.status.final:
        st.rerun()
    with st.container(border=True):
        if job.status is JobStatus.QUEUED:
            st.markdown("Waiting: another data set is training on this machine. This one is next.")
        with st.container(horizontal=True, vertical_alignment="center"):
            st.progress(job.fraction, text=md(job.message or "Starting"))
            prepared = distributed.waits_for_machine(workspace(job.project_id))
            label = "Give it up" if prepared else "Stop and keep the best"
            if st.button(
                "Stopping…" if job.stopping else label,
                key="stop-training",
                disabled=job.stopping or not sharing.may_change(job.project_id),
                icon=":material/stop_circle:",
            ):
                jobs.stop(job.id)
        if prepared:
            where_form.how_to_begin(prepared)
            return
        if not train_plan.learns(workspace(job.project_id)):
            return
        curves(workspace(job.project_id), job.records)
        if "preview" in job.previews:
            _preview(job)
        elif job.records:
            st.caption("A first map of the cells appears soon.")


def curves(opened: Workspace, records: tuple[Any, ...]) -> None:
    """Draw loss and accuracy over the epochs."""
    if not records:
        st.caption("The first point of the curve appears soon.")
        return
    table = pd.DataFrame(
        {
            "epoch": record.step / record.n_steps * record.n_epochs,
            "loss per cell": record.loss,
            "training labels": record.train_accuracy,
            "watched labels": record.validation_accuracy,
        }
        for record in records
    ).astype(float)
    left, right = st.columns(2)
    with left:
        st.caption("Loss (lower is better)")
        _curve(opened, table, ["loss per cell"], key="loss-curve")
    with right:
        st.caption("Share of labels named right")
        shown = ["training labels", "watched labels"]
        present = [name for name in shown if table[name].notna().any()]
        _curve(opened, table, present, key="accuracy-curve")


def _curve(opened: Workspace, table: pd.DataFrame, names: list[str], *, key: str) -> None:
    charts.curve(table, names, key=key)
    download.figure(opened, key.replace("-", " "), figures.curve(table, names), key=key)


def _preview(job: JobSnapshot) -> None:
    version, preview = job.previews["preview"]
    opened = workspace(job.project_id)
    names = results.preview_names(opened)
    left, right = st.columns(2)
    with left:
        st.caption("Map of a sample of cells, colored by prediction")
        charts.still_map(
            preview.xy, preview.predicted, names, key="preview-map",
            revision=f"{job.id}-{version}", height=PREVIEW_HEIGHT,
        )  # fmt: skip
        drawn = figures.sample_map(preview.xy, preview.predicted, names)
        download.figure(opened, "map in training", drawn, key="preview-map")
    with right:
        st.caption("Known types (rows) against predictions, in the sample")
        charts.confusion(preview.confusion, names, key="preview-confusion", height=PREVIEW_HEIGHT)
        places = {name: i for i, name in enumerate(names)}
        drawn = figures.confusion(preview.confusion, names, places)
        download.figure(opened, "confusion in training", drawn, key="preview-confusion")


def notes(opened: Workspace) -> None:
    """Say what the user should know about how the current model was trained."""
    predictions = results.current(opened)
    for note in predictions.summary["notes"] if predictions is not None else []:
        st.markdown(f":orange[:material/info:] {md(note)}")


def of_pack(opened: Workspace) -> None:
    """Say that the model in use is that of a pack, and how to go on."""
    with st.container(border=True):
        pack = train_plan.pack_in_use(opened)
        st.markdown(f"**All cells are named by the pack {md(pack or '')}.**")
        notes(opened)
        st.caption(
            "How right these names are is not known yet. Decide on the doubtful groups on Review; "
            "the model learns from your labels and keeps the types of the pack."
        )


def canceled(opened: Workspace) -> None:
    """Say that the last training left nothing."""
    now = results.current(opened)
    stays = "" if now is None else f" Model {now.summary['number']} stays in use."
    st.info(f"The training was canceled. Nothing of it was kept.{stays}")


def outcome(opened: Workspace, job: JobSnapshot) -> None:
    """Say how the last run ended."""
    if job.status is JobStatus.FAILED:
        st.error(failure_text(job))
        return
    predictions = results.current(opened)
    if job.result is None or predictions is None:
        canceled(opened)
        return
    if job.result != predictions.run_id:  # the user went back to another one
        notes(opened)
        return
    if train_plan.pack_in_use(opened) is not None:
        of_pack(opened)
        return
    about = predictions.summary
    with st.container(border=True):
        stopped = " You stopped it; the best state was kept." if about["stopped"] else ""
        st.markdown(
            f"**Model {about['number']} is ready** after {about['total_seconds']:.0f} s "
            f"and {about['epochs']} epochs.{stopped}"
        )
        notes(opened)
        holdout = about["holdout"]
        if holdout:
            a, b, c = st.columns(3)
            a.metric("Right on held-out labels", percent(holdout["accuracy"]))
            b.metric("Mean F1 over types", f"{holdout['macro_f1']:.2f}")
            c.metric("Held-out cells", f"{holdout['n']:,}")
            where_measured.warn(opened)
        else:
            st.caption("Nothing was set aside, so nobody can say how often it is right.")
        with st.expander("Curves of this run"):
            curves(opened, job.records)
