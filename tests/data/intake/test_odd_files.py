"""Every odd file ends in a data set with the notices, or in the refusal, that its entry states."""

import pytest

from scanvi_core.data.dataset import Dataset
from tests.data.intake import truth
from tests.data.intake.odd_cases import CASES, ODD, WAITS, entries
from tests.data.intake.outcomes import ask, deviations

pytestmark = pytest.mark.skipif(not ODD.exists(), reason="the odd files are not here")


def derived(name, folder):
    return ask(ODD / "derived" / f"{name}.h5ad", folder)


def test_no_file_is_without_an_entry():
    assert set(entries()) == set(CASES)


def parameters():
    for name in CASES:
        waits = [pytest.mark.xfail(strict=True, reason=WAITS[name])] if name in WAITS else []
        yield pytest.param(name, marks=waits)


@pytest.mark.parametrize("name", list(parameters()))
def test_a_file_ends_as_its_entry_states(name, tmp_path):
    path = ODD / name
    totals = lambda source: truth.totals(path, source)
    assert deviations(path, tmp_path / "ds", CASES[name], totals) == []


@pytest.mark.parametrize(
    "name", ["csc", "dense_float64_lzf", "int64_csr", "X_none_counts_in_layer"]
)
def test_storage_never_changes_the_numbers(name, tmp_path):
    plain = derived("duplicate_obs_names", tmp_path / "a")["result"]
    assert derived(name, tmp_path / "b")["result"]["counts_sha256"] == plain["counts_sha256"]


def test_labels_keep_their_spelling_and_their_gaps(tmp_path):
    derived("whitespace_unicode_labels", tmp_path / "a")
    assert {" NK", "NK ", "NK"} <= set(
        Dataset.open(tmp_path / "a").obs["cell_type"].cat.categories
    )
    derived("nan_labels_unused_categories", tmp_path / "b")
    assert Dataset.open(tmp_path / "b").column("cell_type").isna().sum() > 0


def test_a_column_with_one_value_per_cell_is_no_candidate(tmp_path):
    result = derived("every_cell_own_class", tmp_path / "ds")["result"]
    assert "cell_type" not in [item["key"] for item in result["labels_candidates"]]
    assert result["batch_candidates"][0]["key"] == "batch"


def test_inspecting_writes_nothing_and_finds_the_same(tmp_path):
    path = ODD / "derived" / "lognorm_X_raw_counts.h5ad"
    found = ask(path, tmp_path / "ds", "inspect")["result"]
    assert list(tmp_path.iterdir()) == []
    assert found["counts_source"] == "raw.X"
    assert found["matrices"] == ask(path, tmp_path / "ds")["result"]["matrices"]


def test_old_tables_keep_their_categories(tmp_path):
    ask(ODD / "zellkonverter" / "example_anndata.h5ad", tmp_path / "ds")
    assert Dataset.open(tmp_path / "ds").column("louvain").cat.categories.size > 2
