"""The accuracy benchmark: hidden labels stay hidden, nothing is measured twice, intervals hold."""

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse, stats
from sklearn.metrics import f1_score

from benchmarks.accuracy import ablation, paired, records, run
from benchmarks.accuracy.cells import ONE_BATCH, Cells, hidden_cells, shown_labels, split
from benchmarks.accuracy.compare import Table
from benchmarks.accuracy.methods import ABLATIONS, METHODS
from benchmarks.accuracy.scores import calibration_error, scores
from benchmarks.accuracy.table import lines, short
from benchmarks.accuracy.task import Answer, Task
from scanvi_core.train import training

RANDOM = np.random.default_rng(0)
TYPES = np.repeat([0, 1, 2, 3, 4, -1], [200, 40, 5, 2, 1, 10])


@pytest.fixture
def cells():
    means = RANDOM.gamma(1.0, 2.0, (3, 40))
    types = np.arange(90) % 3
    counts = sparse.csr_array(RANDOM.poisson(means[types]).astype(np.float32))
    genes = tuple(map(str, range(40)))
    return Cells("toy", counts, genes, types, ("a", "b", "c"), np.zeros(90, dtype=np.int64))


@pytest.fixture
def grid(tmp_path, cells, monkeypatch):
    data = tmp_path / "data"
    data.mkdir()
    (data / "toy.h5ad").touch()
    monkeypatch.setattr(run, "load", lambda *_: cells)
    return run.Grid(data, tmp_path / "cache", tmp_path / "results", masks=(0, 1))


def answers(task, names=("it",)):
    table = np.eye(task.n_types, dtype=np.float32)[np.zeros(len(task.y), dtype=int)]
    return Answer(dict.fromkeys(names, table), 1.0, 1.0)


# Masks --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fraction", "shown"), [(0.015, [3, 3, 3, 1, 1]), (0.1, [20, 4, 3, 1, 1])]
)
def test_of_each_type_the_fraction_is_shown_and_three_cells_at_least(fraction, shown):
    y = shown_labels(TYPES, fraction, 0)
    assert np.bincount(y[y >= 0]).tolist() == shown


def test_shown_labels_are_true_and_cells_without_a_label_stay_out():
    y = shown_labels(TYPES, 0.1, 3)
    assert (y[y >= 0] == TYPES[y >= 0]).all()
    hidden = hidden_cells(TYPES, y)
    assert (y[hidden] == -1).all()
    assert (TYPES[hidden] >= 0).all()
    assert len(hidden) + (y >= 0).sum() == (TYPES >= 0).sum()


def test_masks_differ_and_a_larger_fraction_shows_more_of_the_same():
    few, many = shown_labels(TYPES, 0.015, 1), shown_labels(TYPES, 0.1, 1)
    assert (many[few >= 0] == few[few >= 0]).all()
    assert (shown_labels(TYPES, 0.1, 2) != many).any()
    assert (shown_labels(TYPES, 0.1, 1) == many).all()


def test_no_method_sees_a_hidden_label(grid, cells):
    seen = []

    def spy(task):
        seen.append(task)
        return answers(task)

    list(run.run(grid, {"spy": lambda: spy}))
    assert len(seen) == 4
    for task, (fraction, mask) in zip(seen, product((0.015, 0.1), grid.masks), strict=True):
        hidden = hidden_cells(cells.types, shown_labels(cells.types, fraction, mask))
        assert (task.y[hidden] == -1).all()
        assert len(hidden) == 90 - 9
        given = [getattr(task, name) for name in task.__slots__]
        assert not any(np.shares_memory(value, cells.types) for value in given)


BATCHES = np.repeat([0, 1, 2], [30, 50, 10])


def test_with_the_labels_of_one_batch_no_other_batch_shows_any(cells):
    cells = replace(cells, batch=BATCHES)
    for mask, batch in enumerate([1, 0, 2]):
        shown, types = split(cells, ONE_BATCH, mask)
        assert ((shown >= 0) == (batch == BATCHES)).all()
        np.testing.assert_array_equal(types, cells.types)
    assert split(cells, ONE_BATCH, 3) is None
    assert split(replace(cells, batch=np.zeros(90, dtype=int)), ONE_BATCH, 0) is None


def test_types_that_the_labeled_batch_lacks_are_not_scored(cells):
    cells = replace(cells, batch=np.where(cells.types == 1, 1, BATCHES * 2))
    assert split(cells, ONE_BATCH, 1) is None  # a batch of one type
    shown, types = split(cells, ONE_BATCH, 0)
    assert shown.max() == 1
    np.testing.assert_array_equal(types, np.array([0, -1, 1])[cells.types])


def test_a_data_set_without_batches_has_no_row_for_one_batch(grid):
    found = list(run.run(grid, {"it": lambda: answers}))
    assert {record.fraction for record in found} == {0.015, 0.1}


@pytest.mark.parametrize("name", ["logistic", "pca+logistic", "pca+knn", "product"])
def test_a_baseline_answers_the_same_whatever_the_hidden_labels_are(name, cells):
    y = shown_labels(cells.types, 0.1, 0)
    task = Task(cells.counts, y, cells.batch, 0, 1, Path())
    table = METHODS[name](task)[name]
    assert table.shape == (90, 3)
    np.testing.assert_allclose(table.sum(axis=1), 1.0, rtol=1e-5)
    assert (table.argmax(axis=1) == cells.types).mean() > 0.8


# Going on where it stopped ---------------------------------------------------------------------


def test_what_is_measured_is_not_measured_again(grid):
    calls = []

    def count(task):
        calls.append(task.seed)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return answers(task)

    with pytest.raises(KeyboardInterrupt):
        list(run.run(grid, {"it": lambda: count}))
    assert len(records.read_all(grid.results)) == 2
    assert len(list(run.run(grid, {"it": lambda: count}))) == 2
    assert len(calls) == 5
    assert list(run.run(grid, {"it": lambda: pytest.fail("asked for")})) == []


def test_a_half_written_last_line_is_measured_again(grid):
    list(run.run(grid, {"it": lambda: answers}))
    path = grid.results / "it.jsonl"
    path.write_text(path.read_text()[:-30])
    assert len(list(run.run(grid, {"it": lambda: answers}))) == 1
    assert len(records.read_all(grid.results)) == 4


def test_one_run_may_be_listed_under_two_names(grid):
    found = list(run.run(grid, {"it": lambda: lambda task: answers(task, ("it", "it alone"))}))
    assert len(found) == 8
    assert list(run.run(grid, {"it": lambda: pytest.fail("asked for")})) == []


@pytest.mark.parametrize(
    ("only", "wanted"),
    [
        ((), True),
        (("it",), True),
        (("it/toy",), True),
        (("i*/t?y",), True),
        (("it/other",), False),
    ],
)
def test_only_chooses_methods_and_sets(grid, only, wanted):
    assert run.Grid(grid.data, grid.cache, grid.results, only).wants("it", "toy") is wanted


def test_scvi_tools_is_run_once_per_fraction(grid):
    found = list(run.run(grid, {"scvi-tools": lambda: answers}))
    assert [(record.fraction, record.mask) for record in found] == [(0.015, 0), (0.1, 0)]


# Figures ------------------------------------------------------------------------------------


def test_scores_equal_a_computation_by_hand():
    types = np.array([0, 0, 0, 2, 2, 2])
    table = np.eye(3)[[0, 0, 1, 2, 2, 0]] * 0.6 + 0.1
    found = scores(types, np.vstack([table[:5], np.full((1, 3), np.nan)]))
    assert found.accuracy == pytest.approx(4 / 6)
    assert found.macro_f1 == pytest.approx((2 * 2 / 5 + 2 * 2 / 5) / 2)
    assert found.macro_f1 == pytest.approx(
        f1_score(types, [0, 0, 1, 2, 2, -1], labels=[0, 2], average="macro")
    )


def test_calibration_error_equals_sorted_blocks():
    confidence = RANDOM.random(150)
    right = RANDOM.random(150) < confidence**2
    ranks = stats.rankdata(confidence, method="ordinal") - 1
    gaps = [
        abs(right[ranks // 10 == b].mean() - confidence[ranks // 10 == b].mean())
        for b in range(15)
    ]
    assert calibration_error(right, confidence) == pytest.approx(np.mean(gaps))


def test_the_interval_over_masks_is_that_of_a_paired_t_test():
    ours, theirs = RANDOM.normal(0.8, 0.1, 5), RANDOM.normal(0.7, 0.1, 5)
    expected = stats.ttest_rel(ours, theirs).confidence_interval(0.95)
    found = paired.within(ours - theirs)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.mean == pytest.approx((ours - theirs).mean())


def test_the_interval_over_pairs_agrees_with_scipys_bootstrap():
    gains = [RANDOM.normal(0.02, 0.03, 5) for _ in range(7)]
    expected = stats.bootstrap(
        (np.concatenate(gains),), np.mean, method="percentile", n_resamples=20_000, rng=1
    ).confidence_interval
    found = paired.over_pairs(gains)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-3)
    assert found.n == 35


def test_the_interval_over_sets_agrees_with_all_ways_to_draw_them():
    gains = [np.array([m, m + 0.01]) for m in (-0.02, 0.0, 0.03, 0.05, 0.1)]
    means = [part.mean() for part in gains]
    every = [np.mean(draw) for draw in product(means, repeat=5)]
    found = paired.over_sets(gains)
    assert (found.low, found.high) == pytest.approx(np.quantile(every, [0.025, 0.975]), abs=4e-3)
    assert found.mean == pytest.approx(np.mean(means))


@pytest.mark.parametrize(("shift", "verdict"), [(0.1, "better"), (0.0, "even"), (-0.1, "worse")])
def test_a_verdict_needs_an_interval_on_one_side_of_zero(shift, verdict):
    assert paired.within(np.array([-0.01, 0.0, 0.01]) + shift).verdict == verdict
    assert paired.within(np.array([shift])).verdict == "even"


# Comparisons ---------------------------------------------------------------------------------


def record(method, mask, f1, data_set="s"):
    return records.Record(
        method, data_set, 0.1, mask, 10, 90, f1, f1, 0.1, 1.0, 1.0, 1, "c", "abc", "box"
    )


def table_of(*made):
    return Table({one.key: one for one in made})


def test_the_rival_is_the_best_baseline_measured_under_the_same_masks():
    ours = [record("standard", mask, 0.8 + mask / 100) for mask in range(3)]
    good = [record("product", mask, 0.7) for mask in range(3)]
    bad = [record("logistic", mask, 0.6) for mask in range(3)]
    table = table_of(*ours, *good, *bad, record("celltypist", 0, 0.99))
    rival = table.rival("standard", "s", 0.1, ["logistic", "product", "celltypist"], "macro_f1")
    assert rival.baseline == "product"
    np.testing.assert_allclose(rival.gains, [0.1, 0.11, 0.12])


def test_the_tables_show_a_set_that_is_lost():
    ours = [record("standard", mask, 0.5 + mask / 1000) for mask in range(3)]
    table = table_of(*ours, *(record("product", mask, 0.7) for mask in range(3)))
    assert "| s | 10.0% | product | 0.700 | -0.199 (-0.201 to -0.197) | worse |" in lines(table)
    row = short(table).rows[0]
    assert row[-1] == "worse"
    assert row[-2] == "0.700 / 0.700 product"


# What each ingredient is worth --------------------------------------------------------------


def test_a_variant_is_compared_with_the_recipe_by_means_over_sets():
    made = [
        replace(record(method, 0, f1, data_set), accuracy=f1 + 0.1)
        for method, figures in (
            ("ablation", (0.5, 0.7)),
            ("ablation: SCANVI alone", (0.4, 0.6)),
            ("ablation: zinb in place of nb", (0.6, 0.7)),
        )
        for data_set, f1 in zip("st", figures, strict=True)
    ]
    rows = {row[0]: row[1:] for row in ablation.table_of(table_of(*made)).rows}
    assert rows["as it is"] == ["0.700 / 0.600", None]
    assert rows["SCANVI alone"] == ["0.600 / 0.500", "-0.100 / -0.100"]
    assert rows["zinb in place of nb"] == ["0.750 / 0.650", "+0.050 / +0.050"]


def test_without_measurements_there_is_no_table_of_ingredients():
    assert ablation.table_of(table_of(record("quick", 0, 0.5))) is None


@pytest.mark.parametrize("name", ["ablation", "ablation: zinb in place of nb"])
def test_a_variant_answers_for_itself_and_its_network_alone(name, cells):
    shown, _ = split(cells, 0.1, 0)
    task = Task(cells.counts, shown, cells.batch, 0, 1, Path())
    answer = ABLATIONS[name](task)
    assert {name, f"{name}: SCANVI alone"} <= answer.keys()
    assert len(answer) == (6 if name == "ablation" else 2)
    assert all(np.allclose(table.sum(axis=1), 1, atol=1e-5) for table in answer.values())


def test_the_variant_without_a_teacher_has_none(cells):
    shown, _ = split(cells, 0.1, 0)
    task = Task(cells.counts, shown, cells.batch, 0, 1, Path())
    names = "ablation", ablation.UNTAUGHT
    taught, untaught = (ABLATIONS[name](task)[f"{name}: SCANVI alone"] for name in names)
    assert not np.allclose(taught, untaught)
    assert training.TAUGHT_FROM < 1
