"""An update of the model: what changed, keeping it, going back."""

import numpy as np
import pytest

from scanvi_core.errors import InputError
from scanvi_core.services.labels import edit, type_table
from scanvi_core.services.runs import model_in_use, results
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
    assert model_in_use.latest(workspace(trained)) is None
    with pytest.raises(InputError, match="no earlier model"):
        model_in_use.go_back(workspace(trained))


def test_keeping_or_going_back_settles_the_update(updated):
    update = model_in_use.latest(workspace(updated))
    was, became = (np.array(f.names)[f.prediction] for f in (update.before, update.now))
    assert update.now.run_id == results.current(workspace(updated)).run_id != update.before.run_id
    assert update.changed["cells"].sum() == (was != became).sum() > 100
    assert np.array_equal(update.rows, np.flatnonzero(was != became))
    assert update.changed.iloc[0][["before", "now"]].tolist() == ["Dendritic", "Renamed by hand"]
    assert list(update.changed["cells"]) == sorted(update.changed["cells"], reverse=True)
    assert "held out from both" in update.comparison

    labels = type_table.label_table(workspace(updated))
    model_in_use.go_back(workspace(updated))
    assert results.current(workspace(updated)).run_id == update.before.run_id
    assert model_in_use.latest(workspace(updated)) is None
    assert type_table.label_table(workspace(updated)).equals(labels)
    assert results.changed_labels(workspace(updated)) > 0


def test_a_model_that_was_kept_is_what_the_next_is_compared_with(
    updated, train_now, request_brief
):
    model_in_use.keep(workspace(updated))
    kept = results.current(workspace(updated)).run_id
    assert model_in_use.latest(workspace(updated)) is None
    train_now(updated, request_brief)
    train_now(updated, request_brief)
    assert model_in_use.latest(workspace(updated)).before.run_id == kept
    model_in_use.go_back(workspace(updated))
    assert results.current(workspace(updated)).run_id == kept


@pytest.fixture
def misled(trained, train_now, request_brief):
    """A project whose second model learned that one type is another."""
    before = results.current(workspace(trained))
    wrong = (before.prediction == before.names.index("Dendritic")) & ~before.holdout
    edit.name_cells(workspace(trained), np.flatnonzero(wrong), "Megakaryocytes", "lasso")
    train_now(trained, request_brief)
    return trained


def test_a_model_that_got_worse_is_offered_and_the_old_one_stays(misled):
    opened = workspace(misled)
    offer, first = model_in_use.offered(opened), results.current(opened).run_id
    assert (results.current(opened).summary["number"], offer.number, offer.in_use) == (1, 2, 1)
    assert "model 2 is right" in offer.comparison and "less often" in offer.comparison
    assert model_in_use.latest(opened) is None
    model_in_use.take_offered(opened)
    assert results.current(opened).summary["number"] == 2
    assert model_in_use.offered(opened) is None
    assert model_in_use.latest(opened).before.run_id == first
    model_in_use.go_back(opened)
    assert results.current(opened).run_id == first


def test_an_offer_can_be_left_and_the_next_model_is_compared_with_the_one_in_use(
    misled, train_now, request_brief
):
    opened = workspace(misled)
    first = results.current(opened).run_id
    model_in_use.leave_offered(opened)
    assert model_in_use.offered(opened) is None and results.current(opened).run_id == first
    opened.store.undo()
    train_now(misled, request_brief)
    assert results.current(opened).summary["number"] == 3
    assert model_in_use.latest(opened).before.run_id == first
