"""Evaluate: how often the model is right, on labels it has never seen."""

import streamlit as st

from pages.ui import charts, gate
from pages.ui.stations import EXPORT, LABELS, REVIEW, TRAIN, next_button
from pages.ui.text import count, md
from scanvi_core.services import evaluating, workspace

st.title("Evaluate")
project = gate.data_set()
if workspace.workspace(project).current_run() is None:
    gate.locked("There is no model to evaluate yet.", TRAIN, "Go to Train")

report = evaluating.report(project)
if report is None:
    gate.locked(
        "No held-out cells. Accuracy on training cells would flatter the model, so it is not "
        "shown. Set some labels aside and train again.",
        LABELS,
        "Set labels aside",
    )
found = report.scores
st.markdown(
    f"Model {report.model_number} on **{count(found.n, 'cell')}** whose labels it has never "
    f"seen: **{found.accuracy:.1%}** right "
    f"(95 % interval {found.interval[0]:.0%} to {found.interval[1]:.0%}), mean F1 over types "
    f"**{found.macro_f1:.2f}**. When it says 90 %, expect to be off by {found.ece:.0%} on average."
)
for sentence in report.notes:
    st.caption(md(sentence))
matrix, table = st.columns([3, 2], gap="medium")
with matrix.container(border=True, height="stretch"):
    st.subheader("Known types against predictions")
    shown = st.segmented_control(
        "Show", ["Percent of each row", "Cells"], default="Percent of each row",
        key="confusion-mode", label_visibility="collapsed",
    )  # fmt: skip
    charts.confusion(found.confusion, report.names, key="confusion", counts=shown == "Cells")
with table.container(border=True, height="stretch"):
    st.subheader("Each type")
    st.dataframe(
        report.table, hide_index=True, height=min(40 + 35 * (len(report.table) + 1), 560),
        column_config={
            name: st.column_config.NumberColumn(format="%.2f")
            for name in ("precision", "recall", "F1")
        },
    )  # fmt: skip
with st.container(horizontal=True):
    next_button(EXPORT, "Export the annotated file")
    next_button(REVIEW, "Review more cells", primary=False)
