"""Rules against an evaluator that asks cell by cell, their JSON, and their words."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from scanvi_core.annotation.selection import neighbors
from scanvi_core.annotation.selection.cell_sets import evaluate, packed, size, unpacked
from scanvi_core.annotation.selection.neighbors import Neighbors
from scanvi_core.annotation.selection.rule_words import in_words, rule_in_words
from scanvi_core.annotation.selection.rules import (
    MAX_TERMS,
    Condition,
    Group,
    Rule,
)
from scanvi_core.errors import InputError

some = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
N = 21  # not a whole number of bytes
NAMES = "ABCDE"

joins = st.sampled_from(["and", "or"])
genes = st.builds(
    Condition, st.just("gene"), st.sampled_from(NAMES), low=st.just(0.0), negated=st.booleans(),
    join=joins,
)  # fmt: skip
nears = st.builds(Condition, st.just("near"), steps=st.integers(1, 3))
groups = st.builds(
    Group, st.lists(st.one_of(genes, genes, nears), min_size=1, max_size=4).map(tuple), joins,
    st.booleans(),
)  # fmt: skip
rules = st.builds(Rule, st.lists(groups, max_size=4).map(tuple))
worlds = st.lists(
    st.lists(st.booleans(), min_size=N, max_size=N), min_size=len(NAMES), max_size=len(NAMES)
)


def by_cell(rule, world):
    """Return the selected cells as a set, from sets of cells: no bits, no unknowns."""
    have = {
        name: {i for i in range(N) if column[i]} for name, column in zip(NAMES, world, strict=True)
    }

    def grow(cells, steps):  # the neighbor of a cell is the next one
        return {i + k for i in cells for k in range(steps + 1) if i + k < N}

    def fold(parts):
        found = None
        for join, part in parts:
            if isinstance(part, int):
                found = grow(found or set(), part)
            elif found is None:
                found = part
            else:
                found = found & part if join == "and" else found | part
        return found or set()

    def of_term(term):
        if term.kind == "near":
            return term.steps
        return set(range(N)) - have[term.name] if term.negated else have[term.name]

    def of_group(group):
        if len(group.terms) == 1 and group.terms[0].kind == "near":
            return group.terms[0].steps
        own = fold([(term.join, of_term(term)) for term in group.terms])
        return set(range(N)) - own if group.negated else own

    return fold([(group.join, of_group(group)) for group in rule.groups])


def run(rule, world, unknown=()):
    def look(term):
        return None if term.name in unknown else packed(world[NAMES.index(term.name)])

    def grow(bits, steps):
        mask = unpacked(bits, N).copy()
        for _ in range(steps):
            mask[1:] |= mask[:-1].copy()
        return packed(mask)

    found = evaluate(rule, N, look, grow)
    return tuple(set(np.flatnonzero(unpacked(bits, N)).tolist()) for bits in
                 (found.surely, found.perhaps))  # fmt: skip


@some
@given(rules, worlds)
def test_a_rule_selects_what_asking_cell_by_cell_selects(rule, world):
    expected = by_cell(rule, world)
    assert run(rule, world) == (expected, expected)


@some
@given(rules, worlds, st.sets(st.sampled_from(NAMES), min_size=1, max_size=2))
def test_what_is_selected_with_unknown_conditions_holds_whatever_they_would_say(
    rule, world, unknown
):
    surely, perhaps = run(rule, world, unknown)
    for answers in itertools.product([False, True], repeat=len(unknown)):
        filled = list(world)
        for name, every in zip(sorted(unknown), answers, strict=True):
            filled[NAMES.index(name)] = [every] * N
        assert surely <= by_cell(rule, filled) <= perhaps


@some
@given(rules)
def test_a_rule_survives_json(rule):
    assert Rule.from_json(json.loads(json.dumps(rule.to_json()))) == rule


def test_every_field_of_a_condition_survives_json():
    terms = (
        Condition("polygon", "z1", corners=((0.1, 0.2), (1e-9, 3.0), (5.0, 6.0)), origin="ab"),
        Condition("column", "n", low=0.5, high=2.0, negated=True, join="or"),
        Condition("label", values=("B", "")),
    )
    rule = Rule((Group(terms, "or", True), Group((Condition("near", steps=2),))))
    assert Rule.from_json(json.loads(json.dumps(rule.to_json()))) == rule


@some
@given(rules, worlds)
def test_tying_and_untying_change_no_condition(rule, world):
    for at in range(1, len(rule.groups)):
        if len(rule.groups[at].terms) == 1 and not rule.groups[at].negated:
            tied = rule.tie(at)
            assert len(list(tied.terms)) == len(list(rule.terms))
            assert run(tied.untie(at - 1), world) == run(rule, world)


A, B, C, D = (Condition("gene", name, low=0.0) for name in "ABCD")


def build(*steps):
    rule = Rule()
    for operation, term in steps:
        rule = rule.joined([term], operation)
    return rule


@some
@given(worlds)
def test_the_tools_of_the_map_read_from_left_to_right(world):
    rule = build(("replace", A), ("add", B), ("subtract", C), ("intersect", D))
    a, b, c, d = (set(np.flatnonzero(world[i]).tolist()) for i in range(4))
    assert run(rule, world)[0] == (((a | b) - c) & d)


@some
@given(worlds)
def test_a_bracket_is_worked_out_first(world):
    rule = build(("replace", A), ("intersect", B), ("add", C), ("intersect", D)).tie(3)
    a, b, c, d = (set(np.flatnonzero(world[i]).tolist()) for i in range(4))
    assert run(rule, world)[0] == ((a & b) | (c & d))


@some
@given(worlds)
def test_several_conditions_taken_away_leave_as_one(world):
    rule = Rule().joined([A], "replace").joined([B, C], "subtract")
    a, b, c = (set(np.flatnonzero(world[i]).tolist()) for i in range(3))
    assert run(rule, world)[0] == a - (b & c)
    assert run(rule.without(1, 0), world)[0] == a - c  # the bracket's "not" stays with the last


def test_editing_turns_swaps_and_removes_one_condition():
    rule = build(("replace", A), ("intersect", B))
    assert rule_in_words(rule.negate(1, 0)) == "A over 0 and not B over 0"
    assert rule_in_words(rule.rejoin(1, 0)) == "A over 0 or B over 0"
    assert rule_in_words(rule.without(0, 0)) == "B over 0"
    assert not rule.without(0, 0).without(0, 0)


@pytest.mark.parametrize("operation", ["subtract", "intersect", "clear"])
def test_nothing_comes_of_taking_from_nothing(operation):
    assert not Rule().joined([A], operation)


def test_words_show_how_a_rule_is_read():
    rule = build(("replace", A), ("add", B), ("intersect", C))
    assert rule_in_words(rule) == "(A over 0 or B over 0) and C over 0"
    assert rule_in_words(rule.tie(2)) == "A over 0 or (B over 0 and C over 0)"
    grown = build(("replace", A), ("add", B), ("add", Condition("near", steps=2)))
    assert rule_in_words(grown) == "(A over 0 or B over 0) and neighbors (2 steps)"


@pytest.mark.parametrize(
    ("term", "words"),
    [
        (Condition("polygon", "z1"), "drawn on Map 1"),
        (Condition("gene", "CD3D", low=1.25, negated=True), "not CD3D over 1.25"),
        (Condition("confidence", low=0.5, high=0.8), "confidence 50 to 80 %"),
        (Condition("confidence", high=0.8), "confidence up to 80 %"),
        (Condition("column", "age", low=3.0), "age from 3"),
        (Condition("column", "site", values=("a", "")), "site a or missing"),
        (Condition("batch", values=("x",)), "batch x"),
    ],
)
def test_a_condition_in_words(term, words):
    assert in_words(term, {"z1": "Map 1"}) == words


BROKEN = [
    None, 3, {}, {"scanvi_rule": 1}, {"scanvi_rule": 99, "groups": []},
    {"scanvi_rule": 1, "groups": [{"join": "and", "negated": False, "terms": []}]},
]  # fmt: skip
BROKEN_TERMS = [
    {"kind": "gene", "name": "A"}, {"kind": "gene", "low": 1}, {"kind": "nonsense"},
    {"kind": "near", "steps": 10**9}, {"kind": "polygon", "name": "z1", "corners": [[0, 1]]},
    {"kind": "gene", "name": "A", "low": "x"}, {"kind": "gene", "name": "A", "low": float("nan")},
    {"kind": "label"}, {"kind": "gene", "name": "A", "low": 1, "join": "xor"},
    {"kind": "gene", "name": "A", "low": 1, "more": 1}, {"kind": "column", "name": "a"},
]  # fmt: skip


@pytest.mark.parametrize("plain", BROKEN)
def test_what_is_no_rule_is_refused_in_a_sentence(plain):
    with pytest.raises(InputError):
        Rule.from_json(plain)


@pytest.mark.parametrize("term", BROKEN_TERMS)
def test_what_is_no_condition_is_refused_in_a_sentence(term):
    groups = [{"join": "and", "negated": False, "terms": [term]}]
    with pytest.raises(InputError):
        Rule.from_json({"scanvi_rule": 1, "groups": groups})


def test_a_rule_has_an_end():
    rule = Rule().joined([A] * MAX_TERMS, "replace")
    with pytest.raises(InputError):
        rule.joined([B], "add")


@pytest.mark.parametrize("n", [1, 7, 8, 64, 1000])
def test_a_set_keeps_its_cells_and_their_number(n):
    mask = np.random.default_rng(n).random(n) < 0.4
    assert np.array_equal(unpacked(packed(mask), n), mask)
    assert size(packed(mask)) == mask.sum()


# Neighbors -------------------------------------------------------------------------------------


def test_neighbors_of_few_cells_are_the_exact_ones():
    z = np.random.default_rng(0).normal(size=(300, 5))
    rows = np.array([3, 250])
    exact = NearestNeighbors(n_neighbors=16).fit(z).kneighbors(z[rows], return_distance=False)
    assert set(Neighbors(z).of(rows).tolist()) == set(exact.ravel().tolist())


def test_neighbors_of_many_cells_are_nearly_the_exact_ones(monkeypatch):
    monkeypatch.setattr(neighbors, "EXACT_CELLS", 100)
    z = np.random.default_rng(0).normal(size=(3_000, 3))
    rows = np.arange(0, 3_000, 100)
    exact = NearestNeighbors(n_neighbors=16).fit(z).kneighbors(z[rows], return_distance=False)
    found = Neighbors(z)
    hits = [len(set(found.of(rows[i : i + 1])) & set(exact[i])) for i in range(len(rows))]
    assert np.mean(hits) / 16 > 0.95


@pytest.mark.parametrize("exact", [10, 1_000])
def test_cells_without_a_place_are_nobodys_neighbors(exact, monkeypatch):
    monkeypatch.setattr(neighbors, "EXACT_CELLS", exact)
    z = np.random.default_rng(0).normal(size=(200, 3))
    whole = Neighbors(z[50:], k=5).of(np.arange(10)) + 50
    z[:50] = np.nan
    assert set(Neighbors(z, k=5).of(np.arange(45, 60))) <= set(range(50, 200))
    assert not Neighbors(z, k=5).of(np.arange(5)).size
    if exact > len(z):
        assert np.array_equal(Neighbors(z, k=5).of(np.arange(50, 60)), whole)


def test_growing_goes_on_from_neighbor_to_neighbor():
    z = np.arange(60, dtype=float)[:, None]  # on a line: two neighbors on either side
    mask = np.zeros(60, dtype=bool)
    mask[30] = True
    grown = Neighbors(z, k=2).grown(mask, 2)
    assert np.flatnonzero(grown).tolist() == [28, 29, 30, 31, 32]
    assert np.flatnonzero(mask).tolist() == [30]
    assert not Neighbors(z, k=2).grown(np.zeros(60, dtype=bool), 3).any()
