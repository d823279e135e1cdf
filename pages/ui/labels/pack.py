"""Beginning from a pack: choose it, see how it goes with these data, name all cells by it."""

from collections.abc import Callable
from typing import Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.ui.frame import state
from pages.ui.frame.pages import TRAIN, go
from pages.ui.text import error_text, md
from scanvi_core.errors import ScanviError
from scanvi_core.services.formatting import count
from scanvi_core.services.packs import fit, opening, start
from scanvi_core.services.packs.fit import Fit
from scanvi_core.services.projects import sharing
from scanvi_core.services.workspace import Workspace

LOOKED_AT = "pack-looked-at"
Tell = Callable[[float, str], None]  # how far it is


def draw(opened: Workspace, *, primary: bool = True) -> None:
    """Draw the choice of a pack, how it goes with these data, and the button."""
    st.markdown(
        "A pack is the annotation of other data without their cells: the Export page writes one. "
        "All cells here get its names and its doubts within seconds; you go on from there."
    )
    left, right = st.columns(2, gap="medium")
    file = left.file_uploader("Upload a pack (.scanvi-pack.zip)", key="pack-upload", type="zip")
    path = right.text_input("or its path on this computer", key="pack-path")
    try:
        if file is not None:
            _look(file.file_id, lambda tell: opening.look_at(opened, file, tell))
        elif path.strip():
            _look(path.strip(), lambda tell: opening.look_at_path(opened, path, tell))
        found = fit.fit(opened)
        if found is not None:
            _offer(opened, found, "primary" if primary else "secondary")
    except ScanviError as error:
        st.error(error_text(error))


def _look(name: str, look: Callable[[Tell], None]) -> None:
    """Look through a pack once, however often the page is drawn."""
    if state.recall(LOOKED_AT) == name:
        return
    bar = st.progress(0.0, "Looking through the pack")
    try:
        look(lambda part, words: _show(bar, part, words))
    finally:
        bar.empty()
    state.remember(LOOKED_AT, name)


def _show(bar: DeltaGenerator, part: float, words: str) -> None:
    bar.progress(part, md(words))


def _offer(opened: Workspace, found: Fit, kind: Literal["primary", "secondary"]) -> None:
    about, types = st.columns([3, 2], gap="medium")
    with types:
        whole = st.column_config.NumberColumn(format="localized")
        st.dataframe(
            found.types, hide_index=True, height=220, key="pack-types",
            column_config={"labeled": whole, "predicted": whole},
        )  # fmt: skip
    with about:
        st.markdown(
            f"**{md(found.name)}**: {count(len(found.types), 'type')}. Made by {md(found.made)}."
        )
        for note in found.notes:
            st.markdown(f"- {md(note)}")
        if found.problem:
            st.error(md(found.problem))
            return
        if st.button(
            "Name all cells by this pack", type=kind, key="pack-start",
            icon=":material/inventory_2:", disabled=not sharing.may_change(opened.id),
        ):  # fmt: skip
            start.start(opened)
            go(TRAIN)
