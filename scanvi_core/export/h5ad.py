"""Write the annotated .h5ad: a copy of the user's file with our keys added, whole or not."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scanvi_core import ending, errors, runtime
from scanvi_core.errors import DiskFull, ExportError, ExportStopped, ScanviError
from scanvi_core.export.replaceable import check_replaceable
from scanvi_core.export.request import ExportRequest, check_names
from scanvi_core.export.serialization import save_request
from scanvi_core.hints import LABELS_AS_CSV
from scanvi_core.plurals import sizes
from scanvi_core.runtime import Report, replacing

POLL_S = 0.1
# Room beyond the copy and twice our arrays (once as .npy, once in the file): HDF5 bookkeeping.
SLACK_BYTES = 5_000_000
COPIED = 0.5  # share of the progress bar when the source is copied


@dataclass(frozen=True, slots=True)
class Exported:
    """A file that was written and verified.

    Attributes
    ----------
    path
        Where it is.
    written
        The names given, by slot.
    notes
        What of the user's had to be renamed or written anew, one sentence each.
    """

    path: Path
    written: dict[str, list[str]]
    notes: list[str]


def export_annotated(
    request: ExportRequest,
    should_stop: Callable[[], bool] = lambda: False,
    report: Report = lambda *_: None,
) -> Exported:
    """Copy the source byte for byte, add the request's keys, verify, and put it in place.

    X, raw, layers and every column of the user stay as they are, bit by bit. The work happens in
    a child process beside the target; the target appears only when it is whole and verified.

    Parameters
    ----------
    request
        What to write, and where.
    should_stop
        Asked ten times a second; when true the child is ended and nothing is left.
    report
        Told how far it is, from 0 to 1, and in words.

    Raises
    ------
    ExportStopped
        If it was stopped.
    ExportError
        If the target is the source, the disk has no room, the source has changed or cannot be
        read, or the child died.
    """
    check_names(request)
    check_paths(request)
    check_room(request)
    parent = request.target.parent
    with (
        tempfile.TemporaryDirectory(prefix=".export-", dir=parent) as folder,
        ending.unfinished(Path(folder)),
        replacing(request.target) as temporary,
    ):
        save_request(request, Path(folder))
        progress = WriterProgress(request, Path(folder), temporary, report)
        run_writer(Path(folder), temporary, should_stop, progress)
        answer = read_answer(Path(folder))
    return Exported(request.target, answer["written"], answer["notes"])


def check_paths(request: ExportRequest) -> None:
    """Refuse a missing source, a target that is the source, and a target that is no file."""
    source, target = request.source.path, request.target
    if request.own_copy is None and source.is_dir():
        raise ExportError(
            f"The loaded data are the folder {source.name}, and only a file can be copied.",
            LABELS_AS_CSV,
        )
    if request.own_copy is None and not source.is_file():
        raise ExportError(
            f"The loaded file {source} is no longer there.",
            "Put it back, or export the labels as CSV.",
        )
    if not target.parent.is_dir():
        raise ExportError(f"The folder {target.parent} does not exist.", "Choose another folder.")
    same = target.exists() and source.exists() and target.samefile(source)
    if same or target.resolve() == source.resolve():
        raise ExportError(
            f"{target} is your own file, which is never written to.", "Choose another name."
        )
    check_replaceable(target)


def check_room(request: ExportRequest) -> None:
    """Refuse when the disk of the target has no room for the copy and what is added."""
    needed = request.base_nbytes() + 2 * request.nbytes() + SLACK_BYTES
    free = shutil.disk_usage(request.target.parent).free
    if free < needed:
        asked, there = sizes(needed, free)
        raise DiskFull(
            f"Not enough room on the disk: {asked} needed, "
            f"{there} free in {request.target.parent}.",
            "Make room or choose another folder; the labels as CSV need very little.",
        )


class WriterProgress:
    """Tells how far the writing process is: by the size of the copy, then by its own word."""

    def __init__(
        self, request: ExportRequest, folder: Path, temporary: Path, report: Report
    ) -> None:
        self.size = max(1, request.base_nbytes())
        self.file, self.copy, self.report = folder / "progress.txt", temporary, report
        self.words = "Copying your file" if request.own_copy is None else "Writing the counts"

    def pass_on(self) -> None:
        """Report how far it is now."""
        try:
            part, _, words = self.file.read_text(encoding="utf-8").partition(" ")
            self.report(float(part), words.strip())
        except (OSError, ValueError):  # not there yet, or half written
            size = self.copy.stat().st_size if self.copy.exists() else 0
            self.report(COPIED * min(1.0, size / self.size), self.words)


def run_writer(
    folder: Path, temporary: Path, should_stop: Callable[[], bool], progress: WriterProgress
) -> None:
    """Run the writing process to its end, or end it when asked to stop.

    Raises
    ------
    ExportStopped
        If it was asked to stop.
    ExportError
        If it ended without an answer.
    """
    root = str(runtime.CODE)
    paths = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    # "::" turns off HDF5's loading of filter plug-ins, which are code.
    environment = os.environ | {"PYTHONPATH": paths, "HDF5_PLUGIN_PRELOAD": "::"}
    command = [sys.executable, "-m", "scanvi_core.export.child", str(folder), str(temporary)]
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 our own module, no shell
            command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        try:
            _wait(process, should_stop, progress)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if not (folder / "answer.json").exists():
        raise _with_log(
            ExportError(
                f"The process that writes the file died (exit {process.returncode}); "
                "nothing was written.",
                "The usual causes are a full disk and too little memory.",
            ),
            folder,
        )


def _wait(
    process: "subprocess.Popen[bytes]", should_stop: Callable[[], bool], progress: WriterProgress
) -> None:
    while process.poll() is None:
        if should_stop():
            raise ExportStopped("The export was stopped; nothing was written.")
        progress.pass_on()
        with suppress(subprocess.TimeoutExpired):
            process.wait(POLL_S)


def read_answer(folder: Path) -> dict[str, Any]:
    """Return the names the child wrote and its notes, or raise the error it met."""
    try:
        answer = json.loads((folder / "answer.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise ExportError(
            "The process that writes the file gave no whole answer; nothing was written.",
            "The usual cause is a full disk.",
        ) from error
    if "error" in answer:
        kind, message, hint = answer["error"]
        raise _with_log(getattr(errors, kind, ExportError)(message, hint), folder)
    return dict(answer)


def _with_log(error: ScanviError, folder: Path) -> ScanviError:
    """Return an error with what the writing process logged, for our own log."""
    log = (folder / "log.txt").read_text(encoding="utf-8", errors="replace").strip()
    if log:
        error.add_note(log)
    return error
