import numpy as np
import pytest

from scanvi_core.metrics.levels import hierarchical_f1, score_depths
from scanvi_core.type_tree import TypeTree

TREE = TypeTree(
    ("naive", "memory", "CD8", "B"),
    {"naive": ("CD4",), "memory": ("CD4",), "CD4": ("T",), "CD8": ("T",)},
)
CODE = {name: code for code, name in enumerate(TREE.code_names)}
CODE |= {name: code for code, name in enumerate(TREE.leaves)}


def score(true, said):
    codes = [np.array([CODE[name] if name else -1 for name in each]) for each in (true, said)]
    return hierarchical_f1(TREE, *codes)


def test_the_score_is_what_is_shared_of_all_that_is_above():
    assert score(["naive"], ["naive"]) == 1.0
    assert score(["naive"], ["memory"]) == pytest.approx(2 / 3)  # CD4, T of three each
    assert score(["naive"], ["CD8"]) == pytest.approx(2 / 5)
    assert score(["naive"], ["B"]) == 0.0


def test_the_farther_from_the_truth_the_lower():
    said = [score(["naive"], [name]) for name in ("naive", "CD4", "memory", "T", "CD8", "B")]
    assert said == sorted(said, reverse=True) and len(set(said)) == 6


def test_a_broad_answer_loses_recall_and_no_answer_all_of_it():
    assert score(["naive"], ["T"]) == pytest.approx(2 * 1 / (3 + 1))
    assert score(["naive", "B"], ["naive", None]) == pytest.approx(2 * 3 / (4 + 3))


def test_cells_without_a_truth_do_not_count():
    assert score(["naive", None], ["naive", "B"]) == 1.0


def test_without_levels_it_is_the_accuracy():
    flat = TypeTree(("a", "b", "c"))
    truth, said = np.array([0, 1, 2, 2]), np.array([0, 1, 2, 0])
    assert hierarchical_f1(flat, truth, said) == 0.75


def test_a_cell_is_right_at_every_depth_that_it_shares_with_the_truth():
    truth = np.array([CODE[n] for n in ("naive", "naive", "naive", "B", "CD4")])
    said = np.array([CODE[n] for n in ("naive", "memory", "CD8", "CD8", "memory")])
    found = [(s.depth, s.n, s.n_right) for s in score_depths(TREE, truth, said)]
    assert found == [(0, 5, 4), (1, 4, 3), (2, 3, 1)]


def test_a_cut_names_each_leaf_at_one_depth_and_leaves_those_above_it_alone():
    assert [TREE.code_names[code] for code in TREE.cut(0)] == ["T", "T", "T", "B"]
    assert [TREE.code_names[code] for code in TREE.cut(1)] == ["CD4", "CD4", "CD8", "B"]
    assert TypeTree(("NKT",), {"NKT": ("T", "NK")}).cut(0) is None
