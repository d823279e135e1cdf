"""The simulated review: what an oracle's answers teach, how long they take, how it errs."""

import numpy as np
import pytest

from benchmarks.quality import review, review_orders
from benchmarks.quality.review import CELL_S, DECISIONS, GROUP_S, simulate
from benchmarks.quality.review_orders import Review


@pytest.fixture
def begun():
    """300 cells of three types that lie apart; two of them have three labels each."""
    random = np.random.default_rng(0)
    types = np.arange(300) % 3
    z = (random.normal(size=(300, 4)) + 6 * np.eye(3, 4)[types]).astype(np.float32)
    start, aside = np.full(300, -1), np.arange(300) >= 210
    start[[0, 3, 6]], start[[1, 4, 7]] = 0, 1
    p = np.where(np.arange(3) == types[:, None], 0.9, 0.05).astype(np.float32)
    p[types == 2] = [0.5, 0.5, 0.0]
    p[:, 2] = 0.0
    p /= p.sum(axis=1, keepdims=True)
    return {"types": types, "aside": aside, "start": start, "p_start": p, "z": z, "components": z}


def run(begun, way, errors=0.0):
    return simulate(Review(**begun, random=np.random.default_rng(0)), way, errors)


def test_a_new_type_is_named_and_learned_and_time_goes_on(begun):
    told = run(begun, review_orders.ours)
    assert told["right"] == 1.0 and "2" in told["found"]
    assert told["curve"][-1] > told["curve"][0] + 0.2
    steps = np.diff(told["seconds"])
    assert len(steps) == DECISIONS and set(steps) <= {0, GROUP_S}
    assert set(np.diff(run(begun, review_orders.random_cells)["seconds"])) == {CELL_S}


def test_an_oracle_that_errs_names_as_many_wrongly(begun):
    assert run(begun, review_orders.random_cells, errors=1.0)["right"] == 0.0
    some = run(begun, review_orders.random_cells, errors=0.5)["right"]
    assert 0.2 < some < 0.8


def test_the_area_in_time_counts_every_second_alike():
    told = {"curve": [0.0, 1.0], "seconds": [0, review.WHILE_S // 2]}
    assert review.in_time(told) == 0.5
