"""Evaluate: how often the model is right, on labels it has never seen."""

import streamlit as st

from pages.ui import charts, gate, header
from pages.ui.stations import EXPORT, LABELS, REVIEW, TRAIN
from pages.ui.text import count, md
from scanvi_core.services import evaluating, workspace

project = gate.data_set("Evaluate")
header.draw("Evaluate", (EXPORT, "Export the annotated file"), (REVIEW, "Review more cells"))
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
matrix, table = st.columns(2, gap="medium")
with matrix.container(border=True, height="stretch"):
    st.subheader("Known types against predictions")
    shown = st.segmented_control(
        "Show", ["Percent of each row", "Cells"], default="Percent of each row",
        key="confusion-mode", label_visibility="collapsed",
    )  # fmt: skip
    charts.confusion(found.confusion, report.names, key="confusion", counts=shown == "Cells")
with table.container(border=True, height="stretch"):
    st.subheader("Each type")
    numbers = st.column_config.NumberColumn(format="%.2f")
    st.dataframe(
        report.table, hide_index=True, placeholder="",
        height=min(38 + 35 * len(report.table), 560),
        column_config=dict.fromkeys(("precision", "recall", "F1"), numbers),
    )  # fmt: skip
for sentence in report.notes:
    st.caption(md(sentence))
