"""When to stop: random checks count in their order, whatever was found."""

import numpy as np
import pytest

from scanvi_core import keys
from scanvi_core.config import LOW_CONFIDENCE
from scanvi_core.metrics.intervals import exact_interval
from scanvi_core.services import jobs
from scanvi_core.services.labels import edit
from scanvi_core.services.review import answers, queue, stopping
from scanvi_core.services.review.queue import RANDOM
from scanvi_core.services.runs import provisional, results
from scanvi_core.services.workspace import workspace


@pytest.fixture
def checks(trained):
    return queue.review_state(workspace(trained)).cards(RANDOM)


def rest(project):
    return stopping.rest(queue.review_state(workspace(project)))


def answer_all(project):
    """Say of every card that its cells cannot be named; what is worked out anew asks again."""
    opened = workspace(project)
    while cards := queue.queue(opened):
        for card in cards:
            answers.unknown(opened, card)
        provisional.state(opened)
        for job in jobs.list_jobs(f"{project}/{provisional.PROVISIONAL}"):
            assert jobs.wait(job.id, 60).error is None


def test_right_and_wrong_checks_count_and_unknown_ones_do_not(trained, checks):
    review = queue.review_state(workspace(trained))
    assert len(checks) > 3 and rest(trained).n_checked == 0
    names = results.current(workspace(trained)).names
    told = [
        names[results.current(workspace(trained)).prediction[check.drawn]] for check in checks[:3]
    ]
    other = next(name for name in names if name != told[1])
    for check, name in zip(checks, (told[0], other, keys.UNKNOWN), strict=False):
        assert review.next_card(checks[:0], RANDOM) is not None
        edit.name_cells(workspace(trained), np.array([check.drawn]), name, "review")
    found = rest(trained)
    assert (found.n_right, found.n_checked) == (1, 2)
    assert found.interval == exact_interval(1, 2)
    assert "1 of 2 random checks were right" in found.accuracy()
    assert queue.review_state(workspace(trained)).next_card([], RANDOM).token == checks[3].token


def test_a_check_counts_only_when_all_before_it_were_decided(trained, checks):
    edit.name_cells(workspace(trained), np.array([checks[1].drawn]), "B", "review")
    assert rest(trained).n_checked == 0
    edit.name_cells(workspace(trained), np.array([checks[0].drawn]), "B", "review")
    assert rest(trained).n_checked == 2


def test_stopping_is_advised_when_little_is_left_and_random_checks_agree(trained, checks):
    before = rest(trained)
    open_ = queue.queue(workspace(trained))
    assert before.n_groups == len(open_) and not before.can_stop
    assert before.n_expected == pytest.approx(sum(item.gain for item in open_))
    answer_all(trained)
    unchecked = rest(trained)
    assert unchecked.is_due and not unchecked.can_stop
    assert f"{stopping.ENOUGH_CHECKS} random checks will tell" in unchecked.advice()
    model = results.current(workspace(trained))
    for check in checks[: stopping.ENOUGH_CHECKS]:
        edit.name_cells(workspace(trained), np.array([check.drawn]),
                        model.names[model.prediction[check.drawn]], "review")  # fmt: skip
    after = rest(trained)
    assert after.can_stop and after.advice().startswith("You can stop now.")


def test_checks_that_were_wrong_forbid_to_stop(trained, checks):
    answer_all(trained)
    for check in checks[:4]:
        edit.name_cells(workspace(trained), np.array([check.drawn]), "Something else", "review")
    found = rest(trained)
    assert found.n_right == 0 and found.is_misled and not found.can_stop
    assert "right less often than it says" in found.advice()
    sure = results.current(workspace(trained)).confidence >= LOW_CONFIDENCE
    named = (
        queue.review_state(workspace(trained)).named | results.current(workspace(trained)).holdout
    )
    promised = results.current(workspace(trained)).confidence[sure & ~named].mean()
    assert found.promised == pytest.approx(promised, rel=1e-5)
