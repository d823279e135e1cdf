"""A pack of the trained example, and a project begun from one."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from scanvi_core import runtime
from scanvi_core.services import jobs
from scanvi_core.services.export import pack
from scanvi_core.services.packs import opening, start
from scanvi_core.services.workspace import Workspace, workspace
from tests.conftest import Once
from tests.projects import copy_of


@pytest.fixture(scope="session")
def packed(once: Once, trained_folder: Path) -> bytes:
    """The pack of the trained example."""

    def build(folder: Path) -> Path:
        with runtime.home_at(folder / "home"):
            opened = workspace(copy_of(trained_folder))
            run = opened.current_run()
            assert run is not None
            return pack.write(run, opened, folder / "example.scanvi-pack.zip")

    return once("example pack", build).read_bytes()


@pytest.fixture
def begun(packed: bytes) -> Callable[[str], Workspace]:
    """Begin a project from the pack."""

    def begin(project: str, content: bytes = packed) -> Workspace:
        opened = workspace(project)
        opening.look_at(opened, io.BytesIO(content))
        job = jobs.wait(start.start(opened), 120)
        assert job.error is None, job.error
        return opened

    return begin
