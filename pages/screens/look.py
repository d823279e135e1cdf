"""Look: what colleagues see of a project who came by its link, and where they comment and vote."""

import streamlit as st

from pages.ui.frame import state
from pages.ui.look import comments, entry, map_part, told
from pages.ui.text import md
from scanvi_core.services.viewing import links
from scanvi_core.services.workspace import workspace

if not links.visiting():
    entry.closed()
    st.stop()

opened = workspace(links.visiting())
st.title(md(opened.project.name), anchor=False)
entry.about()
seen, aside = st.container(key="wide-look").columns([3, 2], gap="medium")
with seen:
    map_part.draw(opened)
with aside:
    # the report of a project (report.html), once there is one, is a tab more, drawn in `told`
    said, types, right = st.tabs(["Comments", "Types", "How right it is"])
    with said:
        comments.draw(opened, entry.name())
    with types:
        told.types(opened)
    with right:
        told.evaluation(opened)
entry.note(state.link())
