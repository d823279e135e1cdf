"""Several files of one project: what each is, what they share, and joining them."""

import streamlit as st

from pages.ui.frame import jobs
from pages.ui.text import md
from scanvi_core.services.formatting import count
from scanvi_core.services.projects import open_file, several_files

EACH_FILE = "each file is one batch"


def pending(project: str) -> bool:
    """Tell whether files wait to be joined, and nothing is done with them now."""
    job = jobs.latest(project, open_file.OPEN)
    busy = job is not None and not job.status.final
    return not busy and several_files.is_pending(project)


def draw(project: str) -> bool:
    """Draw the files; return True once joining them, or reading the rest, has begun."""
    with st.container(border=True):
        if not several_files.are_read(project):
            st.markdown("**Not all files were read.** What was read is kept.")
            if st.button("Read the others", key="parts-read", icon=":material/replay:"):
                several_files.read_on(project)
                return True
            return False
        seen = several_files.overview(project)
        st.header(f"{count(len(seen.files), 'file')}, one project")
        whole = st.column_config.NumberColumn(format="localized")
        numbers = dict.fromkeys(("cells", "genes", "not in all files"), whole)
        st.dataframe(seen.files, hide_index=True, key="parts", column_config=numbers)
        if seen.problem:
            st.error(md(seen.problem))
            return False
        cells = int(seen.files["cells"].sum())
        st.markdown(
            f"Joined: **{count(cells, 'cell')}** with the **{count(seen.n_shared, 'gene')}** that "
            "all files have. Other genes are left out; the files themselves stay as they are, and "
            "each can be exported with its labels."
            f"{' The labels of before come along.' * seen.added}"
        )
        return _choices(project, seen)


def _choices(project: str, seen: several_files.Overview) -> bool:
    left, right = st.columns(2, gap="medium")
    references = left.multiselect(
        "References",
        seen.files["file"].tolist(),
        default=list(seen.likely_references),
        placeholder="none",
        key="parts-references",
        help="Files whose labels teach: they are not exported.",
    )
    inside = right.selectbox(
        "Batches",
        [EACH_FILE, *seen.columns],
        format_func=lambda name: name if name == EACH_FILE else f"column {name} of each file",
        index=(seen.columns.index(seen.batch_key) + 1) if seen.batch_key in seen.columns else 0,
        key="parts-batches",
        help="Batches are what the model corrects for: samples, donors, runs.",
    )
    if len(references) == len(seen.files):
        st.warning("All files are references: none is left to annotate.")
        return False
    label = f"Join these {len(seen.files)} files"
    if st.button(label, type="primary", key="parts-join", icon=":material/join_full:"):
        several_files.join(project, references, None if inside == EACH_FILE else inside)
        return True
    return False
