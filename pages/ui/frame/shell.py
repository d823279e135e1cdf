"""The frame around every page: menu, status strip, and the last net under errors."""

import logging

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from pages.ui.frame import dialogs, keys, state, status_strip
from pages.ui.frame.pages import LOOK, OPEN, PAGES, next_button
from pages.ui.server import login
from pages.ui.text import error_text
from scanvi_core import runtime
from scanvi_core.errors import ScanviError
from scanvi_core.services import failures, workspace
from scanvi_core.services.projects import at_start, status, users

logger = logging.getLogger(__name__)
LOGO = str(runtime.APP / "assets" / "logo.svg")
STYLE = runtime.APP / "assets" / "page.css"
SIDEBAR_WIDTH = 210  # pixels


def run_shell() -> None:
    """Draw the frame and run the page the user is on."""
    st.set_page_config(
        page_title="SCANVI cell annotation",
        page_icon=LOGO,
        layout="wide",
        initial_sidebar_state=SIDEBAR_WIDTH,
    )
    st.logo(LOGO, size="large")
    st.html(STYLE)
    users.ask(state.person, state.signed_in)
    state.adopt_link()
    try:
        login.tell_core(state.link)
        outside = not login.inside()
        if outside:
            st.navigation(_pages(set()), position="hidden")  # so that every address is known
            login.draw()
            if state.link():
                st.caption("Once you are signed in, open the link again.")
    except Exception as error:  # noqa: BLE001 - no traceback may reach a page; it goes to the log
        _say(error)
        return
    if not outside:
        _run_look() if state.link() else _run_page()


def _run_look() -> None:
    """Run the page of those who came by a link; there is no way to another one."""
    page = st.navigation([st.Page(LOOK.path, title=LOOK.title, default=True)], position="hidden")
    try:
        dialogs.begin(LOOK.slug)
        page.run()
        dialogs.end()
    except Exception as error:  # noqa: BLE001 - no traceback may reach a page; it goes to the log
        _say(error)


def _run_page() -> None:
    asked, refused = _opened_at_start()
    state.adopt_project(asked if asked and workspace.exists(asked) else None)
    project = state.project_id()
    gone = project is not None and not workspace.exists(project)
    if gone:
        project = None
        state.set_project(None)
    done, fault = _pages_done(project)
    page = st.navigation(_pages(done))
    try:
        keys.guard()
        login.draw_person()
        if gone:
            shared = "is gone, or is not shared with you"
            why = shared if login.wanted() else "is not on this computer any more"
            st.warning(f"That project {why}. Open another one.")
        if refused is not None and project is None:
            _say(refused)
        if fault is None:
            status_strip.draw(project)
        elif page.url_path:  # Open works without a project and says why by itself
            st.title(page.title, anchor=False)
            raise fault
        dialogs.begin(page.url_path)
        page.run()
        dialogs.end()
    except Exception as error:  # noqa: BLE001 - no traceback may reach a page; it goes to the log
        _say(error)
        if fault is not None and page.url_path:
            next_button(OPEN, "Open another one")


def _pages(done: set[str]) -> list[StreamlitPage]:
    """Return the pages for the menu, with a tick where the work is done."""
    return [
        st.Page(
            page.path,
            title=page.title,
            icon=":material/check_circle:" if page.slug in done else page.icon,
            url_path=None if page is OPEN else page.slug,
            default=page is OPEN,
        )
        for page in PAGES
    ]


def _say(error: Exception) -> None:
    st.error(error_text(ScanviError(*failures.in_words(error, "page"))))


def _opened_at_start() -> tuple[str | None, Exception | None]:
    """Return the project that the server was started for, and why it cannot be opened, if so."""
    try:
        return at_start.opened_at_start(), None
    except ScanviError as fault:
        return None, fault


def _pages_done(project: str | None) -> tuple[set[str], Exception | None]:
    """Return the pages whose work is done, and why the project cannot be opened, if so."""
    try:
        return status.pages_done(project), None
    except Exception as fault:
        logger.warning("The project cannot be opened.", exc_info=True)  # said inside the net
        return set(), fault
