"""What all tests share: one thread each, and the example, made once for however many processes."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from scanvi_core import runtime
from tests import children

# The processes of ``pytest -n`` share the cores; what torch and numba read when they are first
# imported. Numba gives torch as many threads as it takes itself, when it draws the first map.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

Once = Callable[[str, Callable[[Path], Path]], Path]


@pytest.fixture(scope="session", autouse=True)
def forked_children() -> Iterator[None]:
    """The program's child processes begin at once, as forks; see `tests.children`."""
    with children.forked():
        yield


@pytest.fixture
def fresh_children(forked_children: None) -> Iterator[None]:
    """They are a fresh Python each, as for users."""
    with children.fresh():
        yield


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """Make something once for all processes that test, the others waiting for it.

    ``once(name, build)`` returns what ``build(folder)`` did: the path of what it made in there.
    Tests copy it before they change it.
    """
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent

    def make(name: str, build: Callable[[Path], Path]) -> Path:
        folder, answer = base / f"once-{name}", base / f"once-{name}.txt"
        with FileLock(base / f"once-{name}.lock"):
            if not answer.exists():
                shutil.rmtree(folder, ignore_errors=True)  # what a failed attempt left
                folder.mkdir()
                answer.write_text(str(build(folder)), encoding="utf-8")
        return Path(answer.read_text(encoding="utf-8"))

    return make


@pytest.fixture(scope="session")
def example(once: Once) -> Iterator[Path]:
    """The file of the built-in example, which no test may change: others open it too."""
    from scanvi_core.data.example import write_example

    path = once("example", lambda folder: write_example(folder / "cells.h5ad"))
    before = path.stat().st_mtime_ns
    yield path
    assert path.stat().st_mtime_ns == before, "a test changed the example that all share"


@pytest.fixture(scope="session")
def imported(once: Once, example: Path) -> Path:
    """The folder of a project that holds the example, without labels."""
    from scanvi_core.project.folder import create_project
    from scanvi_core.services.projects.open_file import import_into

    def build(folder: Path) -> Path:
        with runtime.home_at(folder):
            return import_into(create_project("Cells"), example).project.root

    return once("imported", build)


@pytest.fixture(scope="session")
def trained_folder(once: Once, imported: Path) -> Path:
    """The same with the labels of its column and one small model."""
    from scanvi_core.services.labels import edit
    from scanvi_core.services.workspace import workspace
    from tests.projects import BRIEF, copy_of, train_now

    def build(folder: Path) -> Path:
        with runtime.home_at(folder):
            project = copy_of(imported)
            edit.use_column(workspace(project), "cell_type", set())
            train_now(project, BRIEF)
            return workspace(project).project.root

    return once("trained", build)


@pytest.fixture(scope="session")
def example_pack(once: Once, trained_folder: Path) -> Path:
    """The pack of that model."""
    from scanvi_core.services.export import pack
    from scanvi_core.services.workspace import workspace
    from tests.projects import copy_of

    def build(folder: Path) -> Path:
        with runtime.home_at(folder / "home"):
            opened = workspace(copy_of(trained_folder))
            run = opened.current_run()
            assert run is not None
            return pack.write(run, opened, folder / "example.scanvi-pack.zip")

    return once("example pack", build)
