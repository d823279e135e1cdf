"""One annotated copy for each of the files that a project was joined from."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from scanvi_core import keys
from scanvi_core.errors import ExportError, FileRefused
from scanvi_core.export.request import Column, ExportRequest, SourceFile
from scanvi_core.services.paths import stored_path
from scanvi_core.services.workspace import Workspace


def parts_of(opened: Workspace) -> list[dict[str, Any]]:
    """Return the files a project was joined from, with ``rows``; none for a file of its own."""
    listed = opened.dataset.manifest.get("origin", {}).get("parts", [])
    starts = np.cumsum([0, *(part["n_obs"] for part in listed)]).tolist()
    return [
        part | {"rows": slice(start, stop)}
        for part, start, stop in zip(listed, starts, starts[1:], strict=False)
    ]


@dataclass(frozen=True, slots=True, eq=False)
class Copy:
    """One file to write.

    Attributes
    ----------
    request
        What is written.
    rows
        The cells of the project that are in it.
    ending
        What their names in the project end with, beyond those in the file.
    """

    request: ExportRequest
    rows: slice
    ending: str = ""


def copies(opened: Workspace, whole: ExportRequest) -> list[Copy]:
    """Return what to write for each file that is to be annotated.

    Parameters
    ----------
    opened
        The project.
    whole
        What would be written for all cells. The copies go beside its target, under the names of
        their files; of a single one it is the target.

    Raises
    ------
    ExportError
        If the project was made from one file, or a file is not here any more.
    """
    listed = [part for part in parts_of(opened) if not part["reference"]]
    if not listed:
        raise ExportError("The project was made from one file.", "Export one file for all cells.")
    suffixes, target = "".join(whole.target.suffixes[-2:]), whole.target
    return [
        Copy(
            _request(
                opened,
                whole,
                part,
                target if len(listed) == 1 else target.with_name(f"{part['name']}{suffixes}"),
            ),
            part["rows"],
            f"-{part['name']}",
        )
        for part in listed
    ]


def _request(
    opened: Workspace, whole: ExportRequest, part: dict[str, Any], target: Path
) -> ExportRequest:
    """Return what to write for the cells of one file; the history speaks of the cells of all."""
    rows = part["rows"]
    return replace(
        whole,
        source=_source(opened, part),
        target=target,
        obs={name: _cut(column, rows) for name, column in whole.obs.items()},
        obsm={name: array[rows] for name, array in whole.obsm.items()},
        uns={name: value for name, value in whole.uns.items() if name != keys.UNS_LOG},
        counts=None,
    )


def _cut(column: Column, rows: slice) -> Column:
    return (column[0][rows], column[1]) if isinstance(column, tuple) else column[rows]


def _source(opened: Workspace, part: dict[str, Any]) -> SourceFile:
    about = part["source"]
    gone = ExportError(
        f"The file {part['name']} is not on this computer.", "Export one file for all cells."
    )
    if not about["path"]:  # the project came from elsewhere
        raise gone
    try:
        path = stored_path(opened.project, about["path"])
    except FileRefused as error:
        raise gone from error
    return SourceFile(path, about["size"], about["mtime_ns"], about["sha256"])
