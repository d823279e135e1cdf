"""Coming by a link: what it allows and until when, and who looks."""

from datetime import datetime

import streamlit as st

from pages.ui.frame import state
from pages.ui.server import login
from pages.ui.text import error_text, md
from scanvi_core import config
from scanvi_core.errors import ScanviError
from scanvi_core.services.viewing import links

NOTED = "visit-noted"  # under which name this tab's visit was written down


def closed() -> None:
    """Say that a link opens nothing."""
    st.title("This link opens nothing", anchor=False)
    st.markdown(
        "It has ended or was taken back, or a part of it is missing. Ask who gave it to you for "
        "a new one."
    )


def about() -> None:
    """Say what somebody may do here, and until when; draw nothing else once that is over."""
    ends = links.ends(state.link())
    if not ends:
        closed()
        st.stop()
    until = datetime.fromisoformat(ends).astimezone()
    st.caption(
        f"You look by a link, until {until:%d %b %Y}. You can comment and vote; "
        "labels are changed by the project's own people only."
    )


def name() -> str:
    """Draw who speaks: who signed in, else a name to be typed; return it."""
    signed_in = login.person()
    if signed_in:
        st.caption(f"You speak as {md(signed_in)}.")
        return signed_in
    given = st.text_input(
        "Your name (optional)", state.person()[: config.VISITOR_NAME_LENGTH],
        max_chars=config.VISITOR_NAME_LENGTH, key="visitor-name", placeholder="unsigned",
        help="Shown beside what you say. Nobody checks it: nobody signs in here.",
    )  # fmt: skip
    state.set_person(given)
    return given.strip()


def note(token: str) -> None:
    """Write down, once for each name, that somebody looked."""
    who = state.person()
    if state.recall(NOTED) == who:
        return
    state.remember(NOTED, who)
    try:
        links.enter(token, who)
    except ScanviError as error:
        st.caption(error_text(error))
