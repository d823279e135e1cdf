import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanvi_core.annotation.uncertainty.hierarchy import back_off, in_names
from scanvi_core.errors import SettingInvalid
from scanvi_core.type_tree import TypeTree

LEAVES = ("CD4 naive", "CD4 memory", "CD8", "B")
TREE = TypeTree(
    LEAVES, {"CD4 naive": ("CD4 T",), "CD4 memory": ("CD4 T",), "CD4 T": ("T",), "CD8": ("T",)}
)


def ask(row, threshold=0.8, tree=TREE):
    found = back_off(np.array([row], dtype=np.float32), tree, threshold)
    code = found.code[0]
    return tree.code_names[code] if code >= 0 else None, found.depth[0], found.confidence[0]


def test_the_answer_is_as_deep_as_it_is_sure():
    assert ask([0.85, 0.05, 0.05, 0.05]) == ("CD4 naive", 2, pytest.approx(0.85))
    assert ask([0.5, 0.4, 0.05, 0.05]) == ("CD4 T", 1, pytest.approx(0.9))
    assert ask([0.4, 0.3, 0.2, 0.1]) == ("T", 0, pytest.approx(0.9))
    assert ask([0.0, 0.1, 0.0, 0.9]) == ("B", 0, pytest.approx(0.9))


def test_where_nothing_is_sure_nothing_is_said():
    assert ask([0.3, 0.2, 0.25, 0.25]) == (None, -1, pytest.approx(0.75))


def test_reaching_the_threshold_is_enough():
    assert ask([0.5, 0.25, 0.25, 0.0], 0.5)[0] == "CD4 naive"


def test_the_likeliest_of_several_that_are_sure_enough_is_said():
    assert ask([0.35, 0.3, 0.35, 0.0], 0.3)[0] in ("CD4 naive", "CD8")
    assert ask([0.3, 0.25, 0.45, 0.0], 0.4)[0] == "CD8"


def test_a_cell_without_counts_gets_no_answer():
    name, depth, confidence = ask([np.nan] * 4)
    assert name is None and depth == -1 and np.isnan(confidence)


def test_of_broader_types_with_the_same_leaves_the_lower_is_said():
    tree = TypeTree(("a", "b", "c"), {"a": ("low",), "b": ("low",), "low": ("high",)})
    assert ask([0.5, 0.4, 0.1], tree=tree)[:2] == ("low", 1)


def test_a_type_named_like_what_it_stands_beside_is_said_for_both():
    tree = TypeTree(("T", "T reg", "B"), {"T reg": ("T",)})
    assert ask([0.5, 0.4, 0.1], tree=tree)[0] == "T"


def test_no_cells_are_no_trouble():
    assert len(back_off(np.empty((0, 4)), TREE, 0.8).code) == 0


def test_a_threshold_out_of_range_is_refused():
    with pytest.raises(SettingInvalid, match=r"1\.2"):
        ask([1, 0, 0, 0], 1.2)


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.3, 0.5, 0.8, 0.95]))
def test_the_answer_is_that_of_looking_at_every_name(seed, threshold):
    random = np.random.default_rng(seed)
    leaves = tuple("abcdef")
    parents = {n: tuple(random.choice(list("xyz"), random.integers(0, 3), False)) for n in leaves}
    parents |= {"x": ("w",), "y": ("w",) if random.random() < 0.5 else ()}
    tree = TypeTree(leaves, parents)
    p = random.dirichlet(np.full(6, 0.3), 5)
    found = back_off(p, tree, threshold)
    for row, code, said in zip(p, found.code, found.confidence, strict=True):
        sums = [row[own].sum() for own in tree.allowed[:-1]]
        sure = [c for c, total in enumerate(sums) if total >= threshold]
        if not sure:
            assert code == -1 and said == pytest.approx(max(sums))
            continue
        fewest = min(tree.allowed[c].sum() for c in sure)
        assert tree.allowed[code].sum() == fewest and said == pytest.approx(sums[code])
        assert sums[code] == pytest.approx(
            max(sums[c] for c in sure if tree.allowed[c].sum() == fewest)
        )


def test_calibrated_types_give_calibrated_answers_at_every_depth():
    random = np.random.default_rng(1)
    p = random.dirichlet(np.full(4, 0.4), 8_000)
    y = np.array([random.choice(4, p=row) for row in p])
    found = back_off(p, TREE, 0.8)
    right = TREE.allowed[found.code, y]
    for depth in (0, 1, 2):
        own = found.depth == depth
        assert own.sum() > 200
        assert right[own].mean() == pytest.approx(found.confidence[own].mean(), abs=0.03)


def test_a_set_is_said_by_what_holds_it_where_that_is_shorter():
    assert in_names([0, 1], TREE) == ("CD4 T",)
    assert in_names([0, 2], TREE) == ("T",)  # of three types two
    assert in_names([0, 3], TREE) == ("CD4 naive", "B")
    assert in_names([0, 1, 3], TREE) == ("CD4 T", "B")
    assert in_names([2], TREE) == ("CD8",) and in_names([], TREE) == ()


@given(st.sets(st.integers(0, 3)))
def test_what_a_set_is_said_as_holds_all_of_it(chosen):
    said = in_names(chosen, TREE)
    held = np.zeros(4, dtype=bool)
    for name in said:
        code = LEAVES.index(name) if name in LEAVES else 4 + TREE.nodes.index(name)
        held |= TREE.allowed[code]
    assert held[list(chosen)].all() and len(said) <= max(1, len(chosen))
    assert held.sum() < 2 * max(1, len(chosen))
