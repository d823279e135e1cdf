"""The files a project was joined from, and which of its cells came from each."""

from dataclasses import dataclass

import numpy as np

from scanvi_core.data.manifest import SourceFile, joined_parts
from scanvi_core.services.workspace import Workspace


@dataclass(frozen=True, slots=True)
class JoinedFile:
    """One of the files.

    Attributes
    ----------
    name
        What its cells are marked with.
    reference
        Whether it only teaches: it is not exported.
    rows
        Its cells in the project.
    ending
        What the names of its cells end with here, beyond those in the file.
    source
        Where it lies and what it was like: `scanvi_core.data.manifest.SourceFile`.
    """

    name: str
    reference: bool
    rows: slice
    ending: str
    source: SourceFile


def joined_files(opened: Workspace) -> list[JoinedFile]:
    """Return the files a project was joined from, in order; none where it was made from one."""
    files, start = list[JoinedFile](), 0
    for part in joined_parts(opened.dataset.manifest):
        rows = slice(start, start + part["n_obs"])
        name, ending = part["name"], part["ending"]
        files.append(JoinedFile(name, part["reference"], rows, ending, part["source"]))
        start = rows.stop
    return files


def of_references(opened: Workspace) -> np.ndarray:
    """Return which cells came from references, bool [n_obs]."""
    cells = np.zeros(opened.dataset.n_obs, dtype=bool)
    for file in joined_files(opened):
        cells[file.rows] = file.reference
    return cells
