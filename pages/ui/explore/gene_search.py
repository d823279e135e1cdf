"""Finding genes on a page: suggestions while typing, a pasted list, the chosen ones."""

import streamlit as st

from pages.ui.frame import state
from pages.ui.text import md
from scanvi_core.services.explore import gene_search
from scanvi_core.services.workspace import Workspace

CHOSEN = "genes"  # of this tab
MAX_CHOSEN = 120


def find_one(opened: Workspace, *, key: str, label: str = "Gene") -> str | None:
    """Draw a search box with suggestions below it; return the gene that is chosen."""
    text = st.text_input(
        label, key=f"{key}.text", live=True, placeholder="CD3D, or a part of it",
        icon=":material/search:",
    )  # fmt: skip
    hits = gene_search.search(opened, text or "")
    if not hits:
        st.caption(f"No gene is called {md(text)}." if text else "Type the first letters.")
        return None
    sure = len(hits) == 1 or hits[0].casefold() == str(text).strip().casefold()
    return st.pills(
        "Genes found", hits, default=hits[0] if sure else None, key=f"{key}.hits.{text}",
        label_visibility="collapsed", format_func=md,
    )  # fmt: skip


def chosen(opened: Workspace) -> list[str]:
    """Return the genes chosen in this tab that are in these data."""
    known = gene_search.index(opened).places
    return [gene for gene in state.recall(CHOSEN, []) if gene in known]


def choose(opened: Workspace) -> list[str]:
    """Draw search, list and paste side by side; return the chosen genes."""
    now = chosen(opened)
    left, right = st.columns([2, 5], gap="medium", vertical_alignment="top")
    with left:
        _search(opened, now)
    with right:
        genes = _list(now)
        with st.container(horizontal=True, vertical_alignment="center"):
            # a new key for each list closes it after a paste
            with st.popover(
                "Paste a list", icon=":material/content_paste:", key=f"genes-paste-{len(now)}"
            ):
                _paste(opened, now)
            if now and st.button("Remove all", key="genes-none"):
                _set([])
        report = state.recall("genes-report")
        if report:
            st.caption(md(report))
    return genes


def _search(opened: Workspace, now: list[str]) -> None:
    text = st.text_input(
        "Find a gene", key="genes-find", live=True, placeholder="CD3D, or a part of it",
        icon=":material/search:",
    )  # fmt: skip
    hits = [gene for gene in gene_search.search(opened, text or "") if gene not in now]
    if hits:
        added = st.pills(
            "Add", hits, key=f"genes-add.{text}.{len(now)}", label_visibility="collapsed",
            format_func=lambda gene: f"\\+ {md(gene)}",
        )  # fmt: skip
        if added:
            _set([*now, added])
    elif text:
        st.caption(f"No other gene is called {md(text)}.")


def _list(now: list[str]) -> list[str]:
    selected = st.multiselect(
        "Chosen genes", now, default=now, key=f"genes-chosen.{hash(tuple(now))}",
        placeholder="none yet: find one, or paste a list",
    )  # fmt: skip
    if len(selected) < len(now):
        _set([gene for gene in now if gene in selected])
    return now


def _paste(opened: Workspace, now: list[str]) -> None:
    with st.form("paste-genes", border=False, clear_on_submit=True):
        text = st.text_area("Genes, by blanks, commas or lines", key="genes-pasted", height=120)
        if st.form_submit_button("Add these genes", type="primary") and text.strip():
            pasted = gene_search.read_list(opened, text)
            state.remember("genes-report", pasted.report)
            _set(list(dict.fromkeys([*now, *pasted.found])))


def _set(chosen_genes: list[str]) -> None:
    state.remember(CHOSEN, chosen_genes[:MAX_CHOSEN])
    st.rerun()
