"""Several files of one project: what each is, what they share, and joining them."""

import streamlit as st

from pages.ui.frame import jobs, state
from pages.ui.frame.actions import do
from pages.ui.text import md
from scanvi_core.services.formatting import count
from scanvi_core.services.projects import open_file
from scanvi_core.services.projects.joining import several_files

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
            with st.container(horizontal=True):
                again = st.button("Read the others", key="parts-read", icon=":material/replay:")
                _leave(project)
            if again:
                several_files.read_on(project)
            return again
        seen = several_files.overview(project)
        st.header(f"{count(len(seen.files), 'file')}, one project")
        whole = st.column_config.NumberColumn(format="localized")
        numbers = dict.fromkeys(("cells", "genes", "not in all files"), whole)
        st.dataframe(seen.files, hide_index=True, key="parts", column_config=numbers)
        if seen.problem:
            st.error(md(seen.problem))
            _leave(project)
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
    with left:
        references = st.multiselect(
            "References", seen.files["file"].tolist(), default=list(seen.likely_references),
            placeholder="none", key="parts-references",
        )  # fmt: skip
        st.caption("Files whose labels teach the model. They are not exported.")
    with right:
        inside = _batches(seen)
    none_left = len(references) == len(seen.files)
    if none_left:
        st.warning("All files are references: none is left to annotate.")
    with st.container(horizontal=True):
        begun = st.button(
            f"Join these {len(seen.files)} files", type="primary", key="parts-join",
            icon=":material/join_full:", disabled=none_left,
        )  # fmt: skip
        _leave(project)
    if begun:
        several_files.join(project, references, inside)
    return begun


def _batches(seen: several_files.Overview) -> str | None:
    """Draw which column tells batches apart; return it, None where each file is one batch."""
    columns = [EACH_FILE, *seen.columns]
    inside = st.selectbox(
        "Batches", columns, index=columns.index(seen.batch_key or EACH_FILE), key="parts-batches",
        format_func=lambda name: name if name == EACH_FILE else f"column {name} of each file",
    )  # fmt: skip
    st.caption(
        "What the model corrects for: samples, donors, runs. "
        + ("" if inside == EACH_FILE else f"By {md(inside)}, {md(seen.divides[inside])}.")
    )
    return None if inside == EACH_FILE else inside


def _leave(project: str) -> None:
    if st.button("Cancel", key="parts-leave", help="Nothing is joined, and nothing is kept."):
        do(lambda: state.set_project(several_files.leave(project)))
