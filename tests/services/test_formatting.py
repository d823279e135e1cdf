"""Numbers in words."""

from scanvi_core.services.formatting import (
    count,
    duration,
    percent,
    percent_with_interval,
    points,
    signed_range,
)


def test_shares_of_many_cells_have_a_decimal_and_of_few_none():
    assert (percent(0.9134, 999), percent(0.9134, 1000)) == ("91 %", "91.3 %")


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
