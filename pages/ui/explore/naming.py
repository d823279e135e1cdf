"""Naming cells by hand: pick them by lasso, cluster or marker rule, then give them a name."""

from collections.abc import Callable

import numpy as np
import streamlit as st

from pages.ui.frame import jobs, state
from pages.ui.frame.actions import do
from pages.ui.frame.name_box import name_box, near_note
from pages.ui.text import error_text, md
from scanvi_core import keys
from scanvi_core.errors import ScanviError, StaleEdit
from scanvi_core.services.explore import cell_values, gene_tests, rules, selection
from scanvi_core.services.explore import maps as explore_maps
from scanvi_core.services.explore.rules import Condition, Selection
from scanvi_core.services.formatting import count, percent
from scanvi_core.services.labels import edit
from scanvi_core.services.opinions import candidates
from scanvi_core.services.review import answers
from scanvi_core.services.workspace import Workspace

LASSO, CLUSTER, RULE = "Lasso on a map", "Cluster", "Marker rule"
ROW, CLUSTERS_HEIGHT = 33, 460  # pixels
SEEN, STALE = "labels-seen", "stale-edit"  # picked cells and since which step; a late edit
NAMED = "named"  # whether the box still holds the name that was given


def choose_way(opened: Workspace) -> str:
    """Draw the ways to pick cells; return the one chosen."""
    if explore_maps.BASE not in explore_maps.embeddings(opened):
        _offer_base_map(opened)
    return st.segmented_control(
        "How to pick cells", [LASSO, CLUSTER, RULE], default=LASSO, key="naming-way",
        label_visibility="collapsed", required=True,
    )  # fmt: skip


def draw_way(opened: Workspace, way: str) -> None:
    """Draw what the chosen way needs besides the map."""
    if way == CLUSTER:
        _pick_clusters(opened)
    elif way == RULE:
        _pick_rule(opened)


def bar(opened: Workspace, picked: Selection) -> None:
    """Draw the box that names the picked cells, with its warning, and undo."""
    labels = opened.labels()
    mark, seen = state.recall(SEEN, (None, labels.seq))  # since when these cells are picked
    if mark != _mark(picked):
        seen = labels.seq
    closed = bool(edit.read_only(opened))
    options = [*labels.active, *([] if keys.UNKNOWN in labels.active else [keys.UNKNOWN])]
    if state.recall(NAMED):  # the next cells are of another type, as a rule
        state.set_widget("picked-name", None)
        state.forget(NAMED)
    name = name_box(
        "Name of the picked cells", options, "picked-name", label_visibility="collapsed"
    )
    near_note(name, options)
    already = int((labels.codes[picked.mask] >= 0).sum()) if picked.n else 0
    ready = bool(picked.n and name) and not closed
    if st.button(
        f"Name {count(picked.n, 'cell')}", type="primary", disabled=not ready, key="name-cells",
        width="stretch",
    ):  # fmt: skip
        _name(opened, picked, str(name), seen)
    if not name and not closed:
        _offer(opened, picked, seen)
    state.remember(SEEN, (_mark(picked), seen))
    if state.recall(STALE) is not None and state.recall(STALE)[-1] != _mark(picked):
        state.forget(STALE)  # it was about other cells
    if state.recall(STALE) is not None and picked.n:
        _choose_version(opened, picked)
    elif already:
        st.caption(f"Replaces the label of {count(already, 'cell')}.")
        if st.button("Take their label off", key="clear-cells", disabled=closed, type="tertiary"):
            _name(opened, picked, "", seen)
    undo_buttons(opened, short=True)
    if step := answers.last_step(opened):
        st.caption(f"Last step: {md(step)}.")


def _offer(opened: Workspace, picked: Selection, seen: int) -> None:
    """Draw a button with the name that an opinion offers for the picked cells, if one does."""
    offers = candidates.of_groups(opened, [np.flatnonzero(picked.mask)])[0] if picked.n else ()
    if not offers:
        return
    first = offers[0]
    if st.button(
        f"Name {count(picked.n, 'cell')} {md(first.name)}", key="name-offered", width="stretch",
        help=f"{md(first.whose)} says so, {percent(first.share)} sure.",
    ):  # fmt: skip
        _name(opened, picked, first.name, seen)


def _name(opened: Workspace, picked: Selection, name: str, seen: int | None) -> None:
    try:
        rules.name_cells(opened, picked, name, seen)
    except StaleEdit as error:
        state.remember(STALE, (name, error.theirs, error.yours, _mark(picked)))
        return
    except ScanviError as error:
        st.error(error_text(error))
        return
    state.remember(NAMED, True)
    _drop(opened)


def _mark(picked: Selection) -> int:
    """Return what tells picked cells from others."""
    return hash(picked.mask.tobytes())


def _choose_version(opened: Workspace, picked: Selection) -> None:
    """Show what somebody else did to these cells meanwhile, beside one's own edit."""
    name, theirs, yours, _ = state.recall(STALE)
    with st.container(border=True, key="stale"):
        st.markdown(
            "**These cells were changed in another window meanwhile. Nothing was replaced.**\n\n"
            f"There: {md(theirs)}\n\nHere, not saved: {md(yours)}"
        )
        with st.container(horizontal=True):
            if st.button("Keep theirs", key="keep-theirs", type="primary"):
                _drop(opened)
            if st.button("Use mine", key="use-mine"):
                _name(opened, picked, name, None)


def _drop(opened: Workspace) -> None:
    state.forget(STALE)
    state.forget(SEEN)
    selection.clear(opened, state.tab())
    st.rerun()


def undo_buttons(opened: Workspace, *, short: bool = False) -> None:
    """Draw Undo and Redo; where room is `short`, Redo only once something was undone."""
    closed = bool(opened.store.read_only)
    with st.container(horizontal=True, width="content"):
        if st.button("Undo", key="undo", icon=":material/undo:", shortcut="Ctrl+Z",
                     disabled=closed or edit.undoable(opened) is None):  # fmt: skip
            _turn(edit.undo, opened)
        if short and edit.redoable(opened) is None:
            return
        if st.button("Redo", key="redo", icon=":material/redo:", shortcut="Ctrl+Shift+Z",
                     disabled=closed or edit.redoable(opened) is None):  # fmt: skip
            _turn(edit.redo, opened)


def _turn(action: Callable[[Workspace], None], opened: Workspace) -> None:
    state.forget(SEEN)  # a step of this tab
    do(lambda: action(opened))


def _offer_base_map(opened: Workspace) -> None:
    job = jobs.latest(opened.id, explore_maps.MAP)
    if job is not None:
        jobs.show(job, can_stop=True)
        if not job.status.final:
            return
    first = not (opened.labels().codes >= 0).any()
    if first:
        st.markdown(
            "Clusters of similar cells, and a map of them, show where to begin. Then pick a "
            "cluster, read its markers and name it. It takes seconds to minutes."
        )
    if st.button(
        "Compute clusters and a map of the counts", key="base-map", icon=":material/hub:",
        type="primary" if first else "secondary",
    ):  # fmt: skip
        explore_maps.start_base_map(opened)
        st.rerun()


def _pick_clusters(opened: Workspace) -> None:
    codes = explore_maps.clusters_of(opened)
    if codes is None:
        st.caption("Clusters come with the map of the counts.")
        return
    left, right = st.columns([2, 3], gap="medium")
    with right:
        _markers_of_clusters(opened)
    with left:
        chosen = st.pills(
            "Clusters", range(int(codes.max()) + 1), selection_mode="multi", key="clusters",
            format_func=lambda code: f"{code + 1} ({(codes == code).sum():,})",
        )  # fmt: skip
        _pick_these(opened, chosen)


def _markers_of_clusters(opened: Workspace) -> None:
    """Draw the first markers of each cluster; until they are known, how far that is."""
    table = gene_tests.cluster_markers(opened)
    if table is not None:
        st.dataframe(
            table, hide_index=True, height=min(CLUSTERS_HEIGHT, ROW * (len(table) + 1) + 2),
            column_config={name: st.column_config.NumberColumn(width=60)
                           for name in ("cluster", "cells")},
        )  # fmt: skip
        return
    job = jobs.latest(opened.id, gene_tests.GENE_TEST)
    if job is None:
        do(lambda: gene_tests.start(opened, gene_tests.of_clusters(opened)))
        return
    jobs.show(job, can_stop=True, about="Markers of the clusters")
    if job.status.final and st.button("Find the markers of the clusters", key="cluster-markers"):
        do(lambda: gene_tests.start(opened, gene_tests.of_clusters(opened)))


def _pick_these(opened: Workspace, chosen: list[int]) -> None:
    if st.button("Pick these clusters", key="pick-clusters", disabled=not chosen):
        term = Condition(
            "cluster",
            values=tuple(str(code + 1) for code in chosen),
            origin=cell_values.cluster_origin(opened),
        )
        do(lambda: selection.join(opened, state.tab(), [term], "replace"))


def _pick_rule(opened: Workspace) -> None:
    with st.form("rule", border=False):
        rule = st.text_input(
            "Marker rule", placeholder="MS4A1+, CD79A+, CD3D-", key="rule-text",
            help="Cells that show every + gene and no - gene; CD3D>1.5 sets a level.",
        )  # fmt: skip
        if st.form_submit_button("Pick these cells") and rule.strip():
            do(lambda: _pick_markers(opened, rule))


def _pick_markers(opened: Workspace, rule: str) -> None:
    selection.join(opened, state.tab(), rules.of_markers(opened, rule), "replace")
