"""History: every step of the labels, going back, comparing, and the work of others."""

import streamlit as st

from pages.ui import colleagues, gate, header, history_steps, locked
from pages.ui.stations import LABELS
from scanvi_core.services import workspace

project = gate.data_set("History")
header.draw("History")
locked.note(project)
if not workspace.workspace(project).labels().seq:
    gate.locked("Nothing was labelled yet.", LABELS, "Go to Labels")

steps, moments = st.columns([3, 2], gap="medium")
with steps.container(border=True):
    st.subheader("Steps")
    history_steps.draw(project)
with moments:
    colleagues.draw_differences(project)
    with st.container(border=True):
        st.subheader("Compare")
        history_steps.compare(project)
    with st.container(border=True):
        st.subheader("Work of others")
        colleagues.draw(project)
