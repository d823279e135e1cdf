"""What is said of types and groups of cells: read, added to and voted on."""

from datetime import datetime
from functools import partial

import streamlit as st

from pages.ui.frame import state
from pages.ui.frame.actions import do
from pages.ui.frame.name_box import name_box
from pages.ui.text import md
from scanvi_core import config
from scanvi_core.services.explore import selection
from scanvi_core.services.formatting import count
from scanvi_core.services.viewing import remarks
from scanvi_core.services.viewing.remarks import CELLS, TYPE, Remark, Subject
from scanvi_core.services.workspace import Workspace

COMMENT, PROPOSE = "Comment", "Propose a name"
PICKED = Subject(CELLS, "the cells picked on the map")
MOST_SHOWN = 30


def draw(opened: Workspace, name: str) -> None:
    """Draw the form, and below it what was said, the newest first."""
    _form(opened, name)
    said = remarks.said(opened)
    if said.n_unreadable:
        st.caption(f"{count(said.n_unreadable, 'line')} of the comments cannot be read.")
    if not said.items:
        st.caption("Nobody has said anything yet.")
        return
    for item in said.items[:MOST_SHOWN]:
        with st.container(border=True, gap="small"):
            tell(item)
            if item.is_proposal:
                _votes(opened, item, name)
    if said.items[MOST_SHOWN:]:
        st.caption(f"{count(len(said.items) - MOST_SHOWN, 'older one')} not shown.")


def tell(item: Remark) -> None:
    """Draw one comment or proposal, and who made it when."""
    about = f"**{md(item.subject.name)}**"
    words = f"{about} could be called **{md(item.text)}**" if item.is_proposal else md(item.text)
    st.markdown(words if item.is_proposal else f"{about}: {words}")
    when = datetime.fromisoformat(item.at).astimezone()
    proof = "" if item.signed_in else " (name not verified)"
    done = " · done" if item.done else ""
    st.caption(f"{md(item.by)}{proof}, {when:%d %b, %H:%M}{done}")


def in_votes(item: Remark) -> str:
    """Return how a proposal stands, in words."""
    return f"{item.n_votes(1)} for, {item.n_votes(-1)} against"


def _form(opened: Workspace, name: str) -> None:
    what = st.segmented_control(
        "What", [COMMENT, PROPOSE], default=COMMENT, key="say-what", required=True,
        label_visibility="collapsed",
    )  # fmt: skip
    picked = selection.selection(opened, state.tab())
    known = [*([PICKED] if picked.n else []), *remarks.subjects(opened)]
    with st.form("say", clear_on_submit=True):
        key = "say-about-picked" if picked.n else "say-about"  # cells just picked are meant
        about = st.selectbox("About", known, format_func=_called, key=key)
        if what == COMMENT:
            text = st.text_area("Comment", max_chars=config.COMMENT_LENGTH, height=80, key="say")
        else:
            text = name_box("Better name", opened.labels().active, "say-name") or ""
        label = "Send" if what == COMMENT else "Propose"
        sent = st.form_submit_button(label, disabled=not name, type="primary")
    if not name:
        st.caption("Write your name first, then comment or vote.")
    if sent and about is not None:
        do(lambda: _send(opened, about, str(what), text, name))


def _send(opened: Workspace, about: Subject, what: str, text: str, name: str) -> None:
    if about == PICKED:
        about = remarks.picked(opened, selection.selection(opened, state.tab()))
    say = remarks.comment if what == COMMENT else remarks.propose
    say(opened, about, text, name)


def _votes(opened: Workspace, item: Remark, name: str) -> None:
    own = remarks.own_vote(item, name)
    with st.container(horizontal=True, vertical_alignment="center"):
        for value, word, icon in ((1, "For", "thumb_up"), (-1, "Against", "thumb_down")):
            if st.button(
                f"{word}: {item.n_votes(value)}", key=f"vote-{item.id}-{value}",
                icon=f":material/{icon}:", disabled=not name,
                type="primary" if own == value else "secondary",
                help="Click again to take your vote back.",
            ):  # fmt: skip
                new = 0 if own == value else value
                do(partial(remarks.vote, opened, item.id, new, name))


def _called(subject: Subject) -> str:
    return subject.name if subject.kind in (TYPE, CELLS) else f"{subject.name} ({subject.kind})"
