"""The project's own copy gives back what the file held, without copying it into memory."""

import shutil

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from scanvi_core.data.dataset import NAMES, Dataset
from scanvi_core.data.intake.import_file import import_file
from scanvi_core.errors import ColumnMissing, CountsNotFound, DataDamaged, ProjectError
from tests import SHARED


@pytest.fixture(scope="module")
def opened(example, imported):
    return anndata.read_h5ad(example), Dataset.open(imported / "dataset")


def test_counts_and_names_are_those_of_the_file(opened):
    adata, dataset = opened
    assert (dataset.counts != adata.X).nnz == 0
    assert list(dataset.obs_names) == list(adata.obs_names)
    assert list(dataset.var_names) == list(adata.var_names)
    assert np.allclose(dataset.obsm("X_umap"), adata.obsm["X_umap"])


def test_obs_keeps_types_categories_and_gaps(opened):
    adata, dataset = opened
    pd.testing.assert_frame_equal(
        dataset.obs.astype(adata.obs.dtypes), adata.obs, check_index_type=False
    )
    assert dataset.column("cell_type").isna().sum() == adata.obs["cell_type"].isna().sum() > 0
    assert dataset.manifest["obs_columns"]["n_counts"]["kind"] == "number"


def test_counts_stay_on_disk(opened):
    _, dataset = opened
    for part in ("data", "indices", "indptr"):
        base = getattr(dataset.counts, part)
        while getattr(base, "base", None) is not None and not isinstance(base, np.memmap):
            base = base.base
        assert isinstance(base, np.memmap)


def test_a_gene_is_log1p_of_counts_per_ten_thousand(opened):
    adata, dataset = opened
    dense = adata.X.toarray().astype(float)
    at = list(adata.var_names).index("CD79A")
    expected = np.log1p(dense[:, at] / dense.sum(axis=1) * 1e4)
    assert dataset.gene("CD79A").dtype == np.float32
    assert np.allclose(dataset.gene("CD79A"), expected, atol=1e-6)


def test_some_genes_come_in_the_order_asked_for(opened):
    adata, dataset = opened
    some = np.array([5, 2, 700])
    assert np.array_equal(dataset.genes_matrix(some).toarray(), adata.X[:, some].toarray())


def test_quality_numbers_match_scanpy_definitions(opened):
    adata, dataset = opened
    dense = adata.X.toarray()
    mt = adata.var_names.str.upper().str.startswith("MT-")
    assert np.array_equal(dataset.n_genes_by_counts, (dense > 0).sum(axis=1))
    assert np.allclose(dataset.pct_counts_mt, 100 * dense[:, mt].sum(axis=1) / dense.sum(axis=1))


def test_what_is_not_there_is_named(opened, tmp_path):
    _, dataset = opened
    for ask in (dataset.gene, dataset.column, dataset.obsm):
        with pytest.raises(ColumnMissing, match="nothing"):
            ask("nothing")
    with pytest.raises(ProjectError, match="no readable data set"):
        Dataset.open(tmp_path)


def test_a_table_without_its_names_is_told_as_that(imported, tmp_path):
    folder = tmp_path / "ds"
    shutil.copytree(imported / "dataset", folder)
    pd.read_parquet(folder / "obs.parquet").drop(columns=NAMES).to_parquet(folder / "obs.parquet")
    with pytest.raises(DataDamaged, match="damaged: it has no column names"):
        _ = Dataset.open(folder).obs


def test_an_import_replaces_the_earlier_one(example, tmp_path):
    (tmp_path / "ds").mkdir()
    import_file(example, tmp_path / "ds")
    assert Dataset.open(tmp_path / "ds").n_obs == 700
    assert {item.name for item in tmp_path.iterdir()} == {"ds"}


@pytest.mark.skipif(not SHARED.exists(), reason="the reference counts are not here")
def test_recovered_counts_of_the_example_are_exact(opened):
    adata, _ = opened
    truth = anndata.read_h5ad(SHARED / "data" / "pbmc68k_reduced_counts.h5ad")
    assert (truth.X != adata.X).nnz == 0
    numbers = truth.obs["batch"].astype(str).str.removeprefix("gem_")
    assert (adata.obs["batch"].astype(str).str.removeprefix("batch ") == numbers).all()
    assert (adata.obs["expert_label"].astype(str) == truth.obs["cell_type"].astype(str)).all()


def test_the_example_shows_a_fixed_part_of_every_type(opened):
    adata, _ = opened
    shown = adata.obs.groupby("expert_label", observed=True)["cell_type"].count()
    sizes = adata.obs["expert_label"].value_counts()
    for name, n in shown.items():
        assert n == max(3, round(0.4 * sizes[name]))
    known = adata.obs["cell_type"].notna()
    labels = adata.obs.loc[known]
    assert (labels["cell_type"].astype(str) == labels["expert_label"].astype(str)).all()
    assert {"source", "citation"} <= set(adata.uns)


def tricky(path, n=60):
    rng = np.random.default_rng(1)
    counts = sp.csr_matrix(rng.poisson(1.0, (n, 30)).astype(np.uint16))
    obs = pd.DataFrame(
        {
            "nothing": pd.Categorical([None] * n, categories=["x"]),
            "maybe": pd.array([True, None] * (n // 2), dtype="boolean"),
            "whole": pd.array([1, None] * (n // 2), dtype="Int64"),
            "names": "0",
            "0": np.arange(n, dtype=np.float16),
            "__index_level_0__": ["ünïcode 🧬", "b"] * (n // 2),
            "number": pd.Categorical([3, 7] * (n // 2)),
        },
        index=[f"c{i}" for i in range(n)],
    )
    var = pd.DataFrame(
        {"feature_name": [f"GENE{i}" for i in range(30)]},
        index=[f"ENSG{i:011d}" for i in range(30)],
    )
    anndata.AnnData(counts, obs=obs, var=var).write_h5ad(path)


def test_odd_columns_survive_and_ensembl_ids_show_symbols(tmp_path):
    tricky(tmp_path / "t.h5ad")
    manifest = import_file(tmp_path / "t.h5ad", tmp_path / "ds")
    dataset = Dataset.open(tmp_path / "ds")
    obs = dataset.obs
    assert obs["nothing"].isna().all()
    assert obs["maybe"].tolist()[0] == "True"
    assert obs["whole"].sum() == 30
    assert obs["0"].tolist() == list(range(60))
    assert obs["__index_level_0__"].iloc[0] == "ünïcode 🧬"
    assert list(obs["number"].cat.categories) == ["3", "7"]
    assert dataset.symbols[3] == "GENE3"
    assert dataset.var_names[3].startswith("ENSG")
    assert np.array_equal(dataset.gene("GENE3"), dataset.gene(dataset.var_names[3]))
    assert manifest["obs_columns"]["whole"] == {"kind": "number", "n_unique": 1, "n_missing": 30}


def test_a_matrix_that_was_asked_for_must_hold_counts(tmp_path):
    counts = np.random.default_rng(2).poisson(2.0, (50, 30)).astype(np.float32)
    adata = anndata.AnnData(np.log1p(counts**1.1), layers={"mine": counts})
    adata.write_h5ad(tmp_path / "t.h5ad")
    assert (
        import_file(tmp_path / "t.h5ad", tmp_path / "ds", matrix="mine")["counts_source"]
        == "layers/mine"
    )
    with pytest.raises(CountsNotFound, match="X looks log-normalized"):
        import_file(tmp_path / "t.h5ad", tmp_path / "ds", matrix="X")
    with pytest.raises(ColumnMissing, match="no matrix layers/other"):
        import_file(tmp_path / "t.h5ad", tmp_path / "ds", matrix="layers/other")
