"""Cards of the review: splitting mixed ones, and what is counted about them."""

import numpy as np
import pytest

from scanvi_core import config
from scanvi_core.annotation.review.card_clusters import CARD_CELLS, LEAST_CELLS
from scanvi_core.annotation.review.grouping import PART_CELLS
from scanvi_core.annotation.uncertainty.reasons import Reason
from scanvi_core.errors import DataDamaged
from scanvi_core.services import jobs
from scanvi_core.services.labels import edit
from scanvi_core.services.review import answers, queue
from scanvi_core.services.runs import provisional, results, review_clusters
from scanvi_core.services.workspace import workspace


@pytest.fixture
def large(trained):
    """The largest card of a project with a model."""
    return max(queue.queue(workspace(trained)), key=lambda item: item.rows.size)


def test_the_parts_of_a_card_hold_its_cells_and_are_found_again(trained, large):
    parts = queue.parts(workspace(trained), large)
    assert 2 <= len(parts) <= 4
    assert np.array_equal(np.sort(np.concatenate([p.rows for p in parts])), large.rows)
    for part in parts:
        again = queue.card(workspace(trained), part.token)
        assert again.token == part.token and np.array_equal(again.rows, part.rows)
        p = results.current(workspace(trained)).probabilities[part.rows].mean(axis=0)
        names = results.current(workspace(trained)).names
        assert part.candidates[0].name == names[int(p.argmax())]


def test_a_part_is_split_again_until_it_is_small(trained, large):
    item = large
    while item.can_split:
        item = queue.parts(workspace(trained), item)[0]
    assert item.rows.size < 2 * PART_CELLS
    assert queue.parts(workspace(trained), item) == (item,)
    assert np.array_equal(queue.card(workspace(trained), item.token).rows, item.rows)


def test_accepting_a_part_names_only_its_cells(trained, large):
    part = queue.parts(workspace(trained), large)[0]
    answers.accept(workspace(trained), part)
    named = workspace(trained).labels().codes[large.rows] >= 0
    assert np.array_equal(np.sort(large.rows[named]), np.sort(part.rows))
    assert not queue.review_state(workspace(trained)).is_decided(large)


def test_open_cards_and_open_cells_are_counted(trained, large):
    n = len(queue.queue(workspace(trained)))
    assert queue.review_state(workspace(trained)).n_open(queue.SUGGESTED) == n
    assert (
        queue.review_state(workspace(trained)).n_open(Reason.NOVEL.label) == 0
    )  # not looked at yet
    edit.name_cells(workspace(trained), large.rows[:3], "By hand", "lasso")
    assert answers.n_open_cells(workspace(trained), large) == large.rows.size - 3
    answers.accept(workspace(trained), large)
    assert not answers.n_open_cells(workspace(trained), large)


def test_cards_are_small_speak_for_open_cells_and_are_about_clusters_with_doubtful_ones(trained):
    found, cards = results.current(workspace(trained)), queue.queue(workspace(trained))
    cluster, y = found.run.array("card_cluster"), found.run.array("y")
    open_ = (y < 0) & ~found.holdout
    for item in cards:
        [own] = np.unique(cluster[item.rows])
        rows = np.flatnonzero((cluster == own) & open_)
        assert (found.confidence[rows] < config.LOW_CONFIDENCE).any()
        said = found.prediction[rows]
        same = rows[said == np.bincount(said).argmax()]
        rows = same if same.size >= LEAST_CELLS else rows
        assert item.rows.size == min(CARD_CELLS, rows.size) and item.n_alike == rows.size
        assert item.gain == pytest.approx((1 - found.confidence[rows]).sum(), rel=1e-5)
    assert np.concatenate([item.rows for item in cards]).size == len(
        np.unique(np.concatenate([item.rows for item in cards]))
    )


def test_a_run_of_an_earlier_version_without_clusters_has_a_queue(trained):
    run = workspace(trained).current_run()
    for name in ("card_cluster", "card_distance"):
        (run.root / f"{name}.npy").unlink()
    found = results.current(workspace(trained))
    for item in queue.queue(workspace(trained)):
        assert (found.confidence[item.rows] < config.LOW_CONFIDENCE).all()


def test_middles_that_do_not_fit_the_clusters_are_damage(trained):
    run = workspace(trained).current_run()
    right = np.array(run.array("card_middles"))
    for wrong in (right[:2], np.zeros((500, 3)), np.full_like(right, np.nan)):
        run.write_array("card_middles", wrong.astype(np.float32))
        with pytest.raises(DataDamaged, match="card_middles"):
            review_clusters.read(run)


def test_the_same_answer_twice_is_one_answer(trained):
    opened = workspace(trained)
    item, seen = queue.queue(opened)[0], opened.labels().seq
    answers.accept(opened, item, seen)
    now = opened.labels().seq
    answers.accept(opened, item, seen)  # the key was pressed twice before the page was drawn
    answers.choose(opened, item, item.candidates[0].name, seen)
    assert opened.labels().seq == now


def test_a_card_has_the_deepest_broader_type_that_is_sure_where_no_type_is(trained):
    opened = workspace(trained)
    names = [name for name in opened.labels().active if name.startswith(("CD4+", "CD8+"))]
    assert all(queue.broad(opened, item) is None for item in queue.queue(opened))
    above = {name: ("CD4 T" if name.startswith("CD4+") else "T cell",) for name in names}
    edit.set_parents(opened, {**above, "CD4 T": ("T cell",)})
    found = results.current(opened)
    held = {
        "CD4 T": [name.startswith("CD4+") for name in found.names],
        "T cell": [name in names for name in found.names],
    }
    said = []
    for item in queue.queue(opened):
        p = found.probabilities[item.rows].mean(axis=0)
        shares = {name: p[own].sum() for name, own in held.items()}
        sure = [name for name, share in shares.items() if share >= config.LOW_CONFIDENCE]
        broad = queue.broad(opened, item)
        if p.max() >= config.LOW_CONFIDENCE or not sure:
            assert broad is None
            continue
        assert broad.name == sure[0]
        assert broad.probability == pytest.approx(shares[sure[0]], abs=1e-5)
        said.append(broad.name)
    assert said


def test_cards_speak_for_more_cells_once_a_broader_type_settles_them(trained):
    opened = workspace(trained)
    before = sum(item.n_alike for item in queue.queue(opened))
    names = [name for name in opened.labels().active if name.startswith(("CD4+", "CD8+"))]
    edit.set_parents(opened, dict.fromkeys(names, ("T cell",)))
    after = queue.queue(opened)
    assert sum(item.n_alike for item in after) > before
    assert queue.card(opened, after[0].token) == after[0]


def test_a_card_of_earlier_provisional_predictions_stays_as_it_was(trained):
    opened = workspace(trained)
    edit.set_parents(opened, {"CD4+/CD25 T Reg": ("T cell",)})

    def decide():
        answers.unknown(opened, queue.queue(opened)[0])
        provisional.state(opened)
        for job in jobs.list_jobs(f"{trained}/{provisional.PROVISIONAL}"):
            assert jobs.wait(job.id, 60).error is None
        return queue.queue(opened)[0]

    first = decide()
    second = decide()
    assert first.is_provisional and second.seq > first.seq
    edit.set_parents(opened, {})
    assert queue.card(opened, first.token) == first
