"""A small project file, ways to change it, and what becomes of it."""

import io
import json
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scanvi_core import runtime
from scanvi_core.data.child import answer
from scanvi_core.data.guard.child_process import ERRORS
from scanvi_core.data.guard.watchdog import STEP_SECONDS
from scanvi_core.errors import (
    ChildCrashed,
    FileRefused,
    ScanviError,
)
from scanvi_core.project.folder import projects_home
from scanvi_core.services.projects import library, project_file, project_file_child

HUGE = 2**31 - 1
CELLS, GENES = 160, 90
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
Change = bytes | None | Callable[[bytes], bytes]


def pack_with(base: bytes, changes: Mapping[str, Change], **more: bytes) -> io.BytesIO:
    """Return a project file with some members changed; None takes one out, a new name adds one."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(base)) as old, zipfile.ZipFile(stream, "w") as new:
        for name in old.namelist():
            change = changes.get(name, old.read(name))
            content = change(old.read(name)) if callable(change) else change
            if content is not None:
                new.writestr(name, content)
        for name in changes.keys() - set(old.namelist()):
            new.writestr(name, changes[name])
    return stream


def read(base: bytes, name: str) -> bytes:
    """Return a member of a project file."""
    with zipfile.ZipFile(io.BytesIO(base)) as pack:
        return pack.read(name)


def told(change: Callable[[Any], Any]) -> Callable[[bytes], bytes]:
    """Return the change of a JSON file: of its value in place, or to what is returned."""

    def apply(content: bytes) -> bytes:
        value = json.loads(content)
        made = change(value)
        return json.dumps(value if made is None else made).encode()

    return apply


def put(**values: Any) -> Callable[[bytes], bytes]:
    """Return the change that puts values into a JSON file."""
    return told(lambda value: value.update(values))


def array(change: Callable[[np.ndarray], Any]) -> Callable[[bytes], bytes]:
    """Return the change of a .npy file: of its values in place, or to what is returned."""

    def apply(content: bytes) -> bytes:
        values = np.load(io.BytesIO(content)).copy()
        made = change(values)
        return npy(values if made is None else made)

    return apply


def npy(values: Any) -> bytes:
    """Return an array as a .npy file."""
    stream = io.BytesIO()
    np.save(stream, values)
    return stream.getvalue()


def left() -> list[str]:
    """Return what lies among the projects, whether it is one or not."""
    return sorted(path.name for path in projects_home().glob("*"))


def refusal(stream: io.BytesIO) -> ScanviError:
    """Return why a project file is refused; fails if it is not, or if anything is left behind."""
    before = left()
    try:
        made = library.take_in(stream)
    except ScanviError as error:
        assert left() == before
        return said_well(error)
    raise AssertionError(f"{made} was opened")


def said_well(error: ScanviError) -> ScanviError:
    """Return an error; fails if it is no sentence with a hint about the file."""
    assert error.message and error.hint and "Error" not in error.message, error
    known = (" reads ", "The labels belong to")  # a newer version, another data set
    assert isinstance(error, FileRefused) or any(text in error.message for text in known), error
    return error


def look_in_a_fork(
    request: dict[str, Any],
    talk: Any = None,
    module: str = "",
    task: Callable[[dict[str, Any]], Any] = project_file_child.take_in,
) -> Any:
    """Do what the child process does in a fork of this one, which costs no second each."""
    assert task is not project_file_child.take_in or module == project_file.CHILD
    ends = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(ends[0])
        reply = answer(request, STEP_SECONDS, task)
        reply["peak_mb"] = runtime.peak_rss_mb()
        os.write(ends[1], json.dumps(reply).encode())
        os._exit(0)
    os.close(ends[1])
    with os.fdopen(ends[0], "rb") as pipe:
        said = pipe.read()
    _, status = os.waitpid(pid, 0)
    PEAKS.append(json.loads(said)["peak_mb"] if said else 0.0)
    if status:
        raise ChildCrashed(f"The process died: {status}.")
    reply = json.loads(said)
    if "error" in reply:
        failure = reply["error"]
        raise ERRORS.get(failure["class"], FileRefused)(failure["message"], failure["hint"])
    return reply["result"]


PEAKS: list[float] = []


def small_example(path: Path) -> Path:
    """Write a few cells and genes of the example."""
    import anndata

    from scanvi_core.data.example import write_example

    data = anndata.read_h5ad(write_example(path.with_name("whole.h5ad")))
    genes = np.argsort(-np.asarray(data.X.sum(axis=0)).ravel())[:GENES]
    data[:CELLS, np.sort(genes)].copy().write_h5ad(path)
    return path
