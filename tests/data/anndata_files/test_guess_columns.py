"""Columns of labels and of batches are guessed by name and content, and what is odd is said."""

import anndata
import numpy as np
import pytest

from scanvi_core.data.anndata_files.guess_columns import guess_batches, guess_labels
from scanvi_core.data.repairs import tidy_columns
from tests import SHARED


def obs_of(**columns):
    return tidy_columns(columns, np.arange(60).astype(str))[0]


def test_gaps_lookalikes_and_twins_of_labels_are_counted():
    labels = ["T"] * 20 + ["T "] * 5 + ["Unknown"] * 10 + [None] * 15 + ["B"] * 10
    candidates, said = guess_labels(obs_of(cell_type=np.array(labels, dtype=object)))
    assert candidates[0]["looks_unlabeled"] == ["Unknown"]
    assert "'T' and 'T ' (25 cells) differ only by spaces" in said[0]
    assert "15 cells without a value; they count as unlabeled" in said[1]
    assert "may mean unlabeled: 'Unknown' (10 cells)" in said[2]


def test_tiny_batches_are_counted():
    batches = np.array(["a"] * 40 + ["b"] * 15 + ["c"] * 5, dtype=object)
    assert "2 of 3 batches have fewer than 20 cells (20 cells in all)" in guess_batches(
        obs_of(batch=batches)
    )[1][0]  # fmt: skip
    assert guess_batches(obs_of(batch=batches[[0, 1] * 15 + [40] * 30]))[1] == []


@pytest.mark.skipif(not SHARED.exists(), reason="the data sets are not here")
@pytest.mark.parametrize(
    ("name", "labels", "batch"),
    [
        ("kang_ifnb_2800", "cell_type", "batch"),
        ("scmixology", "cell_type", "batch"),
        ("onek1k_40donors", "cell_type", "batch"),
        ("zheng_facs_pbmc", "cell_type", None),
    ],
)
def test_the_right_columns_are_guessed_on_real_data(name, labels, batch):
    obs = anndata.read_h5ad(SHARED / "data" / f"{name}.h5ad", backed="r").obs
    assert guess_labels(obs)[0][0]["key"] == labels
    found = [item["key"] for item in guess_batches(obs)[0]]
    assert found == ([batch] if batch else [])
