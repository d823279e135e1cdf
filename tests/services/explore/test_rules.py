"""Rules in a project: every kind of condition against numpy, the log, and other data."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from scanvi_core.errors import InputError, StaleEdit
from scanvi_core.services.diagnostics import uncertainty
from scanvi_core.services.explore import cell_values, colors, conditions, maps, rules, selection
from scanvi_core.services.explore.rules import Condition, LabelRule, Rule
from scanvi_core.services.labels import edit, history
from scanvi_core.services.runs import results
from scanvi_core.services.workspace import workspace

CORNERS = ((0, 0), (1, 0), (1, 1))


def one(*terms):
    return Rule().joined(terms, "replace")


def mask(project, *terms):
    found = rules.select(workspace(project), one(*terms))
    assert not found.notes, found.notes
    assert found.n == found.mask.sum()
    return found.mask


def column(project, name):
    return workspace(project).dataset.obs[name]


def test_a_gene_is_above_its_level(project):
    values = workspace(project).dataset.gene("CD3D")
    assert np.array_equal(mask(project, Condition("gene", "CD3D", low=1.0)), values > 1.0)
    off = Condition("gene", "CD3D", low=0.0, negated=True)
    assert np.array_equal(mask(project, off), values == 0)
    assert np.array_equal(mask(project, Condition("gene", "cd3d", low=1.0)), values > 1.0)


def test_labels_as_they_are_and_as_they_came(labeled):
    state = workspace(labeled).labels()
    b = np.array([*state.names, ""], dtype=object)[state.codes] == "CD19+ B"
    assert np.array_equal(mask(labeled, Condition("label", values=("CD19+ B",))), b)
    assert np.array_equal(mask(labeled, Condition("label", values=("",))), state.codes < 0)
    edit.name_cells(workspace(labeled), np.flatnonzero(b), "Mine", "lasso")
    brought = column(labeled, "cell_type").astype(str) == "CD19+ B"
    assert np.array_equal(mask(labeled, Condition("given", values=("CD19+ B",))), brought)
    assert np.array_equal(mask(labeled, Condition("label", values=("Mine",))), b)


def test_batches_and_columns_of_the_file(project):
    batch = column(project, "batch").astype(str)
    first = sorted(batch.unique())[0]
    assert np.array_equal(mask(project, Condition("batch", values=(first,))), batch == first)
    louvain = column(project, "louvain").astype(str)
    chosen = ("0", "2")
    found = mask(project, Condition("column", "louvain", values=chosen))
    assert np.array_equal(found, louvain.isin(chosen))
    name = next(name for name, number in cell_values.columns(workspace(project)).items() if number)
    values = column(project, name).to_numpy(float)
    low, high = np.nanquantile(values, (0.2, 0.6))
    found = mask(project, Condition("column", name, low=float(low), high=float(high)))
    assert np.array_equal(found, (values >= low) & (values <= high))


def test_what_a_model_says(trained):
    found = results.current(workspace(trained))
    name = found.names[0]
    assert np.array_equal(
        mask(trained, Condition("predicted", values=(name,))), found.prediction == 0
    )
    sure = mask(trained, Condition("confidence", low=0.5, high=0.9))
    assert np.array_equal(sure, (found.confidence >= 0.5) & (found.confidence <= 0.9))


def test_a_shape_holds_the_cells_inside_of_its_map(project):
    xy = maps.coordinates(workspace(project), "X_umap")
    middle = np.median(xy, axis=0)
    low, high = middle - 2, middle + 2
    square = np.array([low, [high[0], low[1]], high, [low[0], high[1]]])
    term = conditions.drawn(workspace(project), xy, square)
    assert (term.kind, term.name) == ("polygon", "X_umap")
    inside = ((xy > low) & (xy < high)).all(axis=1)
    assert inside.any() and np.array_equal(mask(project, term), inside)


def test_neighbors_are_those_of_the_models_map(trained):
    z1 = np.asarray(workspace(trained).current_run().array(results.Z1))
    start = np.arange(5)
    near = NearestNeighbors(n_neighbors=16).fit(z1).kneighbors(z1[start], return_distance=False)
    selection.pick(workspace(trained), "t", np.isin(np.arange(700), start))
    selection.join(workspace(trained), "t", [Condition("near", steps=1)], "add")
    picked = np.flatnonzero(selection.picked(workspace(trained), "t"))
    assert set(picked) == {*start.tolist(), *near.ravel().tolist()}
    found = selection.selection(workspace(trained), "t")
    assert (found.counts, found.notes) == ((5, None), ())


def test_without_a_model_neighbors_are_unknown_and_it_is_said(project):
    found = rules.select(
        workspace(project),
        one(Condition("gene", "CD3D", low=0.0)).joined([Condition("near", steps=1)], "add"),
    )
    assert found.n == mask(project, Condition("gene", "CD3D", low=0.0)).sum()
    assert "train a model first" in found.notes[0]


def test_clusters_are_those_that_were_meant(project):
    codes = np.arange(700) % 3
    opened = workspace(project)
    maps._save(maps._derived(opened, maps.CLUSTERS), codes)
    term = Condition("cluster", values=("2",), origin=cell_values.cluster_origin(opened))
    assert np.array_equal(mask(project, term), codes == 1)
    other = rules.select(workspace(project), one(replace(term, origin="other")))
    assert not other.n and "clusters are other ones" in other.notes[0]


def test_reasons_for_doubt(trained, monkeypatch):
    reason = np.arange(700) % 4
    none = np.zeros(700)
    found = uncertainty.Uncertainty("0001", none, reason.astype(np.int8), *[none] * 5)
    monkeypatch.setattr(uncertainty, "reasons", lambda _: found)
    assert np.array_equal(mask(trained, Condition("reason", values=("novel",))), reason == 2)


def test_what_is_not_here_is_named_and_selects_nothing_by_itself(project):
    for term, said in (
        (Condition("gene", "NOGENE", low=0.0), "no gene NOGENE"),
        (Condition("batch", values=("B77",)), "no batch B77"),
        (Condition("column", "nowhere", values=("a",)), "no column nowhere"),
        (
            Condition("polygon", "X_umap", corners=CORNERS, origin="x"),
            "another one",
        ),
        (Condition("polygon", "z1", corners=CORNERS), "Model map (z1)"),
        (Condition("predicted", values=("B",)), "no predictions"),
        (Condition("cells", "abc.12"), "12 cells that were picked by hand"),
    ):
        found = rules.select(workspace(project), one(term))
        assert (found.n, found.counts) == (0, (None,))
        assert said in found.notes[0]
        assert not rules.select(workspace(project), one(replace(term, negated=True))).n


def test_a_known_way_to_fulfill_a_rule_is_used_where_another_is_unknown(project):
    known, unknown = Condition("gene", "CD3D", low=0.0), Condition("batch", values=("B77",))
    either = rules.select(workspace(project), one(known).joined([unknown], "add"))
    both = rules.select(workspace(project), one(known).joined([unknown], "intersect"))
    assert (either.n, both.n) == (mask(project, known).sum(), 0)


def test_the_chip_to_remove_is_named_when_none_is_left(project):
    some, none = Condition("gene", "CD3D", low=0.0), Condition("gene", "CD3D", low=9.0)
    found = rules.select(workspace(project), one(some).joined([none], "intersect"))
    n = mask(project, some).sum()
    assert rules.advice(workspace(project), found) == f"Without “CD3D over 9” it would be {n:,}."


# The log ----------------------------------------------------------------------------------------


def test_the_rule_is_kept_with_the_label_and_told_in_words(project):
    rule = one(Condition("gene", "CD79A", low=0.5)).joined(
        [Condition("gene", "CD3D", low=0.0)], "subtract"
    )
    rules.name_cells(workspace(project), rules.select(workspace(project), rule), "B")
    assert rules.logged(workspace(project)) == [LabelRule("B", rule)]
    steps = history.table(workspace(project))
    assert steps["why"].iloc[0] == "CD79A over 0.5 and not CD3D over 0"
    edit.undo(workspace(project))
    assert rules.logged(workspace(project)) == []


@dataclass
class Shape:
    polygon: np.ndarray
    op: str


def test_a_lasso_is_a_rule_that_finds_the_same_cells_again(project):
    xy = maps.coordinates(workspace(project), "X_umap")
    square = np.array([[-99.0, -99.0], [0.0, -99.0], [0.0, 99.0], [-99.0, 99.0]])
    selection.pick_polygon(workspace(project), "t", xy, Shape(square, "replace"))
    before = selection.picked(workspace(project), "t").copy()
    rules.name_cells(workspace(project), selection.selection(workspace(project), "t"), "Left")
    again = rules.from_file(rules.to_file(workspace(project)))
    assert np.array_equal(rules.select(workspace(project), again[0].rule).mask, before)
    assert "drawn on X_umap" in again[0].words


def test_a_lasso_held_to_types_on_show_says_so(labeled):
    xy = maps.coordinates(workspace(labeled), "X_umap")
    wide = np.array([[-99.0, -99.0], [99.0, -99.0], [99.0, 99.0], [-99.0, 99.0]])
    coloring = colors.coloring(workspace(labeled), colors.LABEL)
    shown = conditions.shown(workspace(labeled), coloring, [0, -1])
    selection.pick_polygon(workspace(labeled), "t", xy, Shape(wide, "replace"), shown)
    assert np.array_equal(
        selection.picked(workspace(labeled), "t"), np.isin(coloring.codes, [0, -1])
    )


def test_the_named_cells_are_those_shown_though_labels_changed_meanwhile(labeled):
    rule = one(Condition("label", values=("CD19+ B",)))
    shown = rules.select(workspace(labeled), rule)
    edit.name_cells(workspace(labeled), np.flatnonzero(shown.mask)[:3], "Other", "lasso")
    with pytest.raises(StaleEdit):
        rules.name_cells(workspace(labeled), shown, "Mine", workspace(labeled).labels().seq - 1)


# On other data ----------------------------------------------------------------------------------


def test_rules_name_the_same_cells_in_another_project(home, imported):
    from tests.projects import copy_of

    first, second = copy_of(imported), copy_of(imported)
    rule = one(Condition("gene", "CD79A", low=0.5))
    rules.name_cells(workspace(first), rules.select(workspace(first), rule), "B")
    found = rules.preview(workspace(second), rules.from_file(rules.to_file(workspace(first))))
    assert rules.apply(workspace(second), found) == mask(first, *rule.terms).sum()
    assert np.array_equal(
        workspace(first).labels().codes >= 0, workspace(second).labels().codes >= 0
    )
    assert rules.logged(workspace(second)) == rules.logged(workspace(first))


def test_cells_that_two_labels_claim_and_labeled_ones_are_left_out(project):
    edit.name_cells(workspace(project), np.arange(100), "Known", "lasso")
    low, high = (Condition("gene", "CD3D", low=level) for level in (0.0, 1.0))
    found = rules.preview(
        workspace(project), [LabelRule("T", one(low)), LabelRule("Other", one(high))]
    )
    free = np.arange(700) >= 100
    torn = mask(project, high)
    assert np.array_equal(found[0].rows, np.flatnonzero(mask(project, low) & ~torn & free))
    assert (found[1].rows.size, found[1].contested) == (0, torn.sum())
    assert found[0].labeled == (mask(project, low) & ~torn & ~free).sum()
    every = rules.preview(workspace(project), [LabelRule("T", one(low))], replace_labels=True)
    assert every[0].rows.size == mask(project, low).sum()


@pytest.mark.parametrize("text", [b"", b"[]", b"\xff", b'{"scanvi_rules": 9, "rules": []}',
                                  b'{"scanvi_rules": 1, "rules": [{"label": "x"}]}',
                                  b'{"scanvi_rules": 1, "rules": [{"label": "", "rule": {}}]}',
                                  b"[" * 100_000])  # fmt: skip
def test_a_file_that_holds_no_rules_is_refused_in_a_sentence(text):
    with pytest.raises(InputError):
        rules.from_file(text)


def test_the_file_of_rules_says_what_it_is(project):
    assert json.loads(rules.to_file(workspace(project))) == {
        "scanvi_rules": 1, "project": "Cells", "rules": [],
    }  # fmt: skip
