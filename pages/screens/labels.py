"""Labels: which cells are labeled already, which are set aside, and naming cells by hand."""

import streamlit as st

from pages.ui.explore import naming
from pages.ui.frame import header, read_only, requires
from pages.ui.frame.pages import TRAIN
from pages.ui.labels import form, holdout, type_form

opened = requires.data_set("Labels")

labels = opened.labels()
has_labels = bool((labels.codes >= 0).any())
header.draw("Labels", *([(TRAIN, "Go on to Train")] if has_labels else []))
read_only.note(opened)
if labels.seq:
    with st.expander("Take the labels from another column, or start empty"):
        form.choose_source(opened, begun=True)
else:
    with st.container(border=True):
        st.header("Which cells are labeled?")
        form.choose_source(opened, begun=False)

if has_labels:
    types, aside = st.columns([3, 2], gap="medium")
    with types.container(border=True, height="stretch"):
        st.header("Types")
        form.draw_types(opened)
        type_form.draw(opened)
    with aside.container(border=True, height="stretch"):
        st.header("Set aside for an honest score")
        holdout.draw(opened)
if labels.seq:
    with st.container(border=True):
        st.header("Name cells by hand")
        if not has_labels:
            st.markdown("Name cells of at least two types, then train.")
        naming.draw_ways(opened)
