"""The tree of types: which are part of which, and what the Cell Ontology proposes."""

import streamlit as st

from pages.ui.frame.actions import do
from pages.ui.text import md
from scanvi_core.services.formatting import count, listed
from scanvi_core.services.labels import broader_types
from scanvi_core.services.workspace import Workspace

INDENT = "\u2003"  # an em space for each level
SHOWN = 6  # names in a sentence


def draw(opened: Workspace) -> None:
    """Draw the tree and the proposal, closed until one of them is wanted."""
    lines = broader_types.tree_lines(opened)
    proposal = broader_types.propose(opened)
    if not lines and not proposal.parents:
        return
    with st.expander("Broader types"):
        if lines:
            st.markdown(
                "  \n".join(
                    f"{INDENT * line.depth}{md(line.name)}"
                    + (f" · {line.n_cells:,}" if line.n_cells else "")
                    for line in lines
                )
            )
            st.caption(
                "Cells that only have a broader name teach that they are one of the types below "
                "it. Export can say the deepest name that is sure."
            )
        if proposal.parents:
            _propose(opened, proposal)


def _propose(opened: Workspace, proposal: broader_types.Proposal) -> None:
    n = sum(1 for name in proposal.parents if name in opened.labels().active)
    names = _some(proposal.broader)
    st.markdown(f"The Cell Ontology has broader names for {count(n, 'type')} here: {md(names)}.")
    if st.button("Take these over", key="broader-take", help="Undo takes them back, all at once."):
        do(lambda: broader_types.take(opened, proposal))
    if proposal.without_term:
        missing = _some(proposal.without_term)
        st.caption(f"No term is known of {md(missing)}: match these names below first.")


def _some(names: tuple[str, ...]) -> str:
    more = len(names) - SHOWN
    return listed([*names[:SHOWN], *([f"{more} more"] if more > 0 else [])])
