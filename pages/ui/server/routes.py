"""What the web server does besides the pages: file downloads, warm-up and a clean stop."""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import FrameType
from typing import Any
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Route
from streamlit.runtime.pages_manager import PagesManager

from pages.ui.server import door, login
from scanvi_core.errors import ScanviError
from scanvi_core.services import closing, warmup
from scanvi_core.services.export import write
from scanvi_core.services.workspace import workspace


def routes() -> list[Route]:
    """Return the extra HTTP routes of the app."""
    path = f"{door.base_path()}{door.DOWNLOAD}{{project}}/{{name}}"
    return [Route(path, send_export, methods=["GET"])]


def download_url(project: str, name: str) -> str:
    """Return the address of an exported file."""
    return f"{door.base_path()}{door.DOWNLOAD}{quote(project)}/{quote(name)}"


async def send_export(request: Request) -> FileResponse:
    """Stream an exported file from disk to those who may see the project.

    Where nobody signs in, its unguessable id is the permission.
    """
    try:
        opened = workspace(request.path_params["project"])
        path = write.exported_file(opened, request.path_params["name"])
    except ScanviError as error:
        raise HTTPException(404, error.message) from error
    return FileResponse(path, filename=path.name, media_type="application/octet-stream")


@asynccontextmanager
async def lifespan(_app: Any) -> AsyncIterator[dict[str, Any]]:
    """Load the heavy libraries after start-up; stop all jobs and leave all projects at the end.

    After a stop that was asked for by a signal the server ends this process by the same signal:
    what Python does at its exit does not happen then.
    """
    # Streamlit takes any folder called pages for its old multipage mechanism until the first
    # session has called st.navigation: a deep link on a fresh server would say "Page not found".
    PagesManager.uses_pages_directory = False
    login.tell_core()
    threading.Thread(target=warmup.load_libraries, name="warm-up", daemon=True).start()
    _close_when_asked()
    yield {}
    await asyncio.to_thread(closing.close)


def _close_when_asked() -> None:
    """Begin to close with the signal itself: the server waits for slow downloads first."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGINT, signal.SIGTERM):
        before = signal.getsignal(number)
        if not callable(before):
            continue

        def on_signal(number: int, frame: FrameType | None, before: Any = before) -> None:
            threading.Thread(target=closing.close, name="closing", daemon=True).start()
            before(number, frame)

        signal.signal(number, on_signal)
