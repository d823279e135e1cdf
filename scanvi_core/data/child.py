"""The process that touches foreign files: one JSON request on stdin, one JSON reply on stdout.

Before the reply, in the last line, come lines that say how far it is.

Started by :mod:`scanvi_core.data.intake.import_file` as ``python -m scanvi_core.data.child``; not
for users.
"""

import json
import logging
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from scanvi_core.data.blocks.progress import CHECKING, LISTENER, READING
from scanvi_core.data.guard.preflight import preflight
from scanvi_core.data.guard.watchdog import STEP_SECONDS
from scanvi_core.errors import (
    OURS,
    PROGRAM_FAULTS,
    ScanviError,
    is_disk_full,
    name_abroad,
    reason_of,
)
from scanvi_core.hints import MORE_MEMORY
from scanvi_core.runtime import log_cause

logger = logging.getLogger(__name__)
IMPORT_BYTES = 4 * 2**30  # address space that libraries reserve before any data are read


Task = Callable[[dict[str, Any]], Any]


def main(task: Task | None = None) -> None:
    """Answer the request on standard input, by a task of another part of the program if given."""
    # Whatever a library prints must not end up in the reply.
    reply_to = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    request = json.loads(sys.stdin.read())
    limit_resources(request["memory_mb"], request["timeout_s"])
    with reply_to:
        LISTENER.set(partial(_tell, reply_to))
        json.dump(answer(request, STEP_SECONDS, task), reply_to)


def _tell(reply_to: TextIO, fraction: float, words: str) -> None:
    reply_to.write(json.dumps({"fraction": round(fraction, 4), "words": words}) + "\n")
    reply_to.flush()


def answer(
    request: dict[str, Any], step_seconds: float | None = None, task: Task | None = None
) -> dict[str, Any]:
    """Run a request and return {"result": ...} or {"error": {"class", "message", "hint"}}.

    Parameters
    ----------
    request
        ``task``, ``path``, ``memory_mb`` and what the task needs besides.
    step_seconds
        As for :func:`scanvi_core.data.guard.preflight.preflight`.
    task
        What to do; None: what ``task`` in the request says.
    """
    try:
        if "path" in request:  # a foreign file
            CHECKING.tell(0)
            preflight(Path(request["path"]), request["memory_mb"] * 1e6, step_seconds)
        return {"result": (task or _run)(request)}
    except ScanviError as error:
        log_cause(error)
        return _failure(name_abroad(error), error.message, error.hint)
    except MemoryError:
        logger.warning("There is too little memory.", exc_info=True)
        return _failure(
            "FileRefused",
            f"Reading needs more than the {request['memory_mb'] / 1e3:,.1f} GB that may be used.",
            MORE_MEMORY,
        )
    except PROGRAM_FAULTS:
        logger.exception("A fault of the program.")
        return _failure("ProgramFault", f"{OURS}.", "")
    except Exception as error:  # a foreign file may fail in ways no list foresees
        logger.exception("Not foreseen.")
        return _not_foreseen(error, is_foreign="path" in request)


def _not_foreseen(error: Exception, *, is_foreign: bool) -> dict[str, Any]:
    """Return the failure for what a library raised, with the cause that is known."""
    if isinstance(error, OSError) and error.errno:  # libraries raise it without a number
        return _failure(
            "DiskFull" if is_disk_full(error) else "ProjectError",
            f"The file could not be read, or its copy could not be written: {reason_of(error)}.",
            "Check the file, the free space and the permissions of the project folder.",
        )
    if not is_foreign:
        return _failure("ProjectError", "The data of the project could not be read.", "")
    return _failure(
        "FileRefused",
        "The file could not be read.",
        "Save it again with adata.write_h5ad('name.h5ad') where it was made.",
    )


def limit_resources(memory_mb: float, timeout_s: float) -> None:
    """Bound memory and processor time and write no core dumps, where the system can (POSIX)."""
    if sys.platform == "win32":
        return
    import resource

    wanted = (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, int(timeout_s) + 1),
        (resource.RLIMIT_AS, int(memory_mb * 1e6) + IMPORT_BYTES),
    )
    for which, value in wanted:
        _, hard = resource.getrlimit(which)
        soft = value if hard == resource.RLIM_INFINITY else min(value, hard)
        try:
            resource.setrlimit(which, (soft, hard))
        except (ValueError, OSError) as error:  # macOS does not know RLIMIT_AS
            logger.warning("no limit %s: %s", which, error)


def _run(request: dict[str, Any]) -> Any:
    if request["task"] == "genes":
        from scanvi_core.data.genes.choose import choose_genes

        return choose_genes(request)
    if request["task"] == "join":
        from scanvi_core.data.joining.join import join

        return join(request)
    if request["task"] == "history":
        from scanvi_core.data.anndata_files.label_history import read_history

        return read_history(Path(request["path"]), request["memory_mb"])
    from scanvi_core.data.formats.read import read_any

    READING.tell(0)
    content = read_any(request, whole=request["task"] == "import")
    if content.pending is None:
        return content.manifest
    from scanvi_core.data.intake.store import store

    return store(Path(request["folder"]), content)


def _failure(name: str, message: str, hint: str) -> dict[str, Any]:
    return {"error": {"class": name, "message": message, "hint": hint}}


if __name__ == "__main__":
    main()
