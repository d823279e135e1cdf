"""The files a project was joined from, and which of its cells came from each."""

from dataclasses import dataclass
from typing import Any

import numpy as np

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
    source
        Where it lies and what it was like: `scanvi_core.data.manifest.SourceFile`.
    """

    name: str
    reference: bool
    rows: slice
    source: dict[str, Any]


def joined_files(opened: Workspace) -> list[JoinedFile]:
    """Return the files a project was joined from, in order; none where it was made from one."""
    listed = opened.dataset.manifest.get("origin", {}).get("parts", [])
    ends = np.cumsum([part["n_obs"] for part in listed], dtype=int).tolist()
    return [
        JoinedFile(
            part["name"], part["reference"], slice(end - part["n_obs"], end), part["source"]
        )
        for part, end in zip(listed, ends, strict=True)
    ]


def of_references(opened: Workspace) -> np.ndarray:
    """Return which cells came from references, bool [n_obs]."""
    cells = np.zeros(opened.dataset.n_obs, dtype=bool)
    for file in joined_files(opened):
        cells[file.rows] = file.reference
    return cells
