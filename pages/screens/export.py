"""Export: a new .h5ad with everything, and a table of labels."""

import streamlit as st

from pages.ui import gate, header, jobs_view
from pages.ui.server import download_url
from pages.ui.stations import LABELS
from pages.ui.text import error_text, md
from scanvi_core import keys
from scanvi_core.errors import ScanviError
from scanvi_core.services import doubt, doubt_export, exporting, results, workspace

project = gate.data_set("Export")
header.draw("Export")
opened = workspace.workspace(project)
trained = opened.current_run() is not None
if not trained and not (opened.labels().codes >= 0).any():
    gate.locked(
        "There is nothing to export yet: name some cells or train a model.", LABELS, "Go to Labels"
    )

settings, preview = st.columns(2, gap="medium")
with settings.container(border=True, height="stretch"):
    st.subheader("What to write")
    key = st.text_input("Column for the final labels", keys.CURATED, key="export-key")
    threshold = 0.0
    if trained:
        threshold = st.slider(
            "Fill unlabelled cells with predictions of at least this confidence", 0, 100, 0, 5,
            format="%d %%", key="export-threshold",
        ) / 100  # fmt: skip
    groups = trained and doubt_export.has_groups(project)
    if groups:
        groups = st.toggle("Say the group where the type is not sure", key="export-groups")
    if groups:
        least = 100 * doubt_export.least(threshold, groups=True)
        st.caption(f"Types and groups less sure than {least:.0f} % are left without a label.")
    sets = trained and doubt.prediction_sets(project) is not None
    if sets:
        sets = st.toggle(
            "Also write the few types a cell may be of", key="export-sets",
            help="One column more, such as B | Plasma: for nine in ten cells the true type is "
            "among them. That holds for cells like your labelled ones.",
        )  # fmt: skip
    with_counts = st.toggle(
        "Also write the counts the model read as layers/counts", key="with-counts"
    )
    replace = st.toggle(
        "Replace columns of an earlier export", key="export-replace",
        help="Off: new columns get a number at the end. Your own columns are never touched.",
    )  # fmt: skip
    choice = exporting.ExportChoice(
        key.strip() or keys.CURATED, threshold, with_counts, replace, groups, sets
    )
with preview.container(border=True, height="stretch"):
    st.subheader("Where the labels come from")
    st.dataframe(exporting.source_table(project, threshold, groups=groups), hide_index=True)
    if trained and results.changed_labels(project):
        st.warning("Labels changed since the model was trained. Update it on Review first?")
    if trained and doubt.reasons(project) is None:
        st.caption("Reasons for doubt are not written: not looked at yet (see Explore).")
    st.caption("X, raw, layers and all your columns stay bit for bit as they are in your file.")

job = jobs_view.latest(project, exporting.EXPORT)
busy = job is not None and not job.status.final
if st.button(
    "Write the file", type="primary", key="export", icon=":material/save:", disabled=busy
):
    try:
        exporting.start(project, choice)
    except ScanviError as error:
        st.error(error_text(error))
    else:
        st.rerun()
if job is not None:
    jobs_view.show(job)
for path in [] if busy else exporting.exported_files(project):
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"**{md(path.name)}** ({path.stat().st_size / 1e6:.1f} MB), written and verified"
        )
        table = exporting.csv_beside(path).name
        st.link_button(
            "Download .h5ad", download_url(project, path.name), icon=":material/download:",
            type="primary",
        )  # fmt: skip
        st.link_button(
            "Download labels (.csv)", download_url(project, table), icon=":material/table:"
        )
        st.caption(f"On this computer: {md(path)}")
