"""Adding one condition to the picked cells."""

from collections.abc import Callable

import streamlit as st

from pages.ui.explore import gene_search
from pages.ui.frame import state
from pages.ui.frame.actions import do
from pages.ui.text import error_text
from scanvi_core.errors import ScanviError
from scanvi_core.services.explore import cell_values, colors, rules, selection
from scanvi_core.services.explore.rules import Condition, Kind, Operation
from scanvi_core.services.formatting import count
from scanvi_core.services.workspace import Workspace

GENE, MARKERS, COLUMN, CONFIDENCE, NEAR = (
    "Level of a gene", "Marker rule", "Column of the file", "Confidence", "Nearest neighbors",
)  # fmt: skip
KINDS: dict[str, Kind] = {
    "Label": "label", "Label in the file": "given", "Prediction": "predicted", "Batch": "batch",
    "Cluster": "cluster", "Reason for doubt": "reason",
}  # fmt: skip
MISSING = "none"
OPERATIONS: dict[str, Operation] = {"and": "intersect", "or": "add", "but not": "subtract"}


def draw(opened: Workspace) -> None:
    """Draw the choice of a condition and the button that adds it."""
    begun = bool(selection.selection(opened, state.tab()).rule)
    what = st.selectbox("Condition", _offered(opened, begun=begun), key="rule-what")
    terms = _FORMS[what](opened) if what in _FORMS else _values(opened, KINDS[what])
    if what == NEAR:
        if st.button("Add the neighbors", key="rule-add", type="primary"):
            do(lambda: selection.join(opened, state.tab(), terms, "add"))
        return
    how: Operation = OPERATIONS[_how()] if begun else "replace"
    n = rules.select(opened, rules.Rule().joined(terms, "replace")).n if terms else 0
    label = f"Add: {count(n, 'cell')}" if terms else "Add"
    if st.button(label, key="rule-add", type="primary", disabled=not terms):
        do(lambda: selection.join(opened, state.tab(), terms, how))


def _how() -> str:
    return st.segmented_control(
        "How it joins", list(OPERATIONS), default="and", key="rule-how", required=True,
        label_visibility="collapsed",
    )  # fmt: skip


def _offered(opened: Workspace, *, begun: bool) -> list[str]:
    """Return the conditions that mean something here, the most used first."""
    offered = [GENE, MARKERS]
    for words, kind in KINDS.items():
        if cell_values.known(opened, kind):
            offered.append(words)
    if cell_values.known(opened, "confidence"):
        offered.append(CONFIDENCE)
    offered.append(COLUMN)
    if begun and cell_values.known(opened, "near"):
        offered.append(NEAR)
    return offered


def _gene(opened: Workspace) -> list[Condition]:
    gene = gene_search.find_one(opened, key="rule-gene")
    if gene is None:
        return []
    low = st.number_input(
        "Level above", min_value=0.0, max_value=10.0, value=0.0, step=0.1, key="rule-level",
        help="log1p of counts per 10,000. Above 0: at least one count.",
    )  # fmt: skip
    return [Condition("gene", gene, low=float(low))]


def _markers(opened: Workspace) -> list[Condition]:
    text = st.text_input(
        "Marker rule", key="rule-text", placeholder="MS4A1+, CD79A+, CD3D-",
        help="Cells that show every + gene and no - gene; CD3D>1.5 sets a level.",
    )  # fmt: skip
    try:
        return list(rules.of_markers(opened, text)) if text else []
    except ScanviError as error:
        st.error(error_text(error))
        return []


def _values(opened: Workspace, kind: Kind, column: str = "") -> list[Condition]:
    names = cell_values.values_of(opened, kind, column)
    shown = [*names, ""] if kind != "reason" else list(names)
    chosen = st.multiselect(
        "Is one of", shown, format_func=lambda name: name or MISSING,
        key=f"rule-values-{kind}-{column}", placeholder="choose",
    )  # fmt: skip
    if not chosen:
        return []
    origin = cell_values.cluster_origin(opened) if kind == "cluster" else ""
    return [Condition(kind, column, values=tuple(chosen), origin=origin)]


def _column(opened: Workspace) -> list[Condition]:
    columns = cell_values.columns(opened)
    column = st.selectbox("Column", list(columns), key="rule-column")
    if column is None:
        return []
    if not columns[column]:
        return _values(opened, "column", column)
    ends = colors.range_of(opened, column)
    low, high = st.slider("From, to", *ends, value=ends, key=f"rule-range-{column}")
    return [Condition("column", column, low=low, high=high)]


def _confidence(_: Workspace) -> list[Condition]:
    low, high = st.slider(
        "From, to (%)", 0, 100, (0, 80), key="rule-confidence",
        help="How sure the model is of its prediction.",
    )  # fmt: skip
    return [Condition("confidence", low=low / 100, high=high / 100)]


def _near(_: Workspace) -> list[Condition]:
    steps = st.number_input(
        "Steps from neighbor to neighbor", 1, rules.MAX_STEPS, 1, key="rule-steps",
        help="Adds the 15 cells most similar to each picked one, and theirs, so many times.",
    )  # fmt: skip
    return [Condition("near", steps=int(steps))]


_FORMS: dict[str, Callable[[Workspace], list[Condition]]] = {
    GENE: _gene, MARKERS: _markers, COLUMN: _column, CONFIDENCE: _confidence, NEAR: _near,
}  # fmt: skip
