"""Explore: maps with any color, picking and naming cells, their genes, rules used again."""

import streamlit as st

from pages.ui.cell_map import maps
from pages.ui.explore import gene_tab, naming, rule_apply, uncertainty
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
if not trained:
    if not requires.first_model(opened, "Its map and predictions appear here"):
        st.info(
            "No model yet: this is a map of the counts or of your file. Train to see the model's."
        )
else:
    uncertainty.summary(opened)
picking_tab, genes_tab, rules_tab = st.tabs(
    ["Map and selection", "Genes", "Rules"], key="explore-tab", on_change="rerun"
)
if picking_tab.open:
    with picking_tab:
        with st.container(border=True):
            color = maps.explorable(
                opened, key="explore", height=340,
                default_color=colors.PREDICTION if trained else colors.LABEL, compare=True,
            )  # fmt: skip
            if color == colors.REASON:
                uncertainty.legend()
            naming.name_picked(opened)
        issues.section(opened)
elif genes_tab.open:
    with genes_tab, st.container(border=True):
        gene_tab.draw(opened)
elif rules_tab.open:
    with rules_tab, st.container(border=True):
        rule_apply.draw(opened)
