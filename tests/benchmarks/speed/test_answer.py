"""The time to an answer: which preset counts, what is divided by what, and the same cells."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.accuracy.answering import Try, read
from benchmarks.accuracy.cells import load
from benchmarks.speed import answer
from tests import SHARED

DATA = SHARED / "data" / "pbmc68k_reduced_counts.h5ad"


def a_try(recipe, f1, seconds):
    return Try(recipe, f1, seconds, seconds / 2, 100)


def row(tries, theirs, side_by_side=False, n_cells=100):
    return answer.Row("s", n_cells, tuple(tries), theirs, side_by_side, 9.0, 500.0)


@pytest.fixture
def measured(monkeypatch):
    """Measure against a rival of macro-F1 .7, with presets of known quality and no training."""
    quality = {"quick": 0.6, "standard": 0.7, "thorough": 0.8}
    asked = []

    def attempt(path, preset, fraction, mask):
        asked.append(preset)
        return a_try(preset, quality[preset], float(len(asked)))

    class Done:
        stdout = "512.5\n"

    monkeypatch.setattr(answer, "attempt", attempt)
    monkeypatch.setattr(answer.subprocess, "run", lambda *_, **__: Done)
    found = answer.measure(Path("s.h5ad"), a_try("scvi-tools", 0.7, 100.0), 3, False)
    return found, asked


def test_the_first_preset_that_is_as_good_counts_and_is_repeated(measured):
    found, asked = measured
    assert asked == ["quick", "standard", "standard", "standard"]
    assert [one.recipe for one in found.tries] == ["quick", "standard"]
    assert found.tries[-1].seconds == 3.0  # the median of 2, 3 and 4
    assert found.peak_rss_mb == 512.5


def test_the_ratio_is_that_of_computing_for_stored_times_and_of_the_wall_side_by_side():
    tries = [Try("quick", 0.8, 10.0, 2.0, 100)]
    theirs = Try("scvi-tools", 0.7, 300.0, 100.0, 100)
    assert row(tries, theirs).ratio() == 50.0
    assert row(tries, theirs, side_by_side=True).ratio() == 30.0


def test_presets_that_fell_short_are_counted_apart():
    found = row([a_try("quick", 0.6, 10.0), a_try("standard", 0.8, 20.0)], a_try("t", 0.7, 300.0))
    assert found.ratio() == 15.0
    assert found.whole_ratio == 10.0


def test_where_no_preset_is_as_good_the_table_says_so_and_no_mean_counts_it():
    theirs = a_try("scvi-tools", 0.7, 300.0)
    lost = row([a_try("thorough", 0.6, 1.0)], theirs, n_cells=5_000)
    won = row([a_try("quick", 0.8, 10.0)], theirs, n_cells=5_000)
    small = row([a_try("quick", 0.8, 2.0)], theirs)
    body = answer.result([lost, won, small]).rows
    assert body[0][2] == "none is as good"
    assert body[0][7] is None
    assert np.isnan(lost.ratio())
    assert body[-2][7] == "30.0"
    assert body[-1][7] == f"{(30 * 150) ** 0.5:.1f}"


@pytest.mark.skipif(not DATA.exists(), reason="needs ../shared/data")
def test_the_timed_way_reads_the_very_cells_that_the_accuracy_table_is_made_of(tmp_path):
    timed, stored = read(DATA, tmp_path / "data"), load(DATA, tmp_path)
    assert (timed.name, timed.genes) == (stored.name, stored.genes)
    assert (timed.counts != stored.counts).nnz == 0
    np.testing.assert_array_equal(timed.types, stored.types)
    np.testing.assert_array_equal(timed.batch, stored.batch)
