"""Check data: where the counts are, what was repaired, poor cells, which column tells batches."""

import streamlit as st

from pages.ui import gate, header, quality_view
from pages.ui.intake_view import counts_card, findings
from pages.ui.stations import LABELS
from pages.ui.text import count, md
from scanvi_core.services import checking, workspace

project = gate.data_set("Check data")
header.draw("Check data", (LABELS, "Go on to Labels"))

data = checking.report(project)
counts, batches = st.columns(2, gap="medium")
with counts.container(border=True, height="stretch"):
    counts_card(project, data)
with batches.container(border=True, height="stretch"):
    st.subheader("Batches")
    st.markdown(
        "Cells from different donors, samples or runs differ for technical reasons. "
        "Name the column that tells them apart and the model removes that difference."
    )
    options = [None, *data.batch_columns]
    key = st.selectbox(
        "Batch column", options, index=options.index(data.batch_key), key="batch-key",
        format_func=lambda name: "No batches" if name is None else name,
    )  # fmt: skip
    if key != data.batch_key:
        workspace.set_batch_key(project, key)
        st.rerun()
    if key is not None:
        table = checking.batch_table(project, key)
        st.caption(f"{count(len(table), 'batch').replace('batchs', 'batches')} in {md(key)}")
        st.dataframe(table, hide_index=True, height=min(38 + 35 * len(table), 178))

findings(data)
quality_view.card(project)
