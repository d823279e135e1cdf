"""Check data: where the counts are, what was repaired, which column tells batches apart."""

import streamlit as st

from pages.ui import charts, gate, header
from pages.ui.stations import LABELS
from pages.ui.text import count, md
from scanvi_core.services import checking, workspace

project = gate.data_set("Check data")
header.draw("Check data", (LABELS, "Go on to Labels"))

data = checking.report(project)
counts, cells = st.columns(2, gap="medium")
with counts.container(border=True, height="stretch"):
    st.subheader(":green[:material/check_circle:] Counts found")
    st.markdown(f"The model reads **{md(data.counts_source)}**: {md(data.counts_reason)}")
    st.dataframe(data.matrices, hide_index=True, alt="Matrices of the file and what they hold")
    others = [name for name in data.usable_matrices if name != data.counts_source]
    if others:
        choice = st.selectbox("Use another matrix", others, index=None, key="matrix")
        if choice and st.button("Read the file again with it", key="reimport"):
            workspace.reimport(project, choice)
            st.rerun()
with cells.container(border=True, height="stretch"):
    st.subheader("Cells and genes")
    left, middle, right = st.columns(3)
    left.metric("Cells", f"{data.n_obs:,}")
    middle.metric("Genes", f"{data.n_vars:,}")
    right.metric("Median counts", f"{data.median_total:,.0f}")
    charts.histogram(data.totals_histogram, key="totals")

if data.repairs or data.warnings:
    with st.container(border=True):
        st.subheader("What we repaired or noticed")
        for sentence in data.repairs:
            st.markdown(f":material/build: {md(sentence)}")
        for sentence in data.warnings:
            st.markdown(f":orange[:material/warning:] {md(sentence)}")

with st.container(border=True):
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
        st.dataframe(table, hide_index=True, height=min(38 + 35 * len(table), 248))
