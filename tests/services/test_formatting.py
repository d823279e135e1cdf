"""Numbers in words."""

from math import isnan

import numpy as np
import pytest

from scanvi_core.services.formatting import (
    count,
    duration,
    hundredths,
    percent,
    percent_with_interval,
    points,
    row_names,
    row_percents,
    signed_range,
    thousandths,
)


def test_shares_of_many_cells_have_a_decimal_and_of_few_none():
    assert (percent(0.9134, 999), percent(0.9134, 1000)) == ("91 %", "91.3 %")


@pytest.mark.parametrize(
    ("share", "n", "said"),
    [
        (1.0, 50, "100 %"), (1.0, 5_000, "100.0 %"), (0.0, 50, "0 %"), (0.0, 5_000, "0.0 %"),
        (0.996, 50, "99.6 %"), (1 - 1e-5, 5_000, "99.9 %"), (0.9996, 0, "99.9 %"),
        (0.004, 50, "0.4 %"), (1e-5, 5_000, "0.1 %"), (1 - 1e-16, 50, "100 %"),
    ],
)  # fmt: skip
def test_all_and_nothing_are_said_only_where_it_is_so(share, n, said):
    assert percent(share, n) == said


def test_a_score_of_one_is_said_only_where_it_is_so():
    told = [hundredths(x) for x in (1.0, 0.998, 0.914, 0.001, 0.0)]
    assert told == [1.0, 0.99, 0.914, 0.01, 0.0]
    assert isnan(hundredths(float("nan")))
    assert [thousandths(x) for x in (1.0, 0.9999, 0.9134)] == ["1.000", "0.999", "0.913"]


def test_no_share_is_an_empty_cell_of_a_table():
    assert percent_with_interval(float("nan"), (0.0, 1.0)) == percent(float("nan")) == ""
    assert percent_with_interval(0.5, (0.234, 0.766)) == "50 % (23 to 77)"


def test_differences_keep_their_sign_but_nothing_is_minus_zero():
    assert points(-0.021) == "2.1 points"
    assert signed_range((-0.01, 0.0523)) == "-1.0 to +5.2"
    assert signed_range((-0.0001, 0.0001)) == "0.0 to 0.0"
    assert signed_range((-0.2, -0.1)) == "-20.0 to -10.0"


def test_nouns_follow_their_number():
    assert [count(n, "cell") for n in (0, 1, 2638)] == ["0 cells", "1 cell", "2,638 cells"]
    assert [count(n, "batch", "batches") for n in (1, 2)] == ["1 batch", "2 batches"]


def test_long_durations_are_minutes():
    assert (duration(89), duration(90)) == ("89 s", "2 min")


def test_rows_of_a_matrix_say_their_cells_and_no_percent_that_is_not_so():
    matrix = np.array([[299, 1, 0], [0, 3, 0], [0, 0, 0]])
    assert row_names(matrix, ("B", "Mk", "DC")) == ["B (300)", "Mk (3)", "DC (none held out)"]
    assert row_percents(matrix).tolist() == [[99, 1, 0], [0, 100, 0], [0, 0, 0]]
