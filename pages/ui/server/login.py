"""Signing in, where the server's secrets hold an ``[auth]`` section; elsewhere nobody is asked.

Streamlit does the OpenID Connect part (``st.login``). The pages are closed by `run_shell`; what
the browser fetches beside the pages, by `SignedInOnly`, which reads the same signed cookie. Which
projects are open to whom, the core decides (`scanvi_core.project.access`): it asks `asking`.
"""

import json
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit.errors import StreamlitAuthError, StreamlitSecretNotFoundError
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.ui.server.door import path_of
from pages.ui.text import md
from scanvi_core.errors import ScanviError
from scanvi_core.services.projects import users
from scanvi_core.services.viewing import links

SECTION = "auth"
CLOSED = ("/download/", "/media/", "/app/", "/_stcore/")
OPEN = (  # to draw the page on which people sign in
    "/_stcore/health", "/_stcore/host-config", "/_stcore/stream", "/_stcore/bidi-components/",
)  # fmt: skip
ASK = "Ask who runs this server."
_cookies: ContextVar[Mapping[str, str] | None] = ContextVar("cookies", default=None)


def wanted() -> bool:
    """Tell whether people have to sign in here; secrets nobody can read count as a yes."""
    try:
        asked = SECTION in st.secrets
    except StreamlitSecretNotFoundError:
        asked = any(Path(path).exists() for path in st.get_option("secrets.files"))
    return asked or users.must_sign_in()


def person() -> str:
    """Return who signed in in this tab, empty where nobody did or has to."""
    return users.name_of(st.user) if wanted() and st.user.get("is_logged_in") else ""


def inside() -> bool:
    """Tell whether this tab may see the projects.

    Raises
    ------
    SettingInvalid
        If the variables about people cannot work.
    """
    if not wanted():
        return True
    users.check_settings()
    return bool(st.user.get("is_logged_in")) and users.may_enter(st.user)


def tell_core(link: Callable[[], str] = str) -> None:
    """Let the core ask who wants to see or change a project, where people sign in or by a link.

    `link` returns the token by which the tab of this thread came; empty for none.
    """
    who = asking if wanted() else _nobody

    def ask() -> users.Person | None:
        token = link() if get_script_run_ctx(suppress_warning=True) is not None else ""
        return links.visitor(token, who()) if token else who()

    users.ask_person(ask)


def _nobody() -> None:
    return None


def asking() -> users.Person | None:
    """Return who asks on this thread, in a tab or with a request; None is the program itself."""
    in_tab = get_script_run_ctx(suppress_warning=True) is not None
    cookies = _cookies.get()
    if not in_tab and cookies is None:
        return None
    return person_from(st.user if in_tab else claims_of(cookies or {}))


def person_from(claims: Mapping[str, Any]) -> users.Person:
    """Return who signed in with these claims; somebody who may see nothing, if they are not in."""
    known = bool(claims.get("is_logged_in")) and users.may_enter(claims)
    return users.person_of(claims) if known else users.Person("")


def draw() -> None:
    """Draw the page of those who are not inside.

    Raises
    ------
    ScanviError
        If the sign-in of this server is not set up.
    """
    st.title("Name the cells of a single-cell data set", anchor=False)
    if st.user.get("is_logged_in"):
        who = md(users.name_of(st.user) or "This account")
        st.warning(f"{who} is not on the list of people who may work here. {ASK}")
        st.button("Sign in as somebody else", key="sign-out", on_click=st.logout)
        return
    st.markdown("This is your group's server. Sign in to see its projects.")
    for provider in _providers():
        label = f"Sign in with {md(provider.capitalize())}" if provider else "Sign in"
        if st.button(label, key=f"sign-in-{provider}", type="primary", icon=":material/login:"):
            _go(provider)
    st.caption("Your name is written beside every label you change.")


def draw_person() -> None:
    """Draw who signed in, and the way out, below the menu."""
    if not wanted():
        return
    with st.sidebar.container(key="signed-in"):
        st.caption(f"Signed in as {md(person())}")
        st.button("Sign out", key="sign-out", icon=":material/logout:", on_click=st.logout)


def _providers() -> list[str | None]:
    """Return the names of the sections of the providers, None where there is just one."""
    try:
        section = st.secrets[SECTION]
    except (KeyError, StreamlitSecretNotFoundError) as error:
        raise ScanviError("Signing in is not set up on this server.", ASK) from error
    named = [name for name, value in section.items() if "client_id" in _table(value)]
    return [None] if "client_id" in section or not named else list(named)


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _go(provider: str | None) -> None:
    try:
        st.login(provider)
    except StreamlitAuthError as error:
        raise ScanviError("Signing in does not work on this server.", ASK) from error


class SignedInOnly:
    """Refuses what lies beside the pages, such as exported files, to those who are not inside."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 401, or hand the request on."""
        answer: ASGIApp = self._app
        if scope["type"] == "http":
            cookies = Request(scope).cookies
            if is_closed(path_of(scope)) and wanted():
                claims = claims_of(cookies)
                if not (claims and users.may_enter(claims)):
                    answer = PlainTextResponse("Sign in first.", status_code=401)
            _cookies.set(cookies)  # each request has a context of its own
        await answer(scope, receive, send)


def is_closed(path: str) -> bool:
    """Tell whether a path is for those who are inside; the pages draw the way in themselves."""
    return path.startswith(CLOSED) and not path.startswith(OPEN)


def claims_of(cookies: Mapping[str, str]) -> dict[str, Any]:
    """Return what the sign-in said about the sender of these cookies, empty without one.

    The same checks as Streamlit makes on its websocket: signature, age (31 days), and that the
    cookie was made for this address.
    """
    from streamlit.auth_util import get_cookie_with_chunks, get_origin_from_redirect_uri
    from streamlit.web.server.server_util import get_cookie_secret
    from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value
    from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

    def one(name: str) -> bytes | None:
        return decode_signed_value(get_cookie_secret(), name, cookies.get(name, ""))

    text = get_cookie_with_chunks(one, USER_COOKIE_NAME)
    claims: dict[str, Any] = json.loads(text) if text else {}
    origin = get_origin_from_redirect_uri()
    known = bool(claims.get("is_logged_in")) and origin and claims.get("origin") == origin
    return claims if known else {}
