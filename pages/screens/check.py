"""Check data: where the counts are, what was repaired, poor cells, which column tells batches."""

import streamlit as st

from pages.ui.check import quality
from pages.ui.check.file_report import counts_card, findings
from pages.ui.frame import grown, header, read_only, requires
from pages.ui.frame.pages import LABELS
from pages.ui.text import md
from scanvi_core.services import workspace
from scanvi_core.services.formatting import count
from scanvi_core.services.projects import data_report, sharing

opened = requires.data_set("Check data")
header.draw("Check data", (LABELS, "Go on to Labels"))
closed = not sharing.may_change(opened.id)
if closed:
    read_only.note(opened)

grown.note(opened)

data = data_report.report(opened)
with st.container(border=True):
    counts_card(opened, data)
findings(data)
with st.container(border=True):
    question, table = st.columns([2, 3], gap="medium")
    with question:
        st.header("Batches")
        st.markdown(
            "Cells of different donors, samples or runs differ for technical reasons. "
            "Name the column that tells them apart and the model removes that difference."
        )
        options = [None, *data.batch_columns]
        key = st.selectbox(
            "Batch column", options, index=options.index(data.batch_key), key="batch-key",
            disabled=closed,
            format_func=lambda name: "No batches" if name is None else name,
        )  # fmt: skip
    if key != data.batch_key:
        workspace.set_batch_key(opened, key)
        st.rerun()
    if key is not None:
        cells = data_report.batch_table(opened, key)
        with table:
            st.caption(f"{count(len(cells), 'batch', 'batches')} in {md(key)}")
            whole = st.column_config.NumberColumn(format="localized")
            st.dataframe(
                cells, hide_index=True, height=min(38 + 35 * len(cells), 178),
                column_config=dict.fromkeys(("cells", "labeled"), whole),
            )  # fmt: skip
quality.card(opened)
