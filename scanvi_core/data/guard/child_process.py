"""Asking the guarded child process, and what its answer means."""

import json
import logging
import os
import sys
from collections.abc import Callable
from typing import Any

from scanvi_core import errors, runtime
from scanvi_core.data.guard.subprocess_limits import Ended, Talk, run_watched
from scanvi_core.errors import ChildCrashed, FileRefused, ImportStopped, ScanviError

CHILD = "scanvi_core.data.child"  # the module of the child process
MEMORY_SHARE = 0.9  # of what is free
logger = logging.getLogger(__name__)


ERRORS = {  # what a child may answer: those made of a message and a hint
    kind.__name__: kind
    for kind in vars(errors).values()
    if isinstance(kind, type)
    and issubclass(kind, ScanviError)
    and kind.__init__ in (ScanviError.__init__, errors.ChoiceNeeded.__init__)
}


def run_child(request: dict[str, Any], talk: Talk | None = None, module: str = CHILD) -> Any:
    """Send a request to a fresh child process and return its result.

    Parameters
    ----------
    request
        What to do; see :mod:`scanvi_core.data.child`.
    talk
        What to do with the lines that say how far it is, and whether to stop it.
    module
        Whose ``main`` answers.

    Raises
    ------
    ScanviError
        As reported by the child.
    ChildCrashed
        If it died or ran out of time.
    """
    environment = {
        **os.environ,
        "PYTHONPATH": str(runtime.CODE),
        "HDF5_PLUGIN_PRELOAD": "::",  # no foreign code for compressed data
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    done = run_watched(
        [sys.executable, "-P", "-m", module],
        json.dumps(request).encode(),
        environment,
        request["timeout_s"],
        request["memory_mb"],
        talk,
    )
    log = done.log.decode("utf-8", "replace").strip()
    reply = _reply(done, log)
    if "error" in reply:
        failure = reply["error"]
        reported = ERRORS.get(failure["class"], FileRefused)(failure["message"], failure["hint"])
        if log:
            reported.add_note(log)
        raise reported
    if log:
        logger.warning("The reader wrote:\n%s", log)
    return reply["result"]


def _reply(done: Ended, log: str) -> dict[str, Any]:
    """Return what a child process answered before it ended; raise where it did not."""
    if done.stopped:
        raise ImportStopped("Opening was stopped. Nothing was kept.", "Open the file again.")
    if done.timed_out:
        raise ChildCrashed(
            f"Reading was stopped: {done.reason}.",
            "The file may be damaged, or its disk very slow. If it is sound, try again.",
        )
    try:
        reply: dict[str, Any] = json.loads(done.output.rpartition(b"\n")[2])
    except ValueError as error:
        error.add_note(log)
        raise ChildCrashed(
            f"The reader stopped on this file: {done.reason}.",
            "Open it again; if that stays, save it anew with adata.write_h5ad('name.h5ad').",
        ) from error
    return reply


def pass_on(report: Callable[[float, str], None], line: bytes) -> None:
    """Pass on a line that says how far it is; the last one, without an end, is the reply."""
    if line.endswith(b"\n"):
        progress = json.loads(line)
        report(float(progress["fraction"]), str(progress["words"]))


def free_memory_mb() -> float:
    """Return the memory that reading may take by default, in MB."""
    import psutil

    return float(psutil.virtual_memory().available) / 1e6 * MEMORY_SHARE
