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
from scanvi_core.services.viewing.remarks import GROUP, Remark, Subject
from scanvi_core.services.workspace import Workspace

COMMENT, PROPOSE = "Comment", "Propose a name"
PICKED = Subject(remarks.CELLS, "the cells picked on the map")
MOST_SHOWN = 30
SENT = "said-something"  # what was written was sent: the boxes are to be emptied
CLEARED = {"say": "", "say-name": None}
LAST = "said-about"  # what was spoken of last: it is offered first, in the other form, too


def draw(opened: Workspace, name: str) -> None:
    """Draw the form, and below it what was said, the newest first."""
    _form(opened, name)
    said = remarks.said(opened)
    if said.n_unreadable:
        st.caption(f"{count(said.n_unreadable, 'line')} of the comments cannot be read.")
    if not said.items:
        st.caption("Nobody has said anything yet.")
        return
    if not name:
        st.caption("To vote, write your name: each name has one vote.")
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
    st.caption(f"{_signed(item)}, {when:%d %b, %H:%M}{' · done' * item.done}")


def _signed(item: Remark) -> str:
    if not item.by:
        return "unsigned"
    return md(item.by) if item.signed_in else f"{md(item.by)} (name not checked)"


def in_votes(item: Remark) -> str:
    """Return how a proposal stands, in words."""
    return f"{item.n_votes(1)} for, {item.n_votes(-1)} against"


def _form(opened: Workspace, name: str) -> None:
    what = st.segmented_control(
        "What", [COMMENT, PROPOSE], default=COMMENT, key="say-what", required=True,
        label_visibility="collapsed",
    )  # fmt: skip
    if state.recall(SENT):  # empty for the next; what could not be sent stays
        for key, value in CLEARED.items():
            state.set_widget(key, value)
        if state.recall(LAST) in remarks.subjects(opened):
            state.set_widget("say-about", state.recall(LAST))
            state.set_widget("name-about", state.recall(LAST))
        state.forget(SENT)
    picked = selection.selection(opened, state.tab())
    comments = what == COMMENT
    with st.form("say-form"):
        about = _about(opened, comments=comments, are_picked=bool(picked.n))
        if comments:
            text = st.text_area("Comment", max_chars=config.COMMENT_LENGTH, height=80, key="say")
        else:
            text = name_box("Better name", opened.labels().active, "say-name") or ""
        sent = st.form_submit_button("Send" if comments else "Propose", type="primary")
    if not sent or not text.strip():  # Enter has sent it, and the click came after that
        return
    if about is None:
        st.warning("Choose what the name is for.")
    else:
        do(lambda: _send(opened, about, str(what), text, name))


def _about(opened: Workspace, *, comments: bool, are_picked: bool) -> Subject | None:
    """Draw what is spoken of: cells just picked, else all of them; a name is for a part."""
    first = [PICKED] if are_picked else []
    whole = [remarks.ALL_CELLS] if comments else []
    key = f"{'say' if comments else 'name'}-about{'-picked' * are_picked}"
    return st.selectbox(
        "About", [*first, *whole, *remarks.subjects(opened)], format_func=_called, key=key,
        index=0 if first or whole else None, placeholder="Choose a type, a group or a cluster",
    )  # fmt: skip


def _send(opened: Workspace, about: Subject, what: str, text: str, name: str) -> None:
    if about == PICKED:
        about = remarks.picked(opened, selection.selection(opened, state.tab()))
    say = remarks.comment if what == COMMENT else remarks.propose
    say(opened, about, text, name)
    state.remember(SENT, True)
    state.remember(LAST, about)


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
    return f"{subject.name} (group)" if subject.kind == GROUP else subject.name
