"""A file written from the project's own copy, with other names and fewer cells and genes."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from scanvi_core import keys
from scanvi_core.errors import ExportError
from scanvi_core.export.child import annotate
from scanvi_core.export.h5ad import export_annotated
from scanvi_core.export.own_copy import write_own_copy
from scanvi_core.export.request import CountsLayer, ExportRequest, OwnCopy, SourceFile
from tests.export.samples import N_OBS, N_VARS, results

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def counts():
    return sp.random(N_OBS, N_VARS, 0.3, format="csr", rng=1, dtype=np.float32).ceil()


@pytest.fixture
def own(tmp_path, counts):
    """The parts of a project's copy; one column has a name that .h5ad files cannot hold."""
    columns = {
        "kind/of": pd.Categorical(["a", "b", None] * 20),
        "sex": ["female", "male", "female"] * 20,
        keys.CONFIDENCE: np.arange(N_OBS) / N_OBS,
        "age": pd.array([30, None, 41] * 20, dtype="Int64"),
        "__internal": np.arange(N_OBS),
    }
    obs = pd.DataFrame(columns).set_axis([str(at) for at in range(len(columns))], axis=1)
    obs.insert(0, "names", [f"cell{i}" for i in range(N_OBS)])
    var = pd.DataFrame({"names": [f"gene{i}" for i in range(N_VARS)]})
    obs.to_parquet(tmp_path / "obs.parquet", index=False)
    var.to_parquet(tmp_path / "var.parquet", index=False)
    for part in ("data", "indices", "indptr"):
        np.save(tmp_path / f"{part}.npy", getattr(counts, part))
    np.save(tmp_path / "map.npy", np.random.default_rng(0).normal(size=(N_OBS, 2)))
    files = (tmp_path / f"{part}.npy" for part in ("data", "indices", "indptr"))
    return OwnCopy(
        tmp_path / "obs.parquet", tmp_path / "var.parquet", list(columns), [],
        CountsLayer(*files, (N_OBS, N_VARS)), {"X_umap": tmp_path / "map.npy"},
    )  # fmt: skip


def request_of(own, tmp_path):
    source = SourceFile(tmp_path / "matrix.mtx", 0, 0)
    return ExportRequest(source, tmp_path / "out.h5ad", **results(N_OBS), own_copy=own)


def test_counts_tables_maps_and_labels_are_there(own, counts, tmp_path):
    answer = export_annotated(request_of(own, tmp_path))
    found = ad.read_h5ad(answer.path)
    assert (counts != found.X).nnz == 0 and found.X.format == "csr"
    assert found.obs_names[3] == "cell3" and found.var_names[7] == "gene7"
    assert found.obs["kind_of"].tolist()[:2] == ["a", "b"]
    assert np.array_equal(found.obsm["X_umap"], np.load(tmp_path / "map.npy"))
    assert f"{keys.CURATED}_2" in found.obs  # the file has one of our names
    assert any("'kind/of' is now 'kind_of'" in note for note in answer.notes)


def test_some_cells_and_genes_with_other_names(own, counts, tmp_path):
    rows, genes = np.array([4, 9, 30]), np.array([2, 3, 11])
    part = OwnCopy(
        own.obs, own.var, own.obs_columns, own.var_columns, own.counts, own.obsm,
        rows, genes, ["ENSG01", "ENSG02", "ENSG03"], submission=True,
    )  # fmt: skip
    notes = write_own_copy(tmp_path / "part.h5ad", part, [keys.CONFIDENCE])
    found = ad.read_h5ad(tmp_path / "part.h5ad")
    expected = counts[rows][:, genes]
    assert (expected != found.raw.X).nnz == 0 and found.raw.X.dtype == np.float32
    totals = np.asarray(expected.sum(axis=1)).ravel()
    scale = np.divide(1e4, totals, out=np.zeros(3), where=totals > 0)
    np.testing.assert_allclose(
        found.X.toarray(), np.log1p(expected.toarray() * scale[:, None]), rtol=1e-6
    )
    assert found.var_names.tolist() == ["ENSG01", "ENSG02", "ENSG03"]
    assert found.var["author_gene_name"].tolist() == ["gene2", "gene3", "gene11"]
    assert not found.var["feature_is_filtered"].any()
    assert "feature_is_filtered" not in found.raw.var
    assert found.obsm["X_umap"].shape == (3, 2)
    assert {"author_sex", f"author_{keys.CONFIDENCE}", "author_internal"} <= set(found.obs)
    assert found.obs["age"].dtype == np.float64
    assert len([note for note in notes if "another use" in note]) == 3


def test_a_changed_count_is_seen(own, tmp_path, monkeypatch):
    import h5py

    from scanvi_core.export import child

    def spoil(path, request):
        with h5py.File(path, "r+") as file:
            file["X/data"][3] += 1
        return real(path, request)

    real = child.patch
    monkeypatch.setattr(child, "patch", spoil)
    request = request_of(own, tmp_path)
    with pytest.raises(ExportError, match="X is not what it should be"):
        annotate(request, request.target)


def test_progress_is_told_up_to_the_end(own, tmp_path):
    told = []
    export_annotated(request_of(own, tmp_path), report=lambda *said: told.append(said))
    parts = [part for part, _ in told]
    assert parts == sorted(parts) and parts[0] >= 0 and told[0][1] == "Writing the counts"
