"""What every request has to pass first: the name of the server, the page it comes from, its turn.

Another name is allowed with Streamlit's own setting, ``--server.allowedHosts``; pages of another
origin, as behind a proxy that changes the Host, with ``--server.corsAllowedOrigins``.
"""

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit import config

from scanvi_core.errors import TooOften
from scanvi_core.services import request_limits

HEALTH = "/_stcore/health"
DOWNLOAD = "/download/"
TURNS: Mapping[str, str] = {
    "/auth/login": request_limits.SIGN_IN,
    "/oauth2callback": request_limits.SIGN_IN,
    "/_stcore/upload_file/": request_limits.UPLOAD,
    DOWNLOAD: request_limits.DOWNLOAD,
}
LOOPBACK = ("localhost", "127.0.0.1", "::1")
ANY_ADDRESS = ("", "0.0.0.0", "::")  # noqa: S104  what a server may listen on, and nobody's name
PORTS = {"http": 80, "https": 443}
REFUSED = 1008  # code of a closed websocket: against the rules


class Place(NamedTuple):
    """A host and, where one is said, its port."""

    host: str
    port: int | None


def place_of(text: str) -> Place | None:
    """Read ``host:port``; None where it is something else."""
    try:
        parts = urlsplit(f"//{text}")
        place = Place((parts.hostname or "").rstrip("."), parts.port)
    except ValueError:
        return None
    rest = parts.path or parts.query or parts.fragment or "@" in parts.netloc
    return None if rest or not place.host else place


def base_path() -> str:
    """Return the path the app is served at, such as ``/cells``; mostly empty."""
    base = str(config.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{base}" if base else ""


def path_of(scope: Scope) -> str:
    """Return the path of a request below the one the app is served at."""
    return str(scope["path"]).removeprefix(base_path())


class KnownHostsOnly:
    """Refuses requests to another name than the server's, and those that other pages send."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._named = [name.strip().lower().rstrip(".") for name in _allowed_hosts()]
        if self._named:  # Streamlit asks again, for its websocket: let it know the server's own
            config.set_option("server.allowedHosts", [*self._named, *_own_names()])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 403, close the websocket, or hand the request on."""
        wrong = ""
        if scope["type"] in {"http", "websocket"} and path_of(scope) != HEALTH:
            wrong = self.refusal(scope)
        if not wrong:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": REFUSED, "reason": "Host or Origin"})
        else:
            await PlainTextResponse(wrong, status_code=403)(scope, receive, send)

    def refusal(self, scope: Scope) -> str:
        """Return why a request is refused, in a sentence; empty where it is not."""
        headers = Headers(scope=scope)
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        scheme = "https" if scope["scheme"] in {"https", "wss"} else "http"
        place = place_of(hosts[0]) if len(hosts) == 1 else None
        own = place is not None and _is_own(place, scheme)
        if place is None or not (own or self._is_named(place.host)):
            return (
                f"This server does not answer under the name {', '.join(hosts)[:80]!r}. "
                "Whoever runs it can allow that: --server.allowedHosts NAME"
            )
        schemes = {scheme} if own else {scheme, "https"}  # TLS may end in front
        if all(_is_same(origin, place, schemes) for origin in origins) and len(origins) < 2:
            return ""
        return "This request comes from a page of another site."

    def _is_named(self, host: str) -> bool:
        """Tell whether the settings allow a name; without any, all are allowed."""
        if not self._named or "*" in self._named:
            return True
        wild = [name[1:] for name in self._named if name.startswith("*.")]
        return host in self._named or any(host.endswith(end) for end in wild)


def _allowed_hosts() -> list[str]:
    return list(config.get_option("server.allowedHosts") or [])


def _own_names() -> list[str]:
    address = str(config.get_option("server.address") or "")
    return [*LOOPBACK, *({address} - set(ANY_ADDRESS) - set(LOOPBACK))]


def _is_own(place: Place, scheme: str) -> bool:
    port = int(config.get_option("server.port"))
    return place.host in _own_names() and (place.port or PORTS[scheme]) == port


def _is_same(origin: str, place: Place, schemes: set[str]) -> bool:
    """Tell whether an Origin is that of the pages of this server, or allowed by the settings."""
    if origin in (config.get_option("server.corsAllowedOrigins") or []):
        return True
    scheme, _, rest = origin.partition("://")
    asking, port = place_of(rest), PORTS.get(scheme)
    if asking is None or scheme not in schemes:
        return False
    return (asking.host, asking.port or port) == (place.host, place.port or port)


class NotTooOften:
    """Refuses costly requests of a client that asks for too many."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 429 with the time to wait, or hand the request on."""
        answer: ASGIApp = self._app
        if scope["type"] == "http":
            path = path_of(scope)
            what = next((what for start, what in TURNS.items() if path.startswith(start)), None)
            client = scope.get("client") or ("unknown", 0)
            try:
                if what is not None:
                    request_limits.take(what, client[0])
            except TooOften as error:
                wait = {"Retry-After": str(error.wait_s)}
                answer = PlainTextResponse(str(error), status_code=429, headers=wait)
        await answer(scope, receive, send)
