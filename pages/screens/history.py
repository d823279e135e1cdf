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

with st.container(border=True):  # as wide as the page: who and what others claim is long
    st.header("Steps")
    history_steps.draw(opened)
merge_logs.draw_differences(opened)
compared, others = st.columns(2, gap="medium")
with compared.container(border=True):
    st.header("Compare")
    history_steps.compare(opened)
with others.container(border=True):
    st.header("Work of others")
    merge_logs.draw(opened)
