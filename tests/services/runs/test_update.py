"""An update of the model: what changed, keeping it, going back."""

import numpy as np
import pytest

from scanvi_core.errors import InputError
from scanvi_core.services.labels import edit
from scanvi_core.services.runs import results
from scanvi_core.services.runs import update as runs_update
from scanvi_core.services.workspace import workspace


@pytest.fixture
def updated(trained, train_now, request_brief):
    """A project with a second model, in which one type has another name."""
    before = results.current(workspace(trained))
    rows = np.flatnonzero(before.prediction == before.names.index("Dendritic"))
    edit.name_cells(workspace(trained), rows, "Renamed by hand", "lasso")
    train_now(trained, request_brief)
    return trained


def test_a_first_model_changes_nothing_and_has_nothing_to_go_back_to(trained):
    assert runs_update.latest(workspace(trained)) is None
    with pytest.raises(InputError, match="no earlier model"):
        runs_update.go_back(workspace(trained))


def test_keeping_or_going_back_settles_the_update(updated):
    update = runs_update.latest(workspace(updated))
    was, became = (np.array(f.names)[f.prediction] for f in (update.before, update.now))
    assert update.now.run_id == results.current(workspace(updated)).run_id != update.before.run_id
    assert update.changed["cells"].sum() == (was != became).sum() > 100
    assert np.array_equal(update.rows, np.flatnonzero(was != became))
    assert update.changed.iloc[0][["before", "now"]].tolist() == ["Dendritic", "Renamed by hand"]
    assert list(update.changed["cells"]) == sorted(update.changed["cells"], reverse=True)
    assert "held out from both" in update.comparison

    labels = edit.label_table(workspace(updated))
    runs_update.go_back(workspace(updated))
    assert results.current(workspace(updated)).run_id == update.before.run_id
    assert runs_update.latest(workspace(updated)) is None
    assert edit.label_table(workspace(updated)).equals(labels)
    assert results.changed_labels(workspace(updated)) > 0


def test_a_model_that_was_kept_is_what_the_next_is_compared_with(
    updated, train_now, request_brief
):
    runs_update.keep(workspace(updated))
    kept = results.current(workspace(updated)).run_id
    assert runs_update.latest(workspace(updated)) is None
    train_now(updated, request_brief)
    train_now(updated, request_brief)
    assert runs_update.latest(workspace(updated)).before.run_id == kept
    runs_update.go_back(workspace(updated))
    assert results.current(workspace(updated)).run_id == kept
