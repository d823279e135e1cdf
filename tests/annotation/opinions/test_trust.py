"""How often a witness is right: shares that borrow from other types, and intervals that hold."""

import numpy as np
import pytest

from scanvi_core.annotation.opinions.trust import trust


def test_a_type_without_cases_is_taken_to_be_as_the_others_and_is_less_certain():
    found = trust([18, 17, 0], [20, 20, 0])
    assert found.mean[2] == pytest.approx(35 / 40, abs=0.1)
    assert found.high[2] - found.low[2] > found.high[0] - found.low[0]


def test_nothing_is_known_without_cases():
    found = trust([0, 0], [0, 0])
    assert found.low[0] < 0.1 and found.high[0] > 0.9 and 0.4 < found.mean[0] < 0.6


def test_one_type_that_is_always_wrong_is_not_drawn_to_the_others():
    found = trust([50, 50, 50, 0], [50, 50, 50, 40])
    assert found.high[3] < 0.15 and found.low[0] > 0.85


def test_nine_in_ten_intervals_and_more_hold_the_share():
    random = np.random.default_rng(0)
    held = []
    for _ in range(60):
        shares = random.beta(8, 2, 8)
        n = random.integers(0, 15, 8)
        found = trust(random.binomial(n, shares), n)
        held += ((found.low <= shares) & (shares <= found.high)).tolist()
    assert 0.9 < np.mean(held) <= 1.0
