import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanvi_core.errors import SettingInvalid
from scanvi_core.type_tree import (
    TypeTree,
    check_parents,
    leaves_among,
    of_one,
    without_circles,
)

LEAVES = ("CD4 naive", "CD4 memory", "CD8", "NKT", "B")
PARENTS = {
    "CD4 naive": ("CD4 T",), "CD4 memory": ("CD4 T",), "CD4 T": ("T",), "CD8": ("T",),
    "NKT": ("T", "NK"), "T": ("lymphocyte",),
}  # fmt: skip
TREE = TypeTree(LEAVES, PARENTS)


def members(name):
    row = TREE.members[TREE.nodes.index(name)]
    return {leaf for leaf, inside in zip(LEAVES, row, strict=True) if inside}


def test_a_broader_type_holds_all_leaves_below_it_by_any_way():
    assert members("T") == members("lymphocyte") == set(LEAVES) - {"B"}
    assert members("CD4 T") == {"CD4 naive", "CD4 memory"}
    assert members("NK") == {"NKT"} and members("B") == {"B"}


def test_codes_are_the_leaves_then_the_broadest_then_those_between():
    assert TREE.nodes == ("lymphocyte", "NK", "B", "CD4 T", "T")
    assert TREE.code_names == LEAVES + TREE.nodes
    assert TREE.allowed.shape == (len(TREE.code_names) + 1, 5) and TREE.allowed[-1].all()


def test_two_levels_are_numbered_as_groups_always_were():
    tree = TypeTree(("B", "NK", "T"), {"NK": ("L",), "T": ("L",)})
    assert tree.nodes == ("B", "L") and tree.groups == (0, 1, 1) and not tree.is_deep


def test_a_type_of_two_broadest_ones_has_no_one_group():
    assert TREE.groups is None and TREE.is_deep
    assert TypeTree(LEAVES, {"CD4 naive": ("CD4 T",), "CD4 T": ("T",)}).is_deep


def test_depth_counts_the_steps_of_the_longest_way_up():
    depths = {"lymphocyte": 0, "T": 1, "CD4 T": 2, "CD4 naive": 3, "NKT": 2, "B": 0}
    assert depths.items() <= TREE.depths.items()


def test_a_broader_type_is_as_likely_as_its_leaves_together():
    p = np.random.default_rng(0).dirichlet(np.ones(5), 7)
    found = TREE.probabilities(p)
    assert np.allclose(found[:, TREE.nodes.index("T")], p[:, :4].sum(axis=1))


def test_a_circle_is_refused_with_the_way_it_takes():
    with pytest.raises(SettingInvalid, match="is part of") as told:
        check_parents({"a": ("b",), "b": ("c",), "c": ("a",)})
    assert "a is part of b is part of c is part of a" in told.value.message * 2
    with pytest.raises(SettingInvalid):
        check_parents({"a": ("a",)})


def test_a_very_deep_tree_is_no_trouble():
    chain = {str(i): (str(i + 1),) for i in range(5_000)}
    assert TypeTree(("0",), chain).depths["0"] == 5_000


@given(st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdef"), max_size=3)))
def test_whatever_two_logs_say_no_circle_is_left(said):
    kept = without_circles({name: tuple(above) for name, above in said.items()})
    check_parents(kept)
    assert all(set(above) <= set(said[name]) and above for name, above in kept.items())


def test_parents_without_a_circle_stay_as_they_are():
    assert without_circles(PARENTS) == PARENTS


def test_a_label_above_two_types_leaves_them_open_and_one_above_a_single_type_is_its_own():
    names = ("CD4 naive", "CD4 memory", "CD4 T", "T", "B")
    assert leaves_among(names, PARENTS) == ("CD4 naive", "CD4 memory", "B")
    assert leaves_among(("CD4 naive", "CD4 T", "B"), PARENTS) == ("CD4 naive", "CD4 T", "B")
    both = TypeTree(("CD4 naive", "CD4 T"), {"CD4 naive": ("CD4 T",)})
    assert both.nodes == ("CD4 T",) and both.members.all()


def test_parents_of_earlier_versions_are_one_name():
    assert of_one({"a": "g", "b": ["g", "h"], "c": "c"}) == {"a": ("g",), "b": ("g", "h")}
