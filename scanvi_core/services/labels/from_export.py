"""Labels from a file this program exported: it carries their whole history."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scanvi_core.errors import LabelsUnusable
from scanvi_core.project.label_log.exchange.foreign_log import checked_lines
from scanvi_core.project.label_log.exchange.transfer import translate
from scanvi_core.services.labels.from_project import Found, matched
from scanvi_core.services.paths import allowed_path
from scanvi_core.services.workspace import Workspace, source_path

LABELS_KEY = "an exported file"


@dataclass(frozen=True)
class Carried:
    """The history in an exported file, and where its cells are here."""

    lines: tuple[str, ...]
    n_obs: int
    found: Found


def find(opened: Workspace, text: str) -> Carried:
    """Find the cells of an exported file among those of a project.

    Parameters
    ----------
    text
        Its path as the user wrote it; empty for the file the project was made from.

    Raises
    ------
    FileRefused
        If it is no file below the data folder, or carries no history.
    LabelsUnusable
        If none of its cells is here.
    """
    path = allowed_path(text) if text.strip() else source_path(opened)
    own = path == source_path(opened)
    about = path.stat() if path.is_file() else None
    stamp = None if about is None else (about.st_size, about.st_mtime_ns)
    carried: Carried = opened.cache.get(
        ("exported", str(path), stamp), lambda: _read(opened, path, rows=own)
    )
    return carried


def take_over(opened: Workspace, text: str) -> Found:
    """Give a project without labels those of an exported file, with their history.

    Who did what and when is what the file claims; who brought it is written beside it.

    Raises
    ------
    FileRefused, LabelsUnusable
        See `find`.
    ProjectError
        If this project has labels already, or the history in the file is damaged.
    """
    carried = find(opened, text)
    n_obs, place = opened.dataset.n_obs, carried.found.place
    records = checked_lines(carried.lines, carried.n_obs)
    if not np.array_equal(place, np.arange(n_obs)):
        records = translate(records, place, n_obs)
    opened.store.fill(records)
    opened.project.update_settings(labels_key=LABELS_KEY, unlabeled=[])
    return carried.found


def _read(opened: Workspace, path: Path, *, rows: bool) -> Carried:
    """Read a file and match its cells by name; those of the project's own file by their row."""
    from scanvi_core.data.intake.import_file import read_history

    history = read_history(path)
    names = np.array(history["names"], dtype=object)
    n_obs = opened.dataset.n_obs
    if rows:
        found = Found(np.arange(n_obs), n_obs, 0, 0)
    else:
        found = matched(names, opened.dataset.obs_names)
    if not found.by_name:
        raise LabelsUnusable(
            f"No cell of {path.name} was found here by its name.",
            "Open that file as a data set; then choose it here under “An earlier project”, which "
            "also knows cells by their counts.",
        )
    return Carried(tuple(history["lines"]), len(names), found)
