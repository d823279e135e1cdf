"""A label store with a column read, and what a user sees of its labels."""

from pathlib import Path

import numpy as np
import pytest

from scanvi_core import runtime
from scanvi_core.project.label_log import events
from scanvi_core.project.label_log.store import LabelStore
from tests.project.label_log.views import N


@pytest.fixture(scope="session", autouse=True)
def key_of_its_own(tmp_path_factory):
    """A home for the key that signs the logs of these tests."""
    with runtime.home_at(tmp_path_factory.mktemp("home")):
        yield


@pytest.fixture
def store(tmp_path: Path):
    """A log of 40 cells without an entry."""
    store = LabelStore.open(tmp_path, N, actor="anna")
    yield store
    store.close()


@pytest.fixture
def filled(store: LabelStore) -> LabelStore:
    """Rows 0-9 are B, 10-19 T, 20-39 without a label."""
    store.append(events.import_labels(["B", "T"], np.repeat([0, 1, -1, -1], 10)))
    return store
