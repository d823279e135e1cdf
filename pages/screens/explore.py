"""Explore: maps of both latents and the file's own, any colour; pick cells and name them."""

import streamlit as st

from pages.ui import doubt_view, gate, header, label_issues, locked, maps, naming
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
with st.container(border=True):
    colour = maps.explorable(
        project, key="explore", height=390,
        default_colour=exploring.PREDICTION if trained else exploring.LABEL,
    )  # fmt: skip
    if colour == exploring.REASON:
        doubt_view.legend()
    naming.name_picked(project)
    naming.undo_buttons(project)
label_issues.section(project)
