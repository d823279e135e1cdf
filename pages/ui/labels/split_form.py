"""Splitting a type into parts that stand below it, and folding them back: two clicks each."""

import numpy as np
import streamlit as st

from pages.ui.frame import state
from pages.ui.frame.actions import do
from pages.ui.frame.name_box import name_box
from pages.ui.text import error_text, md
from scanvi_core.errors import ScanviError
from scanvi_core.services.explore import type_parts
from scanvi_core.services.formatting import count
from scanvi_core.services.labels import broader_types, edit
from scanvi_core.services.workspace import Workspace

ASKED = "split-asked"  # the type whose parts are looked at, and how many
FOLD = "fold-asked"  # the type that is about to be folded back


def draw(opened: Workspace, chosen: str) -> None:
    """Draw the way to split a type; with types below it, the way to fold them back as well."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        n = st.number_input("Parts", 2, type_parts.MOST_PARTS, 2, key="split-n", width=110)
        if st.button("Find its parts", key="split-type"):
            state.remember(ASKED, (chosen, int(n)))
    if state.recall(ASKED, ("", 0))[0] == chosen:
        _parts(opened, *state.recall(ASKED))
    below = broader_types.below(opened, chosen)
    if below:
        _fold(opened, chosen, below)


def _parts(opened: Workspace, label: str, n: int) -> None:
    try:
        with st.spinner(f"Looking for parts of {md(label)}"):
            parts = type_parts.parts(opened, label, n)
    except ScanviError as error:
        st.error(error_text(error))
        return
    known, named = list(opened.labels().active), dict[str, list[np.ndarray]]()
    for i, part in enumerate(parts, start=1):
        genes = md(", ".join(part.markers)) or "none"
        cells = count(len(part.rows), "cell")
        st.markdown(f"**Part {i}: {cells}.** Genes higher than in the other parts: {genes}")
        name = str(name_box(f"Name of part {i}", known, f"part-{label}-{n}-{i}") or "").strip()
        if name and name != label:
            named.setdefault(name, []).append(part.rows)
    st.caption(f"A part without a name stays just {md(label)}. The same name joins two parts.")
    if st.button(
        f"Put these below {md(label)}", type="primary", key="split-below", disabled=not named
    ):
        state.forget(ASKED)
        do(lambda: edit.split_below(
            opened, label, {name: np.concatenate(rows) for name, rows in named.items()}
        ))  # fmt: skip


def _fold(opened: Workspace, label: str, below: tuple[str, ...]) -> None:
    if state.recall(FOLD) != label:
        st.button(
            f"Fold {count(len(below), 'type')} back into it", key="fold",
            on_click=state.remember, args=(FOLD, label),
        )  # fmt: skip
        return
    st.markdown(f"{md(', '.join(below))} will be {md(label)} again. Undo takes that back.")
    if st.button(f"Yes, make them all {md(label)}", type="primary", key="fold-yes"):
        state.forget(FOLD)
        do(lambda: broader_types.fold_back(opened, label))
