"""The frame around every page: menu, status strip, and the last net under errors."""

import logging

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from pages.ui.frame import login, state, status_strip
from pages.ui.frame.pages import OPEN, STATIONS, next_button
from pages.ui.frame.text import error_text
from scanvi_core.errors import ScanviError
from scanvi_core.services import failures, workspace
from scanvi_core.services.projects import open_file, status, users

logger = logging.getLogger(__name__)
LOGO = "assets/logo.svg"
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
    users.ask(state.person)
    try:
        outside = not login.inside()
        if outside:
            st.navigation(_pages(set()), position="hidden")  # so that every address is known
            login.draw()
    except Exception as error:  # noqa: BLE001 - no traceback may reach a page; it goes to the log
        _say(error)
        return
    if not outside:
        _run_page()


def _run_page() -> None:
    state.adopt_project(open_file.example_at_start())
    project = state.project_id()
    gone = project is not None and not workspace.exists(project)
    if gone:
        project = None
        state.set_project(None)
    done, fault = _stations_done(project)
    page = st.navigation(_pages(done))
    try:
        login.draw_person()
        if gone:
            st.warning("That project is not on this computer any more. Open another one.")
        if fault is None:
            status_strip.draw(project)
        elif page.url_path:  # Open works without a project and says why by itself
            st.title(page.title, anchor=False)
            raise fault
        page.run()
    except Exception as error:  # noqa: BLE001 - no traceback may reach a page; it goes to the log
        _say(error)
        if fault is not None and page.url_path:
            next_button(OPEN, "Open another one")


def _pages(done: set[str]) -> list[StreamlitPage]:
    """Return the pages for the menu, with a tick where the work is done."""
    return [
        st.Page(
            station.path,
            title=station.title,
            icon=":material/check_circle:" if station.slug in done else station.icon,
            url_path=None if station is OPEN else station.slug,
            default=station is OPEN,
        )
        for station in STATIONS
    ]


def _say(error: Exception) -> None:
    st.error(error_text(ScanviError(*failures.in_words(error, "page"))))


def _stations_done(project: str | None) -> tuple[set[str], Exception | None]:
    """Return the pages whose work is done, and why the project cannot be opened, if so."""
    try:
        return status.stations_done(project), None
    except Exception as fault:
        logger.warning("The project cannot be opened.", exc_info=True)  # said inside the net
        return set(), fault
