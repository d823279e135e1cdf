"""Labels: which cells are labeled already, which are set aside, and naming cells by hand."""

import streamlit as st

from pages.ui.explore import naming, workbench
from pages.ui.frame import grown, header, read_only, requires
from pages.ui.frame.pages import TRAIN
from pages.ui.labels import broader, form, holdout, term_list, type_form, vocabularies
from pages.ui.look import said
from pages.ui.opinions import section
from scanvi_core.services.explore import colors, maps
from scanvi_core.services.labels import edit
from scanvi_core.services.opinions import kept

opened = requires.data_set("Labels")

labels = opened.labels()
has_labels = bool((labels.codes >= 0).any())
header.draw("Labels", *([(TRAIN, "Go on to Train")] if has_labels else []))
read_only.note(opened)
grown.note(opened, leads=False)
section.offer(opened)
said.draw(opened)


def name_by_hand() -> None:
    """Draw the ways to pick cells, and the workbench where they are named."""
    way = naming.choose_way(opened)
    if maps.embeddings(opened):
        start = maps.CLUSTER if way == naming.CLUSTER else colors.LABEL
        workbench.draw(opened, key=f"labels-map-{start}", default_color=start)
    naming.draw_way(opened, way)


def show_types() -> None:
    """Draw the types there are, and which labels are set aside."""
    types, aside = st.container(key="wide-labels").columns([3, 2], gap="medium")
    with types.container(border=True, height="stretch"):
        st.header("Types")
        form.draw_types(opened)
        said.of_types(opened)
        broader.draw(opened)
        type_form.draw(opened)
    with aside.container(border=True, height="stretch"):
        st.header("Set aside for an honest score")
        holdout.draw(opened)
    term_list.draw(opened)
    vocabularies.draw(opened)


if not labels.seq:
    if kept.kept(opened):
        section.draw(opened)
    with st.container(border=True):
        st.header("Which cells are labeled?")
        form.choose_source(opened, begun=False)
else:
    by_hand = edit.is_by_hand(opened)
    aside_first = by_hand and has_labels and holdout.is_asked_for(opened)
    if aside_first:
        show_types()
    if by_hand:
        name_by_hand()
    if has_labels and not aside_first:
        show_types()
    if not by_hand:
        st.header("Name cells by hand")
        name_by_hand()
    others = "from another column, start empty, ask marker genes, or begin from a pack"
    with st.expander(f"Take the labels {others}"):
        form.choose_source(opened, begun=True)
if labels.seq or not kept.kept(opened):
    section.draw(opened)
