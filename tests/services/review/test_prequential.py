"""What decisions taught: each is foretold by the newest model that had not learned it."""

import numpy as np
import pytest

from scanvi_core import keys
from scanvi_core.services.labels import edit
from scanvi_core.services.review import prequential
from scanvi_core.services.runs import results
from scanvi_core.services.workspace import workspace


def name(project, rows, label):
    edit.name_cells(workspace(project), rows, label, "review")


@pytest.fixture
def groups(trained):
    """Ten open cells of each of two predicted types, by name."""
    model, state = results.current(workspace(trained)), workspace(trained).labels()
    rows = {
        name: np.flatnonzero((model.prediction == i) & (state.codes < 0) & ~model.holdout)[:10]
        for i, name in enumerate(model.names)
    }
    return {name: cells for name, cells in rows.items() if len(cells) == 10}


def test_before_a_decision_nothing_was_taught(trained, groups):
    assert prequential.taught(workspace(trained)) is None
    name(trained, next(iter(groups.values())), keys.UNKNOWN)
    assert prequential.taught(workspace(trained)) is None


def test_a_decision_counts_by_the_cells_the_model_had_named_so(trained, groups):
    (first, a), (_, b) = list(groups.items())[:2]
    name(trained, a, first)
    name(trained, np.concatenate([b[:5], a[:5]]), first)  # five of them were foretold
    taught = prequential.taught(workspace(trained))
    assert taught.curve["right"].tolist() == [1.0, 0.5]
    assert taught.curve["recent"].tolist() == [1.0, 0.75]
    assert taught.sentence.startswith("You decided 2 times") and "75 %" in taught.sentence
    workspace(trained).store.undo()
    assert prequential.taught(workspace(trained)).curve["right"].tolist() == [1.0]


def test_a_rename_is_no_error_of_the_model(trained, groups):
    first, cells = next(iter(groups.items()))
    name(trained, cells, first)
    edit.rename(workspace(trained), first, "Another name")
    assert prequential.taught(workspace(trained)).curve["right"].tolist() == [1.0]


def test_a_model_is_compared_with_the_one_before_on_what_neither_had_learned(
    trained, groups, train_now, request_brief
):
    (first, a), (_, b) = list(groups.items())[:2]
    name(trained, a, first)
    train_now(trained, request_brief)
    name(trained, b, "A new type")  # no model can know it
    taught = prequential.taught(workspace(trained))
    assert taught.curve["model"].tolist() == [1, 2] and taught.curve["right"].tolist() == [1, 0]
    assert taught.updates == (
        "In the 1 decision after model 2, it was right for 0 % of the cells, model 1 for 0 %.",
    )
