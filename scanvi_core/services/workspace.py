"""Projects: opening data sets, and what every page says about the one that is open."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from scanvi_core.config import CACHE_BYTES, CACHE_CELL_BYTES
from scanvi_core.data.dataset import Dataset
from scanvi_core.data.manifest import check_complete
from scanvi_core.errors import ProjectError
from scanvi_core.project import access
from scanvi_core.project.folder import Project, list_projects, open_project
from scanvi_core.project.label_log.replay.state import LabelState
from scanvi_core.project.label_log.store import LabelStore
from scanvi_core.project.runs import Run
from scanvi_core.services.cache import Cache
from scanvi_core.services.paths import stored_path

IO_LANE = "files"
OPEN_PROJECTS = 16  # at once in memory
SELECTIONS = 64  # per project, one byte per cell each
ONE_BATCH, NO_BATCH = "all cells", "missing"


@dataclass(frozen=True, eq=False)
class Batches:
    """How the cells are divided: the column, batch codes [n_obs] and the names of the batches."""

    key: str | None
    index: np.ndarray
    names: tuple[str, ...]


@dataclass(frozen=True)
class Workspace:
    """One opened data set with its labels, and what is remembered as long as it is open.

    Attributes
    ----------
    cache
        Answers that can be worked out again.
    selections
        Cells that people picked in their tabs; those of tabs long left go first.
    """

    project: Project
    dataset: Dataset
    store: LabelStore
    cache: Cache = field(compare=False, repr=False)
    selections: Cache = field(compare=False, repr=False)

    @classmethod
    def open(cls, project: Project) -> Self:
        """Open the data set and the labels of a project.

        Raises
        ------
        ProjectError
            If the data set was never imported, or is damaged.
        """
        dataset = Dataset.open(project.dataset)
        check_complete(dataset.folder, dataset.manifest)
        n = dataset.n_obs
        return cls(
            project,
            dataset,
            LabelStore.open(project.root, n),
            Cache(max(CACHE_BYTES, CACHE_CELL_BYTES * n)),
            Cache(SELECTIONS * n),
        )

    @property
    def id(self) -> str:
        """The id of the project."""
        return self.project.id

    def labels(self) -> LabelState:
        """Return the labels as they are now."""
        return self.store.labels()

    def current_run(self) -> Run | None:
        """Return the run whose predictions the pages show, if a model was trained."""
        run_id = self.project.settings.get("current_run")
        return Run.open(self.project, run_id) if run_id else None

    def categories(self, key: str) -> tuple[np.ndarray, tuple[str, ...]]:
        """Return a column of obs as codes, int32 [n_obs], -1 where missing, and sorted names.

        Raises
        ------
        ColumnMissing
            If there is no such column.
        """

        def read() -> tuple[np.ndarray, tuple[str, ...]]:
            codes, names = pd.factorize(self.dataset.values(key).astype("string"), sort=True)
            return codes.astype(np.int32), tuple(map(str, names))

        return self.cache.get(("categories", key), read)

    @property
    def batch_key(self) -> str | None:
        """The obs column that tells batches apart; None: no batches."""
        return self.project.settings.get("batch_key")

    def batches(self, key: str | None) -> Batches:
        """Return how a column divides the cells; without one, all are one batch.

        Cells without a value are a batch of their own.

        Raises
        ------
        ColumnMissing
            If there is no such column.
        """

        def read() -> Batches:
            if not key:
                return Batches(key, np.zeros(self.dataset.n_obs, dtype=np.int64), (ONE_BATCH,))
            values = self.dataset.values(key).astype("string").fillna(NO_BATCH)
            codes, names = pd.factorize(values, sort=True)
            return Batches(key, codes.astype(np.int64), tuple(map(str, names)))

        return self.cache.get(("batches", key), read)


_open: OrderedDict[str, Workspace] = OrderedDict()
_lock = threading.Lock()


def workspace(project_id: str) -> Workspace:
    """Return the opened project; kept open, since its arrays are memory-mapped.

    Raises
    ------
    ProjectError
        If there is no such project or its data set was never imported.
    """
    known = _open.get(project_id)
    if known is not None and not access.is_open(known.project.root):
        open_project(project_id)  # refuses: what is open for one is not for all
    with _lock:
        if project_id not in _open:
            _open[project_id] = Workspace.open(open_project(project_id))
        _open.move_to_end(project_id)
        while len(_open) > OPEN_PROJECTS:  # those who still work with it keep it
            _open.popitem(last=False)
        return _open[project_id]


def exists(project_id: str) -> bool:
    """Tell whether there is a project of this id."""
    try:
        open_project(project_id)
    except ProjectError:
        return False
    return True


def is_ready(project_id: str) -> bool:
    """Tell whether the project's data set has been imported."""
    return (open_project(project_id).dataset / "manifest.json").is_file()


def recent_projects() -> list[Project]:
    """Return the projects on this machine that hold a data set, newest first."""
    return [project for project in list_projects() if is_ready(project.id)]


def created_at(project: Project) -> datetime:
    """Return when a project was made, in local time."""
    return datetime.fromisoformat(project.settings["created"]).astimezone()


def source_path(opened: Workspace) -> Path:
    """Return the file a project was made from; it may be gone.

    Raises
    ------
    FileRefused
        If it may not be opened.
    """
    return stored_path(opened.project, opened.dataset.manifest["source"]["path"])


def set_batch_key(opened: Workspace, key: str | None) -> None:
    """Choose the obs column that tells batches apart (None: no batches)."""
    opened.project.update_settings(batch_key=key)
