"""The process that writes an annotated .h5ad: ``python -m scanvi_core.export.child FOLDER OUT``.

A full disk or a broken file can kill HDF5, and with it the process; so this is not the app's.
FOLDER holds the request; the answer is written there as ``answer.json``.
"""

import json
import logging
import shutil
import sys
from pathlib import Path

import h5py

from scanvi_core.errors import ExportError, ScanviError, is_disk_full, name_abroad, reason_of
from scanvi_core.export.own_copy import write_own_copy
from scanvi_core.export.patch import Written, patch
from scanvi_core.export.request import ExportRequest, check_unchanged
from scanvi_core.export.serialization import load_request
from scanvi_core.export.verify import verify
from scanvi_core.hints import LABELS_AS_CSV
from scanvi_core.runtime import Report, log_cause

CHECK = "Check that the disk has room and that the source opens in scanpy."
ADDING, CHECKING = 0.5, 0.55  # shares of the progress bar; copying comes first

logger = logging.getLogger(__name__)


def annotate(
    request: ExportRequest, path: Path, report: Report = lambda *_: None
) -> tuple[Written, list[str]]:
    """Write the file to `path` and verify it; return the names written and what was renamed."""
    if request.own_copy is None:
        copy_source(request, path)
        notes = []
    else:
        notes = write_own_copy(path, request.own_copy, list(request.obs))
    report(ADDING, "Adding the labels")
    written, more = patch(path, request)
    report(CHECKING, "Checking the file")
    verify(path, request, written, lambda part: report(CHECKING + (1 - CHECKING) * part, ""))
    return written, notes + more


def copy_source(request: ExportRequest, path: Path) -> None:
    """Copy the user's file byte for byte, where it still is the one that was loaded."""
    check_unchanged(request.source)
    if not h5py.is_hdf5(request.source.path):
        raise ExportError(
            f"{request.source.path.name} is not an .h5ad file, so nothing can be added to a copy.",
            LABELS_AS_CSV,
        )
    shutil.copyfile(request.source.path, path)


def main(folder: Path, path: Path) -> int:
    """Write the file and the answer; an error crosses as its class, message and hint."""
    answer: dict[str, object]

    def report(part: float, words: str) -> None:
        fresh = folder / "progress.new"
        fresh.write_text(f"{part:.3f} {words}\n", encoding="utf-8")
        fresh.replace(folder / "progress.txt")  # never half a number

    try:
        written, notes = annotate(load_request(folder), path, report)
        answer = {"written": written, "notes": notes}
    except ScanviError as error:
        log_cause(error)
        answer = {"error": [name_abroad(error), error.message, error.hint]}
    except Exception as error:  # the border of the process: HDF5 and anndata raise many kinds
        logger.exception("The file could not be written.")
        why = f": {reason_of(error)}" if isinstance(error, OSError) and error.errno else ""
        kind = "DiskFull" if is_disk_full(error) else "ExportError"
        answer = {"error": [kind, f"The file could not be written{why}.", CHECK]}
    (folder / "answer.json").write_text(json.dumps(answer), encoding="utf-8")
    return 0 if "written" in answer else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
