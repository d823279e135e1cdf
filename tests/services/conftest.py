"""The built-in example as a project: imported, labelled, trained; a fresh copy for each test."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from scanvi_core import runtime
from scanvi_core.config import ModelConfig, TrainConfig
from scanvi_core.data.example import write_example
from scanvi_core.project.folder import create_project, open_project
from scanvi_core.services.annotate import ForegroundJob
from scanvi_core.services.labels import edit
from scanvi_core.services.projects.open_file import import_into
from scanvi_core.services.runs.train_request import TrainRequest
from scanvi_core.services.workspace import workspace

SMALL = ModelConfig(n_hidden=32, n_latent=8)
BRIEF = TrainConfig(max_epochs=8, device="cpu")


@pytest.fixture(scope="session")
def request_brief() -> TrainRequest:
    """A small model and a few epochs."""
    return TrainRequest(SMALL, BRIEF)


@pytest.fixture(scope="session")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a project that holds the example, without labels."""
    torch.set_num_threads(1)
    base = tmp_path_factory.mktemp("example")
    source = write_example(base / "cells.h5ad")
    with runtime.home_at(base / "home"):
        return import_into(create_project("Cells"), source).project.root


@pytest.fixture(scope="session")
def train_now() -> Callable[[str, TrainRequest], str]:
    """Train a project in this thread; return the run id."""

    def train(project: str, request: TrainRequest) -> str:
        from scanvi_core.services.training.in_process import train

        return train(workspace(project), request, ForegroundJob(project, lambda *_: None))

    return train


@pytest.fixture(scope="session")
def trained_folder(imported: Path, request_brief, train_now, tmp_path_factory) -> Path:
    """The folder of a project with one model."""
    with runtime.home_at(tmp_path_factory.mktemp("trained")):
        project = copy_of(imported)
        edit.use_column(workspace(project), "cell_type", set())
        train_now(project, request_brief)
        return open_project(project).root


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
    edit.use_column(workspace(project), "cell_type", set())
    return project


@pytest.fixture
def trained(home: Path, trained_folder: Path) -> str:
    """The same with a model."""
    return copy_of(trained_folder)


def copy_of(folder: Path) -> str:
    """Return the id of a new project in the present home with the contents of a folder."""
    fresh = create_project("Cells")
    shutil.copytree(folder, fresh.root, dirs_exist_ok=True)
    return fresh.id
