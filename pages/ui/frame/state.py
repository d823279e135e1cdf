"""The only place that touches ``st.session_state``; it holds ids and small choices, never data."""

import secrets
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.ui.server import login

PROJECT_PARAMETER, LINK_PARAMETER = "project", "view"
_PREFIX = "scanvi."
_PERSON = "scanvi_person"  # outlives a change of the project
_LINK = "scanvi_link"


def project_id() -> str | None:
    """Return the project this browser tab works on."""
    return recall("project")


def adopt_project(at_start: str | None) -> None:
    """Take the project from the address after a reload, and keep the address up to date.

    Without one in the address the tab begins with `at_start`.
    """
    if recall("project") is None:
        remember("project", st.query_params.get(PROJECT_PARAMETER) or at_start)
    current = recall("project")
    if current and st.query_params.get(PROJECT_PARAMETER) != current:
        st.query_params[PROJECT_PARAMETER] = current


def adopt_link() -> None:
    """Take the token of a link from the address; a tab that came by one stays with it."""
    token = st.query_params.get(LINK_PARAMETER)
    if token and not link():
        st.session_state[_LINK] = token


def link() -> str:
    """Return the token of the link by which this tab came, empty where it came by none."""
    return str(st.session_state.get(_LINK, ""))


def set_project(project: str | None) -> None:
    """Switch this tab to another project and forget the choices made for the last one."""
    for key in [key for key in st.session_state if str(key).startswith(_PREFIX)]:
        del st.session_state[key]
    remember("project", project)
    if project is None:
        st.query_params.pop(PROJECT_PARAMETER, None)
    else:
        st.query_params[PROJECT_PARAMETER] = project


def tab() -> str:
    """Return a random name for this browser tab."""
    if recall("tab") is None:
        remember("tab", secrets.token_hex(8))
    return str(recall("tab"))


def person() -> str:
    """Return who works in this tab: who signed in, else as they said; empty outside of any tab."""
    if get_script_run_ctx(suppress_warning=True) is None:
        return ""
    return login.person() or str(st.session_state.get(_PERSON, ""))


def signed_in() -> bool:
    """Tell whether who works in this tab has signed in."""
    return get_script_run_ctx(suppress_warning=True) is not None and bool(login.person())


def set_person(name: str) -> None:
    """Say who works in this tab."""
    st.session_state[_PERSON] = name.strip()


def remember(name: str, value: Any) -> None:
    """Keep a small value for this tab."""
    st.session_state[_PREFIX + name] = value


def recall(name: str, default: Any = None) -> Any:
    """Return a value kept by `remember`."""
    return st.session_state.get(_PREFIX + name, default)


def forget(name: str) -> None:
    """Drop a value kept by `remember`."""
    st.session_state.pop(_PREFIX + name, None)


def widget(key: str) -> Any:
    """Return the present value of a widget by its key (inside callbacks)."""
    return st.session_state.get(key)


def set_widget(key: str, value: Any) -> None:
    """Set a widget's value before it is drawn (inside callbacks)."""
    st.session_state[key] = value
