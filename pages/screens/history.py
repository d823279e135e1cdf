"""History: every step of the labels, going back, comparing, and the work of others."""

import streamlit as st

from pages.ui.frame import header, read_only, requires
from pages.ui.frame.pages import LABELS
from pages.ui.history import merge_logs
from pages.ui.history import steps as history_steps

opened = requires.data_set("History")
header.draw("History")
read_only.note(opened)
if not opened.labels().seq:
    requires.locked("Nothing was labeled yet.", LABELS, "Go to Labels")

steps, moments = st.columns([3, 2], gap="medium")
with steps.container(border=True):
    st.subheader("Steps")
    history_steps.draw(opened)
with moments:
    merge_logs.draw_differences(opened)
    with st.container(border=True):
        st.subheader("Compare")
        history_steps.compare(opened)
    with st.container(border=True):
        st.subheader("Work of others")
        merge_logs.draw(opened)
