"""A project without labels, and a history to take over."""

import numpy as np
import pytest

from scanvi_core.services.labels import edit, history
from scanvi_core.services.workspace import workspace
from tests.projects import copy_of


@pytest.fixture
def fresh(home, imported):
    """A project without labels."""
    return copy_of(imported)


@pytest.fixture
def told(labeled):
    """A history with a step of anna, as text."""
    workspace(labeled).store.actor = "anna"
    edit.name_cells(workspace(labeled), np.array([3, 4, 9]), "Mine", "lasso")
    return history.export_log(workspace(labeled))
