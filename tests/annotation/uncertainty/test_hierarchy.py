import numpy as np
import pytest

from scanvi_core.annotation.uncertainty.hierarchy import (
    GROUP,
    NEITHER,
    TYPE,
    back_off,
    group_probabilities,
)
from scanvi_core.errors import SettingInvalid

NAMES = ("CD4 naive", "CD4 memory", "CD8", "B")
GROUPS = {"CD4 naive": "CD4 T", "CD4 memory": "CD4 T"}


def ask(row, threshold=0.8):
    found = back_off(np.array([row], dtype=np.float32), NAMES, GROUPS, threshold)
    return found.names[0], found.level[0], found.confidence[0]


def test_a_sure_type_is_named():
    assert ask([0.85, 0.05, 0.05, 0.05]) == ("CD4 naive", TYPE, pytest.approx(0.85))


def test_an_unsure_type_falls_back_to_its_group():
    assert ask([0.5, 0.4, 0.05, 0.05]) == ("CD4 T", GROUP, pytest.approx(0.9))


def test_where_no_group_is_sure_nothing_is_named():
    assert ask([0.3, 0.2, 0.3, 0.2]) == (None, NEITHER, pytest.approx(0.5))


def test_a_type_without_a_group_is_no_parent():
    assert ask([0.1, 0.1, 0.1, 0.7], 0.6) == ("B", TYPE, pytest.approx(0.7))
    assert ask([0.1, 0.2, 0.0, 0.7], 0.75)[:2] == (None, NEITHER)


def test_the_likeliest_group_wins_over_that_of_the_likeliest_type():
    assert ask([0.35, 0.3, 0.36 - 0.01, 0.0], 0.6) == ("CD4 T", GROUP, pytest.approx(0.65))


def test_reaching_the_threshold_is_enough():
    assert ask([0.5, 0.25, 0.25, 0.0], 0.5)[1] == TYPE


def test_a_cell_without_counts_gets_no_label():
    name, level, confidence = ask([np.nan] * 4)
    assert name is None and level == NEITHER and np.isnan(confidence)


def test_groups_add_up_their_types_in_the_order_of_the_first():
    p = np.random.default_rng(0).dirichlet(np.ones(4), 20)
    parents, found = group_probabilities(p, NAMES, GROUPS)
    assert parents == ("CD4 T", "CD8", "B")
    assert np.allclose(found, np.column_stack([p[:, 0] + p[:, 1], p[:, 2], p[:, 3]]))


def test_a_group_named_like_one_of_its_types_is_still_a_group():
    found = back_off(np.array([[0.5, 0.4, 0.1]]), ("T", "T reg", "B"), {"T reg": "T"}, 0.8)
    assert found.names[0] == "T" and found.level[0] == GROUP


def test_a_threshold_out_of_range_is_refused():
    with pytest.raises(SettingInvalid, match=r"1\.2"):
        ask([1, 0, 0, 0], 1.2)


def test_calibrated_types_give_calibrated_names_at_either_level():
    random = np.random.default_rng(1)
    p = random.dirichlet(np.full(4, 0.4), 6_000)
    y = np.array([random.choice(4, p=row) for row in p])
    found = back_off(p, NAMES, GROUPS, 0.9)
    types = np.array(NAMES)
    coarse = np.array([GROUPS.get(name, name) for name in NAMES])
    for level, truth in ((TYPE, types[y]), (GROUP, coarse[y])):
        own = found.level == level
        right = (found.names[own] == truth[own]).mean()
        assert own.sum() > 200 and right == pytest.approx(found.confidence[own].mean(), abs=0.03)
