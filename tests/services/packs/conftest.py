"""A pack of the trained example, and a project begun from one."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from scanvi_core.services import jobs
from scanvi_core.services.packs import opening, start
from scanvi_core.services.workspace import Workspace, workspace


@pytest.fixture
def packed(example_pack: Path) -> bytes:
    """The pack of the trained example."""
    return example_pack.read_bytes()


@pytest.fixture
def begun(packed: bytes) -> Callable[..., Workspace]:
    """Begin a project from the pack."""

    def begin(project: str, content: bytes = packed) -> Workspace:
        opened = workspace(project)
        opening.look_at(opened, io.BytesIO(content))
        job = jobs.wait(start.start(opened), 120)
        assert job.error is None, job.error
        return opened

    return begin
