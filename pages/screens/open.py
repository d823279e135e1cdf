"""Open: the example, a file on this computer, an upload, or a project from before."""

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from pages.ui.frame import jobs, read_only, state
from pages.ui.frame.pages import CHECK, go, next_button
from pages.ui.open import browse, file_question, project_list, several, welcome
from pages.ui.server import login
from pages.ui.text import error_text, md
from pages.ui.train import resume
from scanvi_core import runtime
from scanvi_core.errors import ScanviError
from scanvi_core.services import workspace
from scanvi_core.services.formatting import count
from scanvi_core.services.projects import open_file
from scanvi_core.services.projects.joining import adding, several_files

ADDING = "add-files"


def begin(project: str, uploaded: list[str] | None = None) -> None:
    """Show the opening of a project in this tab."""
    state.set_project(project)
    state.remember("uploaded", uploaded)
    state.remember("opening", True)
    st.rerun()


def begin_upload(files: list[UploadedFile]) -> None:
    """Open what was uploaded together, once."""
    known = [file.file_id for file in files]
    if not files or state.recall("uploaded") == known:
        return
    named = [(file.name, file) for file in files]
    if added_to is not None:
        begin(adding.add_uploads(added_to, named), known)
    opening = several_files if several_files.hold_cells(named) else open_file
    begin(opening.open_uploads(named), known)


st.title("Name the cells of a single-cell data set")
here = "this server" if login.wanted() else "this computer"
project = state.project_id()
if project and jobs.show_open_job(project) and state.recall("opening"):
    state.forget("opening")
    go(CHECK)


def show_open(project: str) -> None:
    """Say which project is open, how it is, and where to go on."""
    try:
        opened = workspace.workspace(project)
    except ScanviError as error:  # a newer format, other cells: the rest of the page still works
        st.error(error_text(error))
        return
    with st.container(border=True):
        st.markdown(
            f"**{md(opened.project.name)}** is open: {count(opened.dataset.n_obs, 'cell')}, "
            f"{count(opened.dataset.n_vars, 'gene')}."
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            next_button(CHECK, "Go on to check the data", primary=not state.widget(ADDING))
            st.toggle(
                "Add more files to it", key=ADDING,
                help="A second sample, a reference: the next file you open below joins this one.",
            )  # fmt: skip
        if state.widget(ADDING):
            st.info(
                "What you open below is joined with these cells **as a new project**, which "
                "begins with your labels. This project stays as it is.",
                icon=":material/library_add:",
            )
    project_list.draw_health(project)
    project_list.draw_origin(project)
    read_only.note(opened)
    resume.draw(opened)


added_to: str | None = None
waiting = next(
    (part for part in (file_question, several) if project and part.pending(project)), None
)
if project and waiting is not None:
    if waiting.draw(project):
        state.remember("opening", True)
        st.rerun()
elif project and workspace.is_ready(project):
    show_open(project)
    added_to = project if state.widget(ADDING) else None
else:
    st.markdown(
        "Load counts, label some cells, train, review the doubtful ones, export. "
        f"Nothing is uploaded to anyone: the data stay on {here}."
    )
    welcome.draw()

example, by_path, upload = st.columns(3, gap="medium")
with example.container(border=True, height="stretch"):
    st.header("Try the example")
    st.markdown("700 blood cells with expert labels, 60 % of them hidden. Ready in seconds.")
    if st.button(
        "Open the example",
        key="open-example",
        icon=":material/science:",
        type="secondary" if project else "primary",
    ):
        begin(open_file.open_example())
with by_path.container(border=True, height="stretch"):
    st.header(f"On {here}")
    with st.form("open-path", border=False):
        path = st.text_input(
            "Path of a file or folder", placeholder="experiment/cells.h5ad", key="path",
            help=f"Relative to {runtime.data_root()}, or a full path below it.",
        )  # fmt: skip
        asked = st.form_submit_button(
            "Add the file" if added_to else "Open the file",
            type="primary" if added_to else "secondary",
            icon=":material/library_add:" if added_to else ":material/folder_open:",
        )
    wanted = [path] if asked else []
    wanted = browse.button() or wanted
    if wanted:
        try:
            begin(
                adding.add_paths(added_to, wanted)
                if added_to
                else several_files.open_paths(wanted)
            )
        except ScanviError as error:
            st.error(error_text(error))
with upload.container(border=True, height="stretch"):
    st.header("Upload")
    begin_upload(
        st.file_uploader(
            "Files up to 500 MB: one, a matrix with its lists, or several samples together",
            accept_multiple_files=True,
            key="upload",
        )
    )

st.caption(
    "Opens .h5ad, .h5mu, .h5Seurat, .rds, .loom, .zarr, 10x (.h5, or a folder with matrix, "
    "features and barcodes), matrices with their lists as other programs leave them, "
    "and tables (.csv, .tsv), zipped or not. What a file is, is told from its content."
)
project_list.draw(project)
