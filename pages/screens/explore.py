"""Explore: maps with any colour, picking and naming cells, their genes, rules used again."""

import streamlit as st

from pages.ui import (
    doubt_view,
    gate,
    gene_tab,
    header,
    label_issues,
    locked,
    maps,
    naming,
    rule_apply,
)
from pages.ui.stations import LABELS, REVIEW
from scanvi_core.services import exploring, workspace

project = gate.data_set("Explore")
if not exploring.embeddings(project):
    gate.locked("There is no map yet: compute one, or train a model.", LABELS, "Go to Labels")

trained = workspace.workspace(project).current_run() is not None
header.draw(
    "Explore", *([(REVIEW, "Review the doubtful cells")] if trained else [(LABELS, "Label")])
)
locked.note(project)
if not trained:
    st.info("No model yet: this is the file's own map. Train to see the model's.")
else:
    doubt_view.summary(project)
picking_tab, genes_tab, rules_tab = st.tabs(
    ["Map and selection", "Genes", "Rules"], key="explore-tab", on_change="rerun"
)
if picking_tab.open:
    with picking_tab:
        with st.container(border=True):
            colour = maps.explorable(
                project, key="explore", height=340,
                default_colour=exploring.PREDICTION if trained else exploring.LABEL, compare=True,
            )  # fmt: skip
            if colour == exploring.REASON:
                doubt_view.legend()
            naming.name_picked(project)
        label_issues.section(project)
elif genes_tab.open:
    with genes_tab, st.container(border=True):
        gene_tab.draw(project)
elif rules_tab.open:
    with rules_tab, st.container(border=True):
        rule_apply.draw(project)
