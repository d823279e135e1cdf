"""A pack written from one project names the cells of another, and the loop goes on from it."""

import io

import numpy as np
import pytest

from scanvi_core.services import jobs
from scanvi_core.services.export import pack
from scanvi_core.services.packs import opening, start
from scanvi_core.services.runs import results
from scanvi_core.services.workspace import workspace


@pytest.fixture
def packed(trained, tmp_path):
    """The pack of the trained example."""
    opened = workspace(trained)
    return pack.write(opened.current_run(), opened, tmp_path / "a.scanvi-pack.zip").read_bytes()


def begun(project, packed):
    """Begin a project from a pack."""
    opened = workspace(project)
    opening.look_at(opened, io.BytesIO(packed))
    job = jobs.wait(start.start(opened), 120)
    assert job.error is None, job.error
    return opened


def test_a_pack_names_the_cells_it_comes_from_as_its_own_model(packed, trained, project):
    opened = begun(project, packed)
    ours, theirs = results.current(opened), results.current(workspace(trained))
    assert ours.names == theirs.names
    np.testing.assert_allclose(ours.probabilities, theirs.probabilities, atol=1e-4)
