"""Labels: which cells are labelled already, which are set aside, and naming cells by hand."""

import streamlit as st

from pages.ui import gate, holdout_form, label_form, naming
from pages.ui.stations import TRAIN, next_button
from scanvi_core.services import workspace

st.title("Labels")
project = gate.data_set()

labels = workspace.workspace(project).labels()
has_labels = bool((labels.codes >= 0).any())
with st.container(border=True):
    st.subheader("Which cells are labelled?")
    label_form.choose_source(project, has_labels=has_labels)

if labels.seq:
    types, aside = st.columns([3, 2], gap="medium")
    with types.container(border=True, height="stretch"):
        st.subheader("Types")
        label_form.draw_types(project)
    with aside.container(border=True, height="stretch"):
        st.subheader("Set aside for an honest score")
        holdout_form.draw(project)
    with st.container(border=True):
        st.subheader("Name cells by hand")
        naming.draw_ways(project)
if has_labels:
    next_button(TRAIN, "Go on to Train")
elif labels.seq:
    st.info("Name cells of at least two types, then train.")
if labels.seq:
    st.caption(f"Last change: {naming.last_change(project)}")
    naming.undo_buttons(project)
