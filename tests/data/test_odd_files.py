"""Every odd file ends in a data set with notices or in a refusal with a hint."""

import json
from pathlib import Path

import numpy as np
import pytest

from scanvi_core import errors
from scanvi_core.data.child import answer
from scanvi_core.data.dataset import Dataset

SHARED = Path(__file__).parents[2].parent / "shared"
ODD = SHARED / "odd_files"
FILES = sorted(ODD.rglob("*.h5*")) + sorted(ODD.rglob("*.loom"))
needs_shared = pytest.mark.skipif(not ODD.exists(), reason="the odd files are not here")

DERIVED_OK = {
    "X_none_counts_in_layer": "layers/counts",
    "csc": "X",
    "dense_float64_lzf": "X",
    "duplicate_obs_names": "X",
    "duplicate_var_names": "X",
    "empty_cells": "X",
    "every_cell_own_batch": "X",
    "every_cell_own_class": "X",
    "forty_cells": "X",
    "int64_csr": "X",
    "lognorm_X_raw_counts": "raw.X",
    "median_norm_nolog_layer_odd_name": "layers/raw_counts_here",
    "nan_labels_unused_categories": "X",
    "no_obs_columns": "X",
    "numeric_bool_labels_odd_colnames": "X",
    "scaled_X_raw_lognorm_layer_counts": "layers/counts",
    "single_class": "X",
    "thirty_genes": "X",
    "whitespace_unicode_labels": "X",
}
DERIVED_REFUSED = {
    "few_noninteger_counts": ("CountsNotFound", "5,149 of 421,254 values"),
    "lognorm_only_no_counts": ("CountsNotFound", "log-normalised"),
    "nan_in_counts": ("FileRefused", "nan in cell GTAGCCCTAGACTC.11, gene CA6"),
    "negative_value": ("FileRefused", "-3 in cell GTAGCCCTAGACTC.11, gene CA6"),
    "not_hdf5": ("FileRefused", "a text file"),
    "scaled_only_no_counts": ("CountsNotFound", "scaled"),
    "transposed_genes_by_cells": ("FileRefused", "swapped"),
    "truncated": ("FileRefused", "375,565 of 1,126,697 bytes"),
    "zero_cells": ("FileRefused", "no cells"),
    "zero_genes": ("FileRefused", "no genes"),
}


def ask(path, folder, task="import"):
    """Run a request here instead of in a child, which costs a second each."""
    request = {"task": task, "path": str(path), "matrix": None, "folder": str(folder)}
    return answer({**request, "memory_mb": 4_000, "timeout_s": 60})


def derived(name, folder):
    return ask(ODD / "derived" / f"{name}.h5ad", folder)


@needs_shared
@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_file_loads_sanely_or_is_refused_with_a_hint(path, tmp_path):
    reply = ask(path, tmp_path / "ds")
    if "error" in reply:
        failure = reply["error"]
        assert issubclass(getattr(errors, failure["class"]), errors.InputError)
        assert failure["message"].endswith((".", "?"))
        assert failure["hint"]
        assert "Error:" not in failure["message"]  # no exception shines through
        assert not (tmp_path / "ds").exists()
        return
    dataset = Dataset.open(tmp_path / "ds")
    json.dumps(reply["result"], allow_nan=False)
    counts = dataset.counts
    assert counts.shape == (dataset.n_obs, dataset.n_vars)
    assert (counts.data > 0).all()
    assert (counts.data == np.rint(counts.data)).all()
    assert len(set(dataset.obs_names)) == dataset.n_obs == len(dataset.obs)
    assert len(set(dataset.var_names)) == dataset.n_vars == len(dataset.symbols)
    assert np.array_equal(dataset.totals, np.asarray(counts.sum(axis=1, dtype=float)).ravel())
    assert list(dataset.obs) == list(dataset.manifest["obs_columns"])


@needs_shared
@pytest.mark.parametrize("name", DERIVED_OK)
def test_the_count_matrix_of_a_bent_file_is_found(name, tmp_path):
    assert derived(name, tmp_path / "ds")["result"]["counts_source"] == DERIVED_OK[name]


@needs_shared
@pytest.mark.parametrize("name", DERIVED_REFUSED)
def test_the_refusal_names_what_is_wrong(name, tmp_path):
    kind, words = DERIVED_REFUSED[name]
    failure = derived(name, tmp_path / "ds")["error"]
    assert failure["class"] == kind
    assert words in failure["message"]


@needs_shared
@pytest.mark.parametrize(
    "name", ["csc", "dense_float64_lzf", "int64_csr", "X_none_counts_in_layer"]
)
def test_storage_never_changes_the_numbers(name, tmp_path):
    plain = derived("duplicate_obs_names", tmp_path / "a")["result"]
    assert derived(name, tmp_path / "b")["result"]["counts_sha256"] == plain["counts_sha256"]


@needs_shared
@pytest.mark.parametrize(
    ("name", "where", "words"),
    [
        ("duplicate_obs_names", "repairs", "1 cell name repeated"),
        ("duplicate_var_names", "repairs", "3 gene names repeated"),
        ("empty_cells", "repairs", "2 cells have no counts"),
        ("lognorm_X_raw_counts", "repairs", "The genes of raw.X are used"),
        ("nan_labels_unused_categories", "repairs", "cell_type: 3 values without cells"),
        ("every_cell_own_class", "warnings", "look like barcodes"),
        ("every_cell_own_batch", "warnings", "look like barcodes"),
        ("single_class", "warnings", "it has 1 value"),
        ("whitespace_unicode_labels", "warnings", "differ only by spaces"),
    ],
)
def test_repairs_and_warnings_are_told(name, where, words, tmp_path):
    assert any(words in sentence for sentence in derived(name, tmp_path / "ds")["result"][where])


@needs_shared
def test_labels_keep_their_spelling_and_their_gaps(tmp_path):
    derived("whitespace_unicode_labels", tmp_path / "a")
    assert {" NK", "NK ", "NK"} <= set(
        Dataset.open(tmp_path / "a").obs["cell_type"].cat.categories
    )
    derived("nan_labels_unused_categories", tmp_path / "b")
    assert Dataset.open(tmp_path / "b").column("cell_type").isna().sum() > 0


@needs_shared
def test_a_column_with_one_value_per_cell_is_no_candidate(tmp_path):
    result = derived("every_cell_own_class", tmp_path / "ds")["result"]
    assert "cell_type" not in [item["key"] for item in result["labels_candidates"]]
    assert result["batch_candidates"][0]["key"] == "batch"


@needs_shared
def test_inspecting_writes_nothing_and_finds_the_same(tmp_path):
    path = ODD / "derived" / "lognorm_X_raw_counts.h5ad"
    found = ask(path, tmp_path / "ds", "inspect")["result"]
    assert list(tmp_path.iterdir()) == []
    assert found["counts_source"] == "raw.X"
    assert found["matrices"] == ask(path, tmp_path / "ds")["result"]["matrices"]


@needs_shared
def test_old_tables_keep_their_categories(tmp_path):
    ask(ODD / "zellkonverter" / "example_anndata.h5ad", tmp_path / "ds")
    assert Dataset.open(tmp_path / "ds").column("louvain").cat.categories.size > 2
