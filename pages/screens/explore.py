"""Explore: maps with any color, picking and naming cells, their genes, rules used again."""

import streamlit as st

from pages.ui.explore import gene_tab, rule_apply, uncertainty, workbench
from pages.ui.frame import header, read_only, requires
from pages.ui.frame.pages import LABELS, REVIEW
from pages.ui.labels import issues
from scanvi_core.services.explore import colors
from scanvi_core.services.explore import maps as explore_maps

opened = requires.data_set("Explore")
trained, mapped = opened.current_run() is not None, bool(explore_maps.embeddings(opened))
if not mapped:
    st.title("Explore", anchor=False)
    if requires.first_model(opened, "Its map appears here"):
        st.stop()
    requires.locked("There is no map yet: compute one, or train a model.", LABELS, "Go to Labels")

header.draw(
    "Explore", *([(REVIEW, "Review the doubtful cells")] if trained else [(LABELS, "Label")])
)
read_only.note(opened)


def about_the_model() -> None:
    """Say what the model doubts; without one, whose map this is."""
    if trained:
        uncertainty.summary(opened)
    elif not requires.first_model(opened, "Its map and predictions appear here"):
        st.caption("No model yet: this is a map of the counts, or one of your file.")


picking_tab, genes_tab, rules_tab = st.tabs(
    ["Map and selection", "Genes", "Rules"], key="explore-tab", on_change="rerun"
)
if picking_tab.open:
    with picking_tab:
        color = workbench.draw(
            opened, key="explore", compare=True,
            default_color=colors.PREDICTION if trained else colors.LABEL,
        )  # fmt: skip
        if color == colors.REASON:
            uncertainty.legend()
        about_the_model()
        issues.section(opened)
elif genes_tab.open:
    with genes_tab, st.container(border=True):
        gene_tab.draw(opened)
elif rules_tab.open:
    with rules_tab, st.container(border=True):
        rule_apply.draw(opened)
