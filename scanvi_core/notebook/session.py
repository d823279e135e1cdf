"""`launch`: the app on an AnnData in memory, beside a notebook."""

import atexit
import html
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pandas as pd

from scanvi_core import runtime
from scanvi_core.errors import FileRefused, InputError, ScanviError
from scanvi_core.notebook.columns import check_same, take_over, write_copy
from scanvi_core.services.serving import app_command, told_to_open

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anndata import AnnData

    from scanvi_core.services.workspace import Workspace

LOCAL = "127.0.0.1"
START_S, ASKED_S, END_S = 60.0, 0.1, 10.0
FRAME_HEIGHT = 900
SOURCE = "cells.h5ad"
NOT_OPEN = "Open the app at its address; it reads the data when it is first looked at."


class Session:
    """The app that runs on one object, and what was named in it so far; made by `launch`.

    Attributes
    ----------
    url
        The address of the app.
    folder
        Where the copy of the object and the project are.
    """

    def __init__(
        self, url: str, folder: Path, server: "subprocess.Popen[bytes]", kept: bool
    ) -> None:
        self.url, self.folder = url, folder
        self._server, self._kept = server, kept

    def labels(self) -> pd.Series:
        """Return the name of each cell as the app would export it now, missing where it has none.

        Raises
        ------
        InputError
            If nobody has opened the app yet, or it still reads the data.
        """
        from scanvi_core.services.export.columns import ExportChoice, final_labels

        with self._opened() as opened:
            names, _ = final_labels(opened, ExportChoice())
            index = pd.Index(opened.dataset.obs_names)
        return pd.Series(pd.array([name or None for name in names], "string"), index, name="label")

    def annotate(self, adata: "AnnData") -> None:
        """Write the columns of the export into the object, as they are now.

        Raises
        ------
        InputError
            If the object holds other cells, or the app has not read them yet.
        """
        from scanvi_core.services.export.write import ExportChoice, write

        target = self.folder / "annotated.h5ad"
        with self._opened() as opened:
            write(opened, ExportChoice(), target)
        take_over(adata, target)

    def close(self) -> None:
        """Stop the app; its folder is deleted unless it was named when it was launched."""
        atexit.unregister(self.close)
        self._server.terminate()
        try:
            self._server.wait(END_S)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()
        if not self._kept:
            shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def _opened(self) -> "Iterator[Workspace]":
        from scanvi_core.services.paths import was_imported
        from scanvi_core.services.workspace import Workspace, recent_projects

        with runtime.home_at(self.folder / "home"):
            was_imported(self.folder / SOURCE)
            every = map(Workspace.open, recent_projects())
            opened = next((one for one in every if self._is_ours(one)), None)
            if opened is None:
                raise InputError("The app has not read the data yet.", NOT_OPEN)
            yield opened

    def _is_ours(self, opened: "Workspace") -> bool:
        from scanvi_core.services.workspace import source_path

        try:
            return source_path(opened) == self.folder / SOURCE
        except FileRefused:  # of another project, from elsewhere
            return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"The app is at {self.url}"

    def _repr_html_(self) -> str:
        url = html.escape(self.url)
        return (
            f'<p><a href="{url}" target="_blank">{url}</a></p>'
            f'<iframe src="{url}" width="100%" height="{FRAME_HEIGHT}" frameborder="0"></iframe>'
        )


def launch(adata: "AnnData", *, folder: str | Path | None = None, port: int = 0) -> Session:
    """Open the app on an object in memory; return at once, with its address.

    The object is written to a folder first, and stays as it is until `Session.annotate`.

    Parameters
    ----------
    adata
        Cells with counts.
    folder
        Where to keep the copy, the labels and the models, to go on with later; None: a temporary
        folder, which `Session.close` and the end of Python delete.
    port
        Of the app; 0: any that is free.

    Raises
    ------
    InputError
        If the object cannot be written, the folder holds another one, or the port is in use.
    ScanviError
        If the app does not start.

    Examples
    --------
    >>> session = launch(adata)  # doctest: +SKIP
    >>> session.labels().value_counts()  # doctest: +SKIP
    >>> session.annotate(adata)  # doctest: +SKIP
    >>> session.close()  # doctest: +SKIP
    """
    place = Path(folder or tempfile.mkdtemp(prefix="scanvi-")).resolve()
    place.mkdir(parents=True, exist_ok=True)
    source = place / SOURCE
    if source.exists():
        check_same(adata, source)
    else:
        with runtime.replacing(source) as partial:
            write_copy(adata, partial)
    port = _free_port(port)
    command = app_command(
        [f"--server.port={port}", "--server.headless=true", f"--server.address={LOCAL}"]
    )
    told = {runtime.HOME_VARIABLE: str(place / "home"), runtime.DATA_ROOT_VARIABLE: str(place)}
    with (place / "server.log").open("ab") as log:
        server = subprocess.Popen(  # noqa: S603 - our own command
            command, cwd=runtime.APP, env=_environment(source, told), stdout=log, stderr=log
        )
    session = Session(f"http://{LOCAL}:{port}", place, server, kept=folder is not None)
    atexit.register(session.close)
    _wait_for(session.url, server, place / "server.log")
    return session


def _environment(source: Path, told: dict[str, str]) -> dict[str, str]:
    """Return the variables of the server, which opens the cells unless they are a project."""
    before = Path(told[runtime.HOME_VARIABLE]) / "projects"
    known = before.is_dir() and any(before.iterdir())
    return os.environ | ({} if known else told_to_open([str(source)])) | told


def _free_port(wanted: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOCAL, wanted))
        except OSError as error:
            raise InputError(f"The port {wanted} is in use.", "Choose another, or 0.") from error
        return int(probe.getsockname()[1])


def _wait_for(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=1):  # noqa: S310 - ours
                return
        except (urllib.error.URLError, OSError):
            time.sleep(ASKED_S)
    server.terminate()
    raise ScanviError(f"The app did not start at {url}.", f"What it said is in {log}.")
