"""`annotate`: its summary, the files it writes, and what reaches the model."""

import json

import anndata
import numpy as np
import pandas as pd
import pytest

from scanvi_core import keys
from tests.cli.program import A_MINUTE, LABELS, annotated, module

SUMMARY = {
    "n_cells", "n_genes_used", "labels", "n_labelled", "counts_source", "repairs", "device",
    "threads", "epochs", "train_seconds", "train_cells_per_s", "total_seconds", "peak_rss_mb",
    "holdout", "output",
}  # fmt: skip


@pytest.fixture(scope="module")
def done(example, tmp_path_factory):
    """The quick start of the example, run as a user does, and the file it wrote."""
    target = tmp_path_factory.mktemp("done") / "out.h5ad"
    run = module("annotate", example, "-o", target, *LABELS, "--batch-key", "batch", "--preset",
                 "quick", "--max-epochs", 3, "--json")  # fmt: skip
    assert run.returncode == 0, run.stderr
    return run, target


def test_the_summary_is_one_line_of_json_with_every_promised_key(done):
    run, target = done
    assert run.stdout.count("\n") == 1
    summary = json.loads(run.stdout, parse_constant=pytest.fail)
    assert set(summary) >= SUMMARY
    assert (summary["n_cells"], summary["n_genes_used"]) == (700, 765)
    assert (summary["counts_source"], summary["epochs"]) == ("X", 3)
    assert summary["output"] == str(target)
    assert set(summary["holdout"]) == {"n", "accuracy", "macro_f1", "ece"}
    assert 0 < summary["train_seconds"] <= summary["total_seconds"]


def test_standard_error_holds_a_line_a_minute_at_most_where_no_person_watches(done):
    assert all(A_MINUTE.match(line) for line in done[0].stderr.splitlines())


def test_the_output_keeps_the_users_data_and_labels(done, whole):
    result = anndata.read_h5ad(done[1])
    assert (result.X != whole.X).nnz == 0 and result.X.dtype == whole.X.dtype
    pd.testing.assert_frame_equal(result.obs[list(whole.obs)], whole.obs)
    pd.testing.assert_frame_equal(result.var, whole.var)
    given = whole.obs["cell_type"].notna().to_numpy()
    curated = result.obs[keys.CURATED].astype(str)
    assert (curated[given] == whole.obs["cell_type"][given].astype(str)).all()
    assert (result.obs[keys.SOURCE][given] == keys.GIVEN).all()
    assert (result.obs[keys.SOURCE][~given] == keys.PREDICTED).all()
    assert curated[~given].isin(whole.obs["cell_type"].cat.categories).all()


def test_a_batch_that_is_the_type_under_another_name_is_warned_of(whole, tmp_path, capsys):
    bent = whole.copy()
    bent.obs["lane"] = bent.obs["cell_type"].map(lambda name: f"lane of {name}")
    summary, _ = annotated(capsys, tmp_path, bent, "--batch-key", "lane")
    assert any("cell_type and lane divide the cells" in text for text in summary["warnings"])


def test_sums_that_contradict_the_file_are_warned_of(whole, tmp_path, capsys):
    bent = whole.copy()
    bent.obs["n_counts"] = np.random.default_rng(0).integers(1, 10_000, bent.n_obs)
    summary, _ = annotated(capsys, tmp_path, bent)
    assert any("not in step with n_counts" in text for text in summary["warnings"])


def test_the_labels_of_the_summary_are_those_of_the_file(done):
    curated = anndata.read_h5ad(done[1]).obs[keys.CURATED]
    assert json.loads(done[0].stdout)["labels"] == curated.value_counts().to_dict()


def test_a_table_of_labels_lies_beside_the_file(done):
    result = anndata.read_h5ad(done[1])
    table = pd.read_csv(done[1].with_suffix(".labels.csv"), index_col=0, dtype=str)
    assert table.index.tolist() == result.obs_names.tolist()
    assert table[keys.CURATED].tolist() == result.obs[keys.CURATED].astype(str).tolist()


def test_the_record_tells_how_the_labels_were_made(done):
    record = json.loads(anndata.read_h5ad(done[1]).uns[keys.UNS_RECORD])
    assert record["run"]["train"]["max_epochs"] == 3
    assert record["run"]["batch_key"] == "batch"
    assert record["result"]["n_batches"] == 8
    assert len(record["run"]["label_order"]) == 10


def test_the_same_seed_gives_the_same_probabilities(capsys, tmp_path, cells, flat_map):
    for target in ("a", "b"):
        (tmp_path / target).mkdir()
    one = annotated(capsys, tmp_path / "a", cells)[1].obsm[keys.PROBABILITIES]
    two = annotated(capsys, tmp_path / "b", cells)[1].obsm[keys.PROBABILITIES]
    assert np.asarray(one).tobytes() == np.asarray(two).tobytes()


def test_nothing_is_kept_in_the_users_home(capsys, tmp_path, cells, flat_map, monkeypatch):
    monkeypatch.setenv("SCANVI_HOME", str(tmp_path / "home"))
    annotated(capsys, tmp_path, cells)
    assert not (tmp_path / "home").exists()
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"in.h5ad", "out.h5ad", "out.labels.csv"}


@pytest.mark.parametrize("choice", [("--dispersion", "gene-label"), ("--gene-likelihood", "zinb")])
def test_model_settings_reach_the_model(capsys, tmp_path, cells, flat_map, choice):
    _, result = annotated(capsys, tmp_path, cells, *choice)
    model = json.loads(result.uns[keys.UNS_RECORD])["run"]["model"]
    assert model[choice[0].strip("-").replace("-", "_")] == choice[1]


@pytest.mark.parametrize("layer", ["umis", "layers/umis"])
def test_counts_are_read_from_the_layer_asked_for(capsys, tmp_path, cells, flat_map, layer):
    cells.layers["umis"] = cells.X.copy()
    cells.X = cells.X.log1p()
    summary, result = annotated(capsys, tmp_path, cells, "--layer", layer)
    assert summary["counts_source"] == "layers/umis"
    assert (result.X != cells.X).nnz == 0


@pytest.mark.parametrize(
    ("choice", "maps"),
    [
        ((), {keys.UMAP_Z1}),
        (("--no-maps",), set()),
        (("--both-maps",), {keys.UMAP_Z1, keys.UMAP_Z2}),
    ],
)
def test_maps_that_are_asked_for_are_drawn_and_no_others(
    capsys, tmp_path, cells, flat_map, choice, maps
):
    _, result = annotated(capsys, tmp_path, cells, *choice)
    assert {keys.UMAP_Z1, keys.UMAP_Z2} & set(result.obsm) == maps
    assert {keys.LATENT_Z1, keys.LATENT_Z2} <= set(result.obsm)
