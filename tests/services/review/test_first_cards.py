"""The review before there is a model: groups of the counts alone, named part by part."""

import numpy as np
import pytest

from scanvi_core.services import jobs
from scanvi_core.services.explore import maps
from scanvi_core.services.labels import edit
from scanvi_core.services.review import answers, first_cards, queue
from scanvi_core.services.workspace import workspace
from tests.projects import train_now


@pytest.fixture
def opened(project):
    """A project without labels whose groups were found."""
    opened = workspace(project)
    edit.start_empty(opened)
    assert first_cards.progress(opened) is None and queue.queue(opened) == ()
    assert jobs.wait(maps.start_base_map(opened), 120).error is None
    return opened


def test_naming_the_first_groups_by_majority_finds_most_types(opened):
    truth = opened.dataset.column("expert_label").astype(str).to_numpy()
    parts = first_cards.progress(opened).n_parts
    right = []
    for _ in range(parts):
        item = queue.queue(opened)[0]
        assert item.run_id == "" and not item.can_split and not item.is_provisional
        names, cells = np.unique(truth[item.rows], return_counts=True)
        answers.choose(opened, item, str(names[cells.argmax()]))
        right.append(cells.max() / cells.sum())
    now = first_cards.progress(opened)
    assert now.n_named == now.n_parts == parts and now.may_train
    assert np.mean(right) > 0.75
    assert now.n_types >= 5  # half of them: five are kinds of T cells


def test_a_card_is_found_again_and_names_nearby_are_offered(opened):
    first = queue.queue(opened)[0]
    answers.choose(opened, first, "Mine")
    part = maps.clusters_of(opened)[first.rows[0]]
    same = [c for c in queue.queue(opened) if maps.clusters_of(opened)[c.rows[0]] == part]
    assert [c.name for c in same[0].candidates] == ["Mine"]
    assert queue.card(opened, same[0].token) is same[0]
    answers.unknown(opened, same[0])
    assert first_cards.progress(opened).n_types == 1 and not first_cards.progress(opened).may_train
    assert {c.name for item in queue.queue(opened) for c in item.candidates} == {"Mine"}
    assert queue.card(opened, first.token).rows.tolist() == first.rows.tolist()


def test_a_card_from_before_the_first_model_is_gone_after_it(opened, request_brief):
    first, second, third = queue.queue(opened)[:3]
    for item, name in ((first, "A"), (second, "B")):
        answers.choose(opened, item, name)
    assert queue.card(opened, third.token) is not None
    train_now(opened.id, request_brief)
    assert queue.card(opened, third.token) is None


def test_markers_are_genes_that_are_higher_than_in_the_other_cells(opened):
    item = queue.queue(opened)[0]
    table = first_cards.markers(opened, item.rows)
    assert 0 < len(table) <= first_cards.MARKERS
    assert (table["these cells"] > table["all others"] + 0.3).all()
