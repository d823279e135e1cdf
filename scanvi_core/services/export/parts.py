"""One annotated copy for each of the files that a project was joined from."""

from dataclasses import dataclass, replace
from pathlib import Path

from scanvi_core import keys
from scanvi_core.errors import ExportError, FileRefused
from scanvi_core.export.h5ad import check_paths
from scanvi_core.export.request import Column, ExportRequest, SourceFile, check_unchanged
from scanvi_core.services.paths import stored_path
from scanvi_core.services.projects.joining.joined_files import JoinedFile, joined_files
from scanvi_core.services.workspace import Workspace


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
        If the project was made from one file, a file is not here any more or has changed, or a
        copy would take the place of one of the files.
    """
    listed = [file for file in joined_files(opened) if not file.reference]
    if not listed:
        raise ExportError("The project was made from one file.", "Export one file for all cells.")
    suffixes, target = "".join(whole.target.suffixes[-2:]), whole.target
    made = [
        Copy(
            _request(
                opened,
                whole,
                file,
                target if len(listed) == 1 else target.with_name(f"{file.name}{suffixes}"),
            ),
            file.rows,
            file.ending,
        )
        for file in listed
    ]
    for copy in made:  # before the first of them is written
        check_paths(copy.request)
        check_unchanged(copy.request.source)
    return made


def _request(
    opened: Workspace, whole: ExportRequest, file: JoinedFile, target: Path
) -> ExportRequest:
    """Return what to write for the cells of one file; the history speaks of the cells of all."""
    rows = file.rows
    return replace(
        whole,
        source=_source(opened, file),
        target=target,
        obs={name: _cut(column, rows) for name, column in whole.obs.items()},
        obsm={name: array[rows] for name, array in whole.obsm.items()},
        uns={name: value for name, value in whole.uns.items() if name != keys.UNS_LOG},
        counts=None,
    )


def _cut(column: Column, rows: slice) -> Column:
    return (column[0][rows], column[1]) if isinstance(column, tuple) else column[rows]


def _source(opened: Workspace, file: JoinedFile) -> SourceFile:
    about = file.source
    gone = ExportError(
        f"The file {file.name} is not on this computer.", "Export one file for all cells."
    )
    if not about["path"]:  # the project came from elsewhere
        raise gone
    try:
        path = stored_path(opened.project, about["path"])
    except FileRefused as error:
        raise gone from error
    return SourceFile(path, about["size"], about["mtime_ns"], about["sha256"])
