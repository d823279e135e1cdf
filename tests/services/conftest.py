"""A fresh copy for each test of a project: imported, labelled, trained."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scanvi_core import runtime
from scanvi_core.services.labels import edit
from scanvi_core.services.runs.train_request import TrainRequest
from tests import projects
from tests.projects import copy_of


@pytest.fixture(scope="session")
def request_brief() -> TrainRequest:
    """A small model and a few epochs."""
    return projects.BRIEF


@pytest.fixture(scope="session")
def train_now() -> Callable[[str, TrainRequest], str]:
    """Train a project in this thread; return the run id."""
    return projects.train_now


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home of its own for each test."""
    monkeypatch.setenv(runtime.HOME_VARIABLE, str(tmp_path / "home"))
    yield tmp_path / "home"


@pytest.fixture
def project(home: Path, imported: Path) -> str:
    """A project with the example and no labels."""
    return copy_of(imported)


@pytest.fixture
def labelled(project: str) -> str:
    """The same with the labels of its column, a part of them set aside."""
    edit.use_column(project, "cell_type", set())
    return project


@pytest.fixture
def trained(home: Path, trained_folder: Path) -> str:
    """The same with a model."""
    return copy_of(trained_folder)
