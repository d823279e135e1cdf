"""Export: a new file with everything, for one of three uses, and tables of labels."""

import streamlit as st

from pages.ui.export import cap, cellxgene, files, unlabeled_cells
from pages.ui.frame import header, read_only, requires
from pages.ui.frame import jobs as frame_jobs
from pages.ui.frame.actions import do
from pages.ui.frame.pages import LABELS, REVIEW, next_button
from pages.ui.review import check_the_rest
from scanvi_core import keys
from scanvi_core.services import jobs
from scanvi_core.services.diagnostics import uncertainty, uncertainty_job
from scanvi_core.services.export import columns, filling, uncertainty_columns, write
from scanvi_core.services.export.columns import ANALYSIS, CAP, CELLXGENE, ExportChoice
from scanvi_core.services.jobs import JobStatus
from scanvi_core.services.projects import sharing
from scanvi_core.services.projects.joining import joined_files
from scanvi_core.services.runs import results

PROFILES = {
    ANALYSIS: "Analysis: my file and all that was found",
    CELLXGENE: "CELLxGENE",
    CAP: "Cell Annotation Platform",
}
WHAT_STAYS = {
    ANALYSIS: "X, raw, layers and all your columns stay bit for bit as they are in your file.",
    CELLXGENE: "Cells without counts and genes without an Ensembl id are left out.",
    CAP: "X, raw, layers and all your columns stay bit for bit as they are in your file.",
}

opened = requires.data_set("Export")
header.draw("Export")
job = frame_jobs.latest(opened.id, write.EXPORT)
busy = job is not None and not job.status.final
written = job is not None and job.status is JobStatus.DONE
if not sharing.may_change(opened.id):
    read_only.note(opened)
    files.draw(opened)
    files.draw_report(opened, ExportChoice())
    st.stop()
trained = opened.current_run() is not None
if not trained and not (opened.labels().codes >= 0).any():
    requires.locked(
        "There is nothing to export yet: name some cells or train a model.", LABELS, "Go to Labels"
    )

if written:
    files.draw(opened)
profile = (
    st.segmented_control(
        "What is the file for?", list(PROFILES), default=ANALYSIS, key="export-profile",
        required=True, format_func=PROFILES.__getitem__, persist_state="session",
    )
    or ANALYSIS
)  # fmt: skip
settings, preview = st.columns(2, gap="medium")
with settings.container(border=True, height="stretch"):
    st.header("What to write")
    key = st.text_input("Column for the final labels", keys.CURATED, key="export-key")
    threshold = unlabeled_cells.ask(opened) if trained else filling.NO_PREDICTION
    broader = trained and uncertainty_columns.has_broader(opened)
    if broader:
        broader = st.toggle(
            "Say the broader type where the type is not sure", key="export-broader"
        )
    if broader:
        least = 100 * uncertainty_columns.least(threshold, broader=True)
        st.caption(f"Cells of which nothing is {least:.0f} % sure are left without a label.")
    sets = trained and uncertainty.prediction_sets(opened) is not None
    if sets:
        sets = st.toggle(
            "Also write the few types a cell may be of", key="export-sets",
            help="One column more, such as B | Plasma: for nine in ten cells the true type is "
            "among them. That holds for cells like your labeled ones.",
        )  # fmt: skip
    per_file = profile == ANALYSIS and bool(joined_files.joined_files(opened))
    if per_file:
        per_file = st.toggle(
            "A copy of each file to annotate", value=True, key="export-per-file",
            help="Off: one file with the cells of all files, references too.",
        )  # fmt: skip
    with_counts = replace = False
    if profile != CELLXGENE:
        with_counts = not per_file and st.toggle(
            "Also write the counts the model read as layers/counts", key="with-counts"
        )
        replace = st.toggle(
            "Replace columns of an earlier export", key="export-replace",
            help="Off: new columns get a number at the end. Your own columns are never touched.",
        )  # fmt: skip
    choice = ExportChoice(
        key.strip() or keys.CURATED, threshold, with_counts, replace, broader, sets, profile,
        per_file,
    )  # fmt: skip
with preview.container(border=True, height="stretch"):
    st.header("Where the labels come from")
    st.dataframe(
        columns.source_table(opened, threshold, broader=broader), hide_index=True,
        column_config={"cells": st.column_config.NumberColumn(format="localized")},
    )  # fmt: skip
    if trained and results.changed_labels(opened):
        st.warning("Labels changed since the model was trained.")
        next_button(REVIEW, "Update the model on Review first", primary=False)
    if trained and uncertainty.reasons(opened) is None:
        st.caption(
            "Reasons for doubt are being looked for. A file that is written after that has them."
            if jobs.active(opened.id, uncertainty_job.UNCERTAINTY)
            else "Reasons for doubt are not written: not looked at yet (see Explore)."
        )
    st.caption(WHAT_STAYS[profile])
    if joined_files.joined_files(opened):
        if not per_file:
            st.caption("The copy is of the file that your files were joined into on opening.")
    elif profile != CELLXGENE and "origin" in opened.dataset.manifest:
        st.caption(
            "Your data were no .h5ad file: the copy is of the one made from them on opening."
        )

complete = True
if profile != ANALYSIS:
    with st.container(border=True):
        st.header(PROFILES[profile])
        if profile == CELLXGENE:
            complete = cellxgene.draw(opened, columns.type_names(opened, choice))
        else:
            cap.draw(opened, choice)

check_first = trained and check_the_rest.is_due(opened)
with st.container(horizontal=True):
    if st.button(
        "Write the files" if per_file else "Write the file", key="export",
        type="secondary" if written or check_first else "primary",
        icon=":material/save:", disabled=busy or not complete,
    ):  # fmt: skip
        do(lambda: write.start(opened, choice))
    if (
        job is not None
        and busy
        and st.button(
            "Stopping…" if job.stopping else "Cancel", key="export-cancel", disabled=job.stopping
        )
    ):
        jobs.stop(job.id)
        st.rerun()
if job is not None:
    frame_jobs.show(job)
    if job.status is JobStatus.STOPPED:
        st.info("The export was stopped; nothing was written.")
if not busy and not written:
    files.draw(opened)
files.draw_report(opened, choice)
files.draw_methods(opened, choice)
