"""The link by which colleagues look at a project: made, copied, taken back; who used it."""

from datetime import datetime
from urllib.parse import urlsplit

import streamlit as st

from pages.ui.frame import dialogs, state
from pages.ui.frame.actions import do
from pages.ui.server import door, login
from pages.ui.text import md
from scanvi_core import config
from scanvi_core.services.formatting import count
from scanvi_core.services.viewing import links
from scanvi_core.services.viewing.links import Link, Visitor

MADE = "link-made"  # project and address of the one just made: it is shown once


def button(project: str) -> None:
    """Draw the way to the links of a project, for who may share it."""
    if links.may_make(project):
        st.button(
            "Link to look", key=f"link-{project}", icon=":material/link:", on_click=_ask,
            args=(project,),
            help="An address by which colleagues see map, types and scores, comment and vote.",
        )  # fmt: skip


def dialog(project: str, name: str) -> None:
    """Draw the links of a project, if they were asked for."""
    dialogs.draw(_name(project), f"Link to look at {md(name)}", _form, project, width="large")


def _ask(project: str) -> None:
    state.forget(MADE)
    dialogs.ask(_name(project))


def _name(project: str) -> str:
    return f"link-{project}"


def _form(project: str) -> None:
    st.markdown(
        "Whoever has the link sees the map, the types and how right the model is, and may comment "
        "and vote on names. They change nothing else."
    )
    st.caption(_who_reaches_it())
    made = state.recall(MADE)
    is_made = made is not None and made[0] == project
    if is_made:
        st.success(
            "The link was made. Copy it now by the icon at its right: it is not shown again."
        )
        st.code(made[1], language=None, wrap_lines=True)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        days = st.selectbox(
            "It ends after", config.LINK_DAYS_CHOICES, key=f"link-days-{project}", width=160,
            index=config.LINK_DAYS_CHOICES.index(config.LINK_DAYS),
            format_func=lambda days: count(days, "day"),
        )  # fmt: skip
        if st.button(
            "Make another link" if is_made else "Make a link", key=f"link-make-{project}",
            type="secondary" if is_made else "primary",
        ):  # fmt: skip
            do(lambda: _make(project, days))
    for link in links.links_of(project):
        _line(project, link)


def _make(project: str, days: int) -> None:
    token = links.make(project, days)
    state.remember(MADE, (project, f"{_address()}?{state.LINK_PARAMETER}={token}"))


def _address() -> str:
    """Return the address of the first page, as this browser reaches it."""
    seen = urlsplit(str(st.context.url or ""))
    return f"{seen.scheme}://{seen.netloc}{door.base_path()}/" if seen.netloc else "/"


def _who_reaches_it() -> str:
    if login.wanted():
        return "They sign in as everybody does here, and open the link then."
    here = door.place_of(urlsplit(_address()).netloc)
    if here is None or here.host in door.LOOPBACK:
        return (
            "This address is reached from this computer only: for others the link works once the "
            "app runs where they can reach it. Nobody signs in here, so who reaches it without "
            "the link may change everything."
        )
    return (
        "Nobody signs in here: who reaches this address without the link may change everything, "
        "and the names of visitors are what they type."
    )


def _line(project: str, link: Link) -> None:
    until = datetime.fromisoformat(link.until).astimezone()
    made = datetime.fromisoformat(link.made).astimezone()
    ends = f"until {until:%d %b %Y}" if link.is_open else "opens nothing any more"
    with st.container(border=True, gap="small"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"Made {made:%d %b %Y, %H:%M}, {ends}", width="stretch")
            if link.is_open and st.button("Take it back", key=f"link-revoke-{link.id}"):
                do(lambda: links.revoke(project, link.id))
        visitors = [_told(visitor) for visitor in reversed(link.visitors)]
        st.caption("  \n".join(visitors) if visitors else "Nobody has used it.")


def _told(visitor: Visitor) -> str:
    last = datetime.fromisoformat(visitor.last).astimezone()
    proof = "" if visitor.signed_in or not visitor.name else " (not verified)"
    name = md(visitor.name) or "somebody without a name"
    return f"{name}{proof}: {count(visitor.times, 'visit')}, the last on {last:%d %b, %H:%M}"
