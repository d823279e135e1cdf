"""Files with a flaw that is mended: the job goes on, and the summary says so."""

import json

import numpy as np
import pandas as pd
import pytest

from scanvi_core import keys
from tests.cli.program import annotated


def said(summary, words):
    return any(words in sentence for sentence in summary["repairs"])


def test_repeated_names_are_mended_with_a_notice(capsys, tmp_path, cells, flat_map):
    cells.obs_names = ["twin", "twin", *cells.obs_names[2:]]
    cells.var_names = ["gene", "gene", *cells.var_names[2:]]
    summary, result = annotated(capsys, tmp_path, cells)
    assert said(summary, "1 cell name repeated") and said(summary, "1 gene name repeated")
    assert result.obs_names[:2].tolist() == ["twin", "twin"]  # the user's names stay


def test_words_that_look_unlabeled_are_listed_and_kept(capsys, tmp_path, cells, flat_map):
    labels = cells.obs["cell_type"].astype(object)
    labels.iloc[:12] = "Unknown"
    labels.iloc[12:24] = np.nan
    cells.obs["cell_type"] = pd.Categorical(labels)
    summary, result = annotated(capsys, tmp_path, cells)
    assert said(summary, "Unknown was taken as a cell type")
    assert (result.obs[keys.CURATED].iloc[:12] == "Unknown").all()
    assert (result.obs[keys.SOURCE].iloc[12:24] == keys.PREDICTED).all()


def test_words_named_as_unlabeled_are_predicted(capsys, tmp_path, cells, flat_map):
    labels = cells.obs["cell_type"].astype(object)
    labels.iloc[:12], labels.iloc[12:24] = "Unknown", "?"
    cells.obs["cell_type"] = pd.Categorical(labels)
    more = ("--unlabeled-category", "Unknown", "--unlabeled-category", "?")
    summary, result = annotated(capsys, tmp_path, cells, *more)
    assert not said(summary, "was taken as a cell type")
    assert (result.obs[keys.SOURCE].iloc[:24] == keys.PREDICTED).all()
    assert not {"Unknown", "?"} & set(result.obs[keys.CURATED])


def test_the_reviewers_word_for_no_type_is_kept_but_never_learned(
    capsys, tmp_path, cells, flat_map
):
    labels = cells.obs["cell_type"].astype(object)
    labels.iloc[:12] = keys.UNKNOWN
    cells.obs["cell_type"] = pd.Categorical(labels)
    summary, result = annotated(capsys, tmp_path, cells)
    assert said(summary, "unknown was kept as your label, but it is no type to learn")
    assert not said(summary, "taken as a cell type")
    assert (result.obs[keys.CURATED].iloc[:12] == keys.UNKNOWN).all()
    assert keys.UNKNOWN not in set(result.obs[keys.PREDICTION])


def test_categories_without_cells_are_dropped_with_a_notice(capsys, tmp_path, cells, flat_map):
    cells.obs["cell_type"] = cells.obs["cell_type"].cat.add_categories(["Ghost", "Spectre"])
    summary, result = annotated(capsys, tmp_path, cells)
    assert said(summary, "cell_type: 2 values without cells dropped")
    assert "Ghost" not in summary["labels"]
    assert "Ghost" in result.obs["cell_type"].cat.categories  # the user's column stays


def test_empty_cells_are_kept_without_a_prediction_and_not_trained_on(
    capsys, tmp_path, cells, flat_map
):
    counts = cells.X.tolil()
    labels = cells.obs["cell_type"].astype(object)
    labels.iloc[0], labels.iloc[1] = "Dendritic", None
    cells.obs["cell_type"] = pd.Categorical(labels)
    counts[:2] = 0
    cells.X = counts.tocsr()
    summary, result = annotated(capsys, tmp_path, cells)
    assert said(summary, "2 cells have no counts: they are kept")
    assert summary["n_cells"] == 200
    first = result.obs.iloc[:2]
    assert first[[keys.CONFIDENCE, keys.MARGIN, keys.ENTROPY]].isna().all(axis=None)
    assert first[keys.PREDICTION].isna().all()
    assert np.isnan(result.obsm[keys.PROBABILITIES][:2]).all()
    assert first[keys.SOURCE].tolist() == [keys.GIVEN, keys.UNLABELED]
    assert result.obs[keys.CONFIDENCE].iloc[2:].notna().all()


def test_a_batch_of_one_cell_is_no_obstacle(capsys, tmp_path, cells, flat_map):
    cells.obs["batch"] = pd.Categorical(["lone"] + ["a", "b"] * 99 + ["a"])
    summary, result = annotated(capsys, tmp_path, cells, "--batch-key", "batch")
    assert np.isfinite(result.obsm[keys.PROBABILITIES]).all()
    assert summary["n_cells"] == 200


def test_forty_tiny_batches_are_no_obstacle(capsys, tmp_path, cells, flat_map):
    cells.obs["donor"] = pd.Categorical([f"d{i % 40}" for i in range(200)])
    _, result = annotated(capsys, tmp_path, cells, "--batch-key", "donor")
    assert np.isfinite(result.obsm[keys.PROBABILITIES]).all()
    assert json.loads(result.uns[keys.UNS_RECORD])["result"]["n_batches"] == 40


def test_a_last_minibatch_of_one_cell_is_no_obstacle(capsys, tmp_path, whole, flat_map):
    _, result = annotated(capsys, tmp_path, whole[:129, :300].copy())
    assert np.isfinite(result.obsm[keys.PROBABILITIES]).all()


def test_types_of_one_or_two_cells_are_learned(capsys, tmp_path, cells, flat_map):
    labels = cells.obs["cell_type"].astype(object)
    labels.iloc[0], labels.iloc[1:3] = "Rare one", "Rare two"
    cells.obs["cell_type"] = pd.Categorical(labels)
    _, result = annotated(capsys, tmp_path, cells)
    record = json.loads(result.uns[keys.UNS_RECORD])
    assert {"Rare one", "Rare two"} <= set(record["run"]["label_order"])
    assert result.obs[keys.CURATED].iloc[:3].tolist() == ["Rare one", "Rare two", "Rare two"]


def test_a_file_with_every_label_given_is_checked_against_the_model(
    capsys, tmp_path, cells, flat_map
):
    labels = ("--labels-key", "expert_label")
    summary, result = annotated(capsys, tmp_path, cells, labels=labels)
    assert set(result.obs[keys.SOURCE]) == {keys.GIVEN}
    assert result.obs[keys.PREDICTION].notna().all()
    assert summary["holdout"]["n"] > 0


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([1, 2, 3, 10], {"1", "2", "3", "10"}),
        ([True, False], {"True", "False"}),
        ([0.0, 1.0, np.nan], {"0", "1"}),
    ],
    ids=["integers", "yes and no", "decimals"],
)
def test_labels_need_not_be_words(capsys, tmp_path, cells, flat_map, values, names):
    cells.obs["cluster"] = np.resize(values, 200)
    summary, _ = annotated(capsys, tmp_path, cells, labels=("--labels-key", "cluster"))
    assert set(summary["labels"]) == names


def test_counts_behind_logarithms_are_recovered_exactly(capsys, tmp_path, cells, flat_map):
    counts = cells.X.copy()
    cells.X = cells.X.log1p()
    summary, result = annotated(capsys, tmp_path, cells)
    assert any("Counts recovered from" in told for told in summary["repairs"])
    assert np.array_equal(np.rint(np.expm1(result.X.toarray())), counts.toarray())


def test_a_score_without_a_number_is_null_in_json(capsys, tmp_path, cells, flat_map):
    """Two types, each with two cells set aside: no type has the three that a mean F1 needs."""
    cells.obs["cell_type"] = pd.Categorical(["B"] * 13 + ["T"] * 13 + [None] * 174)
    summary, result = annotated(capsys, tmp_path, cells)
    assert summary["holdout"]["n"] == 4
    assert summary["holdout"]["macro_f1"] is None
    record = json.loads(result.uns[keys.UNS_RECORD], parse_constant=pytest.fail)
    assert record["result"]["holdout"]["macro_f1"] is None
