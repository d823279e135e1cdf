"""An update of the model: what changed, keeping it, going back."""

import numpy as np
import pytest

from scanvi_core.errors import InputError
from scanvi_core.services import labelling, model_update, results


@pytest.fixture
def updated(trained, train_now, request_brief):
    """A project with a second model, in which one type has another name."""
    before = results.current(trained)
    rows = np.flatnonzero(before.prediction == before.names.index("Dendritic"))
    labelling.name_cells(trained, rows, "Renamed by hand", "lasso")
    train_now(trained, request_brief)
    return trained


def test_a_first_model_changes_nothing_and_has_nothing_to_go_back_to(trained):
    assert model_update.latest(trained) is None
    with pytest.raises(InputError, match="no earlier model"):
        model_update.go_back(trained)


def test_keeping_or_going_back_settles_the_update(updated):
    update = model_update.latest(updated)
    was, became = (np.array(f.names)[f.prediction] for f in (update.before, update.now))
    assert update.now.run_id == results.current(updated).run_id != update.before.run_id
    assert update.changed["cells"].sum() == (was != became).sum() > 100
    assert np.array_equal(update.rows, np.flatnonzero(was != became))
    assert update.changed.iloc[0][["before", "now"]].tolist() == ["Dendritic", "Renamed by hand"]
    assert list(update.changed["cells"]) == sorted(update.changed["cells"], reverse=True)
    assert "held out from both" in update.comparison

    labels = labelling.label_table(updated)
    model_update.go_back(updated)
    assert results.current(updated).run_id == update.before.run_id
    assert model_update.latest(updated) is None
    assert labelling.label_table(updated).equals(labels)
    assert results.changed_labels(updated) > 0


def test_a_model_that_was_kept_is_what_the_next_is_compared_with(
    updated, train_now, request_brief
):
    model_update.keep(updated)
    kept = results.current(updated).run_id
    assert model_update.latest(updated) is None
    train_now(updated, request_brief)
    train_now(updated, request_brief)
    assert model_update.latest(updated).before.run_id == kept
    model_update.go_back(updated)
    assert results.current(updated).run_id == kept
