"""The files that were exported: downloads, what is in them, and a text for a paper."""

from pathlib import Path

import streamlit as st

from pages.ui.server import login
from pages.ui.server.routes import download_url
from pages.ui.text import md
from scanvi_core.services.export import methods, tables, write
from scanvi_core.services.export.columns import ExportChoice
from scanvi_core.services.report import evaluation, page
from scanvi_core.services.workspace import Workspace

SLOTS = {"obs": "per cell", "obsm": "arrays per cell", "uns": "about the data set", "layers": ""}


def draw(opened: Workspace) -> None:
    """Draw each exported file with its downloads."""
    for path in write.exported_files(opened):
        with st.container(border=True):
            st.markdown(
                f"**{md(path.name)}** ({path.stat().st_size / 1e6:,.1f} MB), written and verified"
            )
            with st.container(horizontal=True):
                _downloads(opened, path)
            _about(path)
            if not login.wanted():
                st.caption(f"On this computer: {md(path)}")


def _downloads(opened: Workspace, path: Path) -> None:
    others = (
        ("Labels (.csv)", write.csv_beside(path), "table"),
        ("Labels for Excel", write.excel_beside(path), "table_view"),
        ("Pack: this annotation for other cells", write.pack_beside(path), "inventory_2"),
    )
    st.link_button(
        "Download .h5ad", download_url(opened.id, path.name), icon=":material/download:",
        type="primary",
    )  # fmt: skip
    for label, file, icon in others:
        if file.is_file():
            st.link_button(label, download_url(opened.id, file.name), icon=f":material/{icon}:")


def _about(path: Path) -> None:
    about = write.about(path)
    if not about:
        return
    notes = about["notes"]
    words = f"What was written; {len(notes)} things to know" if notes else "What was written"
    with st.expander(words):
        for note in notes:
            st.markdown(f"- {md(note)}")
        for slot, names in about["written"].items():
            if names:
                slot_name = f" ({SLOTS[slot]})" if SLOTS.get(slot) else ""
                st.markdown(f"**{slot}**{slot_name}: {md(', '.join(names))}")


def draw_report(opened: Workspace, choice: ExportChoice) -> None:
    """Offer the report on the project, which is made when somebody asks for it."""
    with st.container(border=True):
        st.header("Report")
        st.markdown(
            "One page with the data, the labels and where they came from, the model, how right it "
            "is, doubts, decisions and figures. It opens in any browser, also offline, and prints."
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            people = st.toggle(
                "With the names of those who decided", value=True, key="report-people",
                help="Off: people are numbered, and notes are left out.",
            )  # fmt: skip
            st.download_button(
                "Download the report",
                lambda: page.report_html(opened, choice, people=people).encode(),
                tables.file_name(opened.project.name, "report", "html"), "text/html",
                key="report", on_click="ignore", icon=":material/summarize:",
            )  # fmt: skip


def draw_methods(opened: Workspace, choice: ExportChoice) -> None:
    """Draw the paragraph for a paper, with a button that copies it."""
    with st.expander("Text for the methods section of a paper", icon=":material/article:"):
        st.caption("The button at the upper right of the text copies it.")
        text = methods.paragraph(opened, choice, checked=evaluation.checked(opened))
        st.code(text, language=None, wrap_lines=True)
