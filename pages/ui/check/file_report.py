"""What was found when the file was read: where the counts are, with evidence, and every repair."""

import streamlit as st

from pages.ui.text import md
from scanvi_core.services.projects import open_file
from scanvi_core.services.projects.data_report import DataReport
from scanvi_core.services.workspace import Workspace

FIRST = 5  # repairs in sight; the others behind a click


def counts_card(opened: Workspace, data: DataReport) -> None:
    """Say which matrix the model reads and why, and what each of the others holds."""
    summary, cells, genes, counts = st.columns([5, 1, 1, 1.3])
    with summary:
        how = "recovered" if data.proof else "found"
        st.header(f":green[:material/check_circle:] Counts {how}")
        st.markdown(f"The model reads **{md(data.counts_source)}**: {md(data.counts_reason)}")
        for fact in data.proof:
            st.markdown(f":green[:material/verified:] {md(fact)}")
    cells.metric("Cells", f"{data.n_obs:,}")
    genes.metric("Genes", f"{data.n_vars:,}")
    counts.metric("Median counts", f"{data.median_total:,.0f}")
    st.dataframe(
        data.matrices, hide_index=True, alt="Matrices of the file, what they hold and why",
    )  # fmt: skip
    others = [name for name in data.usable_matrices if name != data.counts_source]
    if others:
        choice = st.selectbox("Use another matrix", others, index=None, key="matrix")
        if choice and st.button("Read the file again with it", key="reimport"):
            open_file.reimport(opened.id, choice)
            st.rerun()


def findings(data: DataReport) -> None:
    """List everything that was mended or noticed, warnings first; nothing where there is none."""
    lines = [f":orange[:material/warning:] {md(sentence)}" for sentence in data.warnings]
    lines += [f":material/build: {md(sentence)}" for sentence in data.repairs]
    if not lines:
        return
    with st.container(border=True):
        st.header("What we repaired or noticed")
        st.caption("Only in the copy the program works on. Your file stays as it is.")
        for line in lines[:FIRST]:
            st.markdown(line)
        if len(lines) > FIRST:
            with st.expander(f"{len(lines) - FIRST} more"):
                for line in lines[FIRST:]:
                    st.markdown(line)
