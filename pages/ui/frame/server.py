"""What the web server does besides the pages: file downloads, warm-up and a clean stop."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Route
from streamlit.runtime.pages_manager import PagesManager

from scanvi_core.errors import ScanviError
from scanvi_core.services import jobs, warmup
from scanvi_core.services.export import write
from scanvi_core.services.workspace import workspace

DOWNLOAD_PATH = "/download"


def routes() -> list[Route]:
    """Return the extra HTTP routes of the app."""
    return [Route(f"{DOWNLOAD_PATH}/{{project}}/{{name}}", send_export, methods=["GET"])]


def download_url(project: str, name: str) -> str:
    """Return the address of an exported file."""
    return f"{DOWNLOAD_PATH}/{quote(project)}/{quote(name)}"


async def send_export(request: Request) -> FileResponse:
    """Stream an exported file from disk.

    The unguessable project id is the permission; where people sign in, `SignedInOnly` asks first.
    """
    try:
        opened = workspace(request.path_params["project"])
        path = write.exported_file(opened, request.path_params["name"])
    except ScanviError as error:
        raise HTTPException(404, error.message) from error
    return FileResponse(path, filename=path.name, media_type="application/octet-stream")


@asynccontextmanager
async def lifespan(_app: Any) -> AsyncIterator[dict[str, Any]]:
    """Load the heavy libraries after start-up and stop running jobs before the end."""
    # Streamlit takes any folder called pages for its old multipage mechanism until the first
    # session has called st.navigation: a deep link on a fresh server would say "Page not found".
    PagesManager.uses_pages_directory = False
    threading.Thread(target=warmup.load_libraries, name="warm-up", daemon=True).start()
    yield {}
    await asyncio.to_thread(jobs.shutdown, 10)
