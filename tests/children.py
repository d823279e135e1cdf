"""Child processes that begin at once: forks of a process that has imported what they need.

The program reads and writes every file in a fresh Python, which spends seconds on imports alone.
With `forked` it is the fork of one that has them: the same code on its own standard streams, in
its own environment, with the same limits, watched and ended as before.
"""

import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from scanvi_core.data.guard import subprocess_limits
from scanvi_core.export import h5ad
from tests import ROOT

MODULES = {"scanvi_core.data.child", "scanvi_core.export.child"}
MODULES |= {"scanvi_core.services.projects.project_file_child", "scanvi_core.services.packs.child"}
LIBRARIES = (
    "anndata.io", "h5py", "pandas", "pyarrow.dataset", "pyarrow.parquet", "safetensors.numpy",
    "scipy.sparse", "skmisc.loess", "sqlalchemy.dialects.sqlite", "zarr",
)  # fmt: skip
PARTS = (
    "scanvi_core.data.formats.read", "scanvi_core.data.intake.store",
    "scanvi_core.data.genes.choose", "scanvi_core.data.guard.preflight",
    "scanvi_core.export.own_copy", "scanvi_core.export.verify",
    "scanvi_core.project.foreign.runs",
)  # fmt: skip
# What the app's server imports, at its start and with the first page.
APP = (
    "anndata.io", "pandas", "plotly.graph_objects", "plotly.io", "pyarrow", "safetensors.torch",
    "scipy.sparse", "scipy.stats", "sklearn.linear_model", "sklearn.decomposition",
    "sqlalchemy.dialects.sqlite", "streamlit.web.bootstrap", "streamlit.web.cli", "torch",
    "umap", "uvicorn", "zarr",
)  # fmt: skip
IMPORTS = {"files": (*LIBRARIES, *PARTS), "app": APP}
# What a child is given that its libraries read when they are imported.
AT_IMPORT = {"HDF5_PLUGIN_PRELOAD": "::", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@contextmanager
def forked() -> Iterator[None]:
    """Let the program's child processes be forks, where the system has any."""
    if not hasattr(os, "fork") or not hasattr(socket, "send_fds"):
        yield
        return
    server = Server("files")

    def popen(command: Any, **more: Any) -> Any:
        if "-m" in command and command[command.index("-m") + 1] in MODULES:
            return Fork(server, command, **more)
        return subprocess.Popen(command, **more)

    with _begun_by(SimpleNamespace(**vars(subprocess) | {"Popen": popen})):
        yield
    server.close()


def fresh() -> AbstractContextManager[None]:
    """Let them be what they are for users: for tests of just that."""
    return _begun_by(subprocess)


@contextmanager
def _begun_by(module: Any) -> Iterator[None]:
    before = subprocess_limits.subprocess
    subprocess_limits.subprocess = h5ad.subprocess = module
    try:
        yield
    finally:
        subprocess_limits.subprocess = h5ad.subprocess = before


class Server:
    """The process that is forked, with what children of a `kind` import (`IMPORTS`).

    It begins with the first that is asked for.
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._lock = threading.Lock()
        self._line: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self, request: dict[str, Any], ends: list[int]) -> None:
        """Begin a child with these files as its streams, and one to be told its fate on."""
        with self._lock:
            if self._line is None:
                self._line = self._start()
            socket.send_fds(self._line, [json.dumps(request).encode() + b"\n"], ends)

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno()), self._kind],
                cwd=ROOT, env=os.environ | AT_IMPORT | {"PYTHONPATH": str(ROOT)},
                pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
            )  # fmt: skip
        return ours

    def close(self) -> None:
        if self._line is not None and self._process is not None:
            self._line.close()
            self._process.wait()


class Fork:
    """What the program uses of `subprocess.Popen`, for a child of the server."""

    def __init__(self, server: Server, command: list[str], *, env: dict[str, str], **streams: Any):
        self.args, self.returncode = command, None
        at = command.index("-m") + 1
        request = {"module": command[at], "arguments": command[at + 1 :], "environment": env}
        request["folder"] = str(Path.cwd())
        fate, told = os.pipe()
        self._fate = os.fdopen(fate, "rb", buffering=0)
        self._lock = threading.Lock()
        pairs = [self._pair(streams.get(name), number)
                 for number, name in enumerate(("stdin", "stdout", "stderr"))]  # fmt: skip
        self.stdin, self.stdout, self.stderr = (ours for ours, _ in pairs)
        theirs = [*(end for _, end in pairs), told]
        server.begin(request, theirs)
        for end in theirs:
            os.close(end)
        self.pid = int(self._line() or pytest.fail("the process that is forked has ended"))

    @staticmethod
    def _pair(given: Any, number: int) -> tuple[Any, int]:
        """Return our end of a stream, if any, and that of the child."""
        if given == subprocess.PIPE:
            reading, writing = os.pipe()
            if number == 0:
                return os.fdopen(writing, "wb"), reading
            return os.fdopen(reading, "rb"), writing
        if given == subprocess.DEVNULL:
            return None, os.open(os.devnull, os.O_RDWR)
        return None, os.dup(number if given is None else given.fileno())

    def _line(self) -> bytes:
        line = b""
        while not line.endswith(b"\n") and (more := self._fate.read(1)):
            line += more
        return line

    def poll(self, seconds: float | None = 0.0) -> int | None:
        with self._lock:
            if self.returncode is None and select.select([self._fate], [], [], seconds)[0]:
                self.returncode = int(self._line() or -9)
                self._fate.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        end = None if timeout is None else time.monotonic() + timeout
        while self.poll(0.02) is None:
            if end is not None and time.monotonic() > end:
                raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        return int(self.returncode or 0)

    def terminate(self) -> None:
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def _send(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def __enter__(self) -> "Fork":
        return self

    def __exit__(self, *_: object) -> None:
        for stream in filter(None, (self.stdin, self.stdout, self.stderr)):
            stream.close()
        self.wait()


# In the server --------------------------------------------------------------------------------


def _serve(line: socket.socket, kind: str) -> None:
    for name in IMPORTS[kind]:
        import_module(name)
    gc.freeze()
    while True:
        data, ends, _, _ = socket.recv_fds(line, 2**20, 4)
        if not data:
            return
        while not data.endswith(b"\n"):
            data += line.recv(2**20)
        _reap()
        if not os.fork():
            line.close()
            _look_after(json.loads(data), ends)
        for end in ends:
            os.close(end)


def _reap() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _look_after(request: dict[str, Any], ends: list[int]) -> None:
    """Begin a child, tell its number, wait for its end and tell its status."""
    *streams, told = ends
    pid = os.fork()
    if not pid:
        os.close(told)
        _become(request, streams)
    for end in streams:
        os.close(end)
    with suppress(BrokenPipeError):
        os.write(told, f"{pid}\n".encode())
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with suppress(BrokenPipeError):
        os.write(told, f"{status}\n".encode())
    os._exit(0)


def _become(request: dict[str, Any], streams: list[int]) -> None:
    """Be ``python -m module arguments`` on these streams."""
    for number, end in enumerate(streams):
        os.dup2(end, number)
        os.close(end)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    module = request["module"]
    sys.argv = [module, *request["arguments"]]
    if not hasattr(sys.modules.get(module), "__path__"):  # of a package, its __main__ is run
        sys.modules.pop(module, None)
    _leave(lambda: runpy.run_module(module, run_name="__main__", alter_sys=True))


def _leave(run: Callable[[], Any]) -> None:
    code: Any = 0
    try:
        run()
    except SystemExit as error:
        code = error.code
    except BaseException:  # noqa: BLE001  as Python itself does
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2])
