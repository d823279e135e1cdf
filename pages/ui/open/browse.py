"""Looking for a file below the data folder, in a dialog."""

import streamlit as st

from pages.ui.frame import dialogs, state
from pages.ui.text import error_text, md
from scanvi_core.errors import ScanviError
from scanvi_core.services.formatting import count
from scanvi_core.services.projects import browse
from scanvi_core.services.projects.browse import Entry

NAME = "browse"  # of the button and of its dialog
CHOSEN, FOLDER = "browsed", "browsed-folder"
SHOWN = 40  # entries in sight; more by the box above them
LIST_HEIGHT = 380  # pixels


def button() -> list[str]:
    """Draw the button that opens the dialog; return the paths that were chosen in it, once."""
    st.button(
        "Browse…", key=NAME, icon=":material/travel_explore:", on_click=dialogs.ask, args=(NAME,)
    )
    dialogs.draw(NAME, "Choose a file", _dialog, width="large")
    chosen: list[str] = state.recall(CHOSEN, [])
    state.forget(CHOSEN)
    return chosen


def _dialog() -> None:
    folder = str(state.recall(FOLDER, ""))
    try:
        entries = browse.listing(folder)
    except ScanviError as error:
        st.error(error_text(error))
        folder, entries = "", []
    _steps(folder)
    part = st.text_input(
        "Name contains", key=f"browse-part.{folder}", live=True, icon=":material/search:"
    )
    entries = [entry for entry in entries if (part or "").casefold() in entry.name.casefold()]
    with st.container(height=LIST_HEIGHT, border=False):
        shown = browse.looked_into(entries[:SHOWN])
        ticked = [entry.path for entry in shown if _line(entry)]
        if not entries:
            st.caption("No folder and no file of cells here.")
        if entries[SHOWN:]:
            st.caption(f"{count(len(entries) - SHOWN, 'older one')}: write a part of the name.")
    _together(ticked)


def _together(ticked: list[str]) -> None:
    """Draw the button that opens the ticked files as one project."""
    st.button(
        f"Open {len(ticked)} files as one project" if len(ticked) > 1
        else "Tick several to open them as one project",
        key="browse-together", disabled=len(ticked) < 2, icon=":material/join_full:",
        on_click=lambda: state.remember(CHOSEN, ticked),
    )  # fmt: skip
    if state.recall(CHOSEN):
        dialogs.close()
        st.rerun()


def _steps(folder: str) -> None:
    """Draw the folders that lead here, each a way back."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for name, path in browse.above(folder):
            if st.button(
                md(name), key=f"browse-up.{path}", type="tertiary", icon=":material/folder_open:"
            ):
                _look_into(path)


def _line(entry: Entry) -> bool:
    """Draw a file or folder; return whether it is ticked."""
    about = " · ".join(filter(None, (entry.kind, entry.size, f"{entry.changed:%d %b %Y, %H:%M}")))
    with st.container(horizontal=True, vertical_alignment="center"):
        ticked = entry.may_open and st.checkbox(
            md(entry.name), key=f"browse-tick.{entry.path}", label_visibility="collapsed"
        )
        icon = ":material/folder:" if entry.is_folder else ":material/draft:"
        if st.button(md(entry.name), key=f"browse-to.{entry.path}", icon=icon):
            if entry.is_folder:
                _look_into(entry.path)
            _choose(entry.path)
        st.caption(md(about), width="stretch")
        if (
            entry.is_folder
            and entry.may_open
            and st.button("Open this folder", key=f"browse-open.{entry.path}")
        ):
            _choose(entry.path)
    return ticked


def _look_into(path: str) -> None:
    state.remember(FOLDER, path)
    st.rerun(scope="fragment")


def _choose(path: str) -> None:
    state.remember(CHOSEN, [path])
    dialogs.close()
    st.rerun()
