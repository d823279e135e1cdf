"""A fresh copy for each test of a project: imported, labeled, trained."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scanvi_core import runtime
from scanvi_core.project.folder import create_project
from scanvi_core.services.foreground import ForegroundJob
from scanvi_core.services.labels import edit
from scanvi_core.services.projects import project_file
from scanvi_core.services.projects.open_file import import_into
from scanvi_core.services.runs.train_request import TrainRequest
from scanvi_core.services.workspace import workspace
from tests import projects
from tests.conftest import Once
from tests.projects import copy_of
from tests.services.packed import look_in_a_fork, small_example


@pytest.fixture(scope="session")
def request_brief() -> TrainRequest:
    """A small model and a few epochs."""
    return projects.BRIEF


@pytest.fixture(scope="session")
def train_now() -> Callable[[str, TrainRequest], str]:
    """Train a project in this thread; return the run id."""
    return projects.train_now


@pytest.fixture(scope="session")
def packed(once: Once, request_brief: TrainRequest) -> bytes:
    """A small project with labels, two models, a map and doublet scores, as one file."""
    from scanvi_core.services import jobs
    from scanvi_core.services.diagnostics import uncertainty_job
    from scanvi_core.services.explore import maps
    from scanvi_core.services.projects import library
    from scanvi_core.services.quality import doublets

    def build(folder: Path) -> Path:
        with runtime.home_at(folder / "home"):
            opened = import_into(create_project("Small"), small_example(folder / "small.h5ad"))
            project = opened.project.id
            job = ForegroundJob(project, lambda *_: None)
            edit.use_column(opened, "expert_label", set())
            edit.name_cells(opened, np.arange(5), "Mine", "lasso")
            first = projects.train_now(project, request_brief)
            second = projects.train_now(project, replace(request_brief, warm=True))
            assert first != second
            uncertainty_job.check_run(opened, second, job)
            assert jobs.wait(maps.start_base_map(opened), 120).error is None
            doublets.search(opened, opened.batches("batch"), job)
            return library.save(project)

    return once("packed", build).read_bytes()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home of its own for each test."""
    monkeypatch.setenv(runtime.HOME_VARIABLE, str(tmp_path / "home"))
    yield tmp_path / "home"


@pytest.fixture
def quick(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Look through project files in a fork."""
    monkeypatch.setattr(project_file, "run_child", look_in_a_fork)


@pytest.fixture
def project(home: Path, imported: Path) -> str:
    """A project with the example and no labels."""
    return copy_of(imported)


@pytest.fixture
def labeled(project: str) -> str:
    """The same with the labels of its column, a part of them set aside."""
    edit.use_column(workspace(project), "cell_type", set())
    return project


@pytest.fixture
def trained(home: Path, trained_folder: Path) -> str:
    """The same with a model."""
    return copy_of(trained_folder)


@pytest.fixture(scope="session")
def half_measured_folder(once: Once, imported: Path) -> Path:
    """The same without labels in all batches but the first, and the held-out cells all of that."""
    from scanvi_core.project.label_log import events

    def build(folder: Path) -> Path:
        with runtime.home_at(folder):
            opened = workspace(copy_of(imported))
            edit.use_column(opened, "cell_type", set())
            later = opened.batches(opened.batch_key).index > 0
            opened.store.append(events.clear(np.flatnonzero(later)))
            named = np.flatnonzero(opened.labels().codes >= 0)
            opened.store.append(events.holdout(named[::3], how="cells"))
            projects.train_now(opened.project.id, projects.BRIEF)
            return opened.project.root

    return once("half measured", build)


@pytest.fixture
def half_measured(home: Path, half_measured_folder: Path) -> str:
    """A project with a model that was measured in its first batch only."""
    return copy_of(half_measured_folder)
