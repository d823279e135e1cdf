"""What is counted above the cards: each cell once, and as Explore counts it."""

from types import SimpleNamespace

import numpy as np
import pytest

from scanvi_core.annotation.uncertainty.reasons import Reason
from scanvi_core.services import jobs
from scanvi_core.services.diagnostics import uncertainty
from scanvi_core.services.review import answers, queue
from scanvi_core.services.review.progress import doubts, progress
from scanvi_core.services.runs import results
from scanvi_core.services.workspace import workspace

OK, AMBIGUOUS, NOVEL, TECHNICAL = Reason


@pytest.fixture
def looked_at(trained):
    uncertainty.start(workspace(trained))
    assert jobs.wait(uncertainty.latest(workspace(trained)).id).error is None
    return trained


def test_named_clear_and_left_add_up_and_reasons_do():
    reason = np.array([OK, AMBIGUOUS, AMBIGUOUS, NOVEL, NOVEL, TECHNICAL, AMBIGUOUS])
    named = np.array([True, True, False, False, False, False, False])
    p = np.full((7, 2), [0.9, 0.1])
    p[6] = [0.6, 0.4]
    novelty = np.array([0, 0, 0, 0.05, 0.9, 0, 0])
    made = SimpleNamespace(predictions=SimpleNamespace(probabilities=p), novelty=novelty)
    now = progress(reason, named, made, 3, is_known=True)
    assert (now.n_cells, now.n_named, now.n_clear, now.n_left) == (6, 1, 2, 3)
    assert now.reasons == {"ambiguous": 3, "novel": 2, "technical": 1}
    assert (
        now.sentence == "Of 6 cells in doubt, 1 named, 2 clear by now, 3 left; 3 groups to decide"
    )
    assert "3 ambiguous + 2 novel + 1 technical" in now.meaning
    assert "not looked for yet" not in now.meaning
    now = progress(reason, named, made, 3, is_known=False, is_looking=True, n_beside=9)
    assert "1 named (and 9 beside them)" in now.sentence
    assert now.sentence.endswith("; looking for more: new types and poor cells")
    before = progress(reason, named, None, 3, is_known=False)
    assert before.n_clear == 0 and "not looked for yet" in before.meaning


def test_the_numbers_are_those_of_explore(looked_at):
    opened = workspace(looked_at)
    now, told = queue.review_state(opened).progress, uncertainty.counts(opened)
    assert {name: n for name, n in told.items() if n and name != OK.label} == now.reasons
    assert sum(now.reasons.values()) == now.n_cells and now.is_known
    model = results.current(opened)
    reason = doubts(model, uncertainty.reasons(opened))
    card = next(item for item in queue.queue(opened) if reason[item.rows].any())
    answers.accept(opened, card)
    later = queue.review_state(opened).progress
    assert later.n_cells == now.n_cells  # what the model doubted stays
    assert later.n_named == np.count_nonzero(reason[card.rows])
    assert later.n_named + later.n_beside == card.rows.size  # each answer moves a counter
    left = sum(n for name, n in uncertainty.counts(opened).items() if name != OK.label)
    assert later.n_left + later.n_clear == left


def test_before_the_look_only_ambiguous_cells_are_counted_and_said_to_be(trained):
    now = queue.review_state(workspace(trained)).progress
    assert not now.is_known and set(now.reasons) <= {"ambiguous"}
