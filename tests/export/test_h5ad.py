"""The annotated .h5ad: the user's data stay, ours are added, and failures leave nothing."""

import os
import resource
import shutil
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from scanvi_core import keys
from scanvi_core.errors import ExportError
from scanvi_core.export import CountsLayer, ExportRequest, SourceFile, write_annotated
from scanvi_core.export.child import annotate
from scanvi_core.export.patch import patch
from scanvi_core.export.request import load_request, save_request
from scanvi_core.export.verify import verify

SHARED = Path(__file__).parents[2].parent / "shared"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="the shared real data are absent")
pytestmark = pytest.mark.filterwarnings("ignore")  # anndata's about old formats and names

N_OBS, N_VARS = 60, 30


def small(matrix=sp.csr_matrix, *, seed=0):
    """A data set with every kind of column and part that users bring."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(0.7, (N_OBS, N_VARS)).astype(np.float32)
    obs = pd.DataFrame(
        {
            "cell type/é": pd.Categorical(rng.choice(["B", "T ", "NK"], N_OBS)),
            "words": rng.choice(["x", "=1+1", ""], N_OBS).astype(object),
            "nullable": pd.array([None, 1, 2] * (N_OBS // 3), dtype="Int64"),
            "flag": pd.array([None, True, False] * (N_OBS // 3), dtype="boolean"),
            "number": rng.normal(size=N_OBS),
        },
        index=[f"cell{i}" for i in range(N_OBS)],
    ).rename(columns={"cell type/é": "cell type é"})
    obs.loc[obs.index[:5], "cell type é"] = np.nan
    data = ad.AnnData(matrix(counts), obs=obs)
    data.raw = data.copy()
    data.layers["scaled"] = rng.normal(size=data.shape)
    data.obsm["X_umap"] = rng.normal(size=(N_OBS, 2))
    data.obsp["graph"] = sp.eye(N_OBS, format="csr")
    data.uns["colours"] = np.array(["#fff", "#000"], dtype=object)
    return data


def results(n_obs, *, replace=False, seed=1):
    """What one training run would write for `n_obs` cells."""
    rng = np.random.default_rng(seed)
    confidence = rng.random(n_obs)
    confidence[:2] = np.nan
    return {
        "obs": {
            keys.CURATED: (rng.integers(-1, 3, n_obs), ["B cell", "-CD3 T", "Ünï/=1"]),
            keys.CONFIDENCE: confidence,
            keys.HOLDOUT: rng.random(n_obs) < 0.2,
            "scanvi_reason": np.array(["ok", "novel"])[rng.integers(0, 2, n_obs)],
        },
        "obsm": {keys.LATENT_Z1: rng.normal(size=(n_obs, 4)).astype(np.float32)},
        "uns": {keys.UNS_RECORD: '{"a": 1}', keys.UNS_LOG: ['{"seq": 1}', '{"seq": 2}']},
        "replace": replace,
    }


def request_for(source, target, n_obs=N_OBS, **changes):
    return ExportRequest(SourceFile.of(source), target, **(results(n_obs) | changes))


def saved(tmp_path, data, name="mine.h5ad"):
    path = tmp_path / name
    data.write_h5ad(path)
    return path


def leftovers(folder):
    return sorted(p.name for p in folder.iterdir())


def assert_user_parts_equal(before, after):
    pd.testing.assert_frame_equal(after.obs[before.obs.columns], before.obs)
    pd.testing.assert_frame_equal(after.var, before.var)
    for name in ("layers", "obsm", "obsp", "varm", "varp"):
        for key, value in getattr(before, name).items():
            assert_matrix_equal(getattr(after, name)[key], value)
    assert_matrix_equal(after.X, before.X)
    assert (before.raw is None) == (after.raw is None)
    if before.raw is not None:
        assert_matrix_equal(after.raw.X, before.raw.X)


def assert_matrix_equal(a, b):
    assert type(a) is type(b)
    if sp.issparse(b):
        assert a.format == b.format
        for part in ("data", "indices", "indptr"):
            np.testing.assert_array_equal(getattr(a, part), getattr(b, part))
    elif isinstance(b, pd.DataFrame):
        pd.testing.assert_frame_equal(a, b)
    else:
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("matrix", [np.asarray, sp.csr_matrix, sp.csc_matrix])
def test_the_user_data_stay_and_ours_read_back(tmp_path, matrix):
    source = saved(tmp_path, small(matrix))
    request = request_for(source, tmp_path / "out.h5ad")
    annotate(request, request.target)
    before, after = ad.read_h5ad(source), ad.read_h5ad(request.target)
    assert_user_parts_equal(before, after)
    codes, names = request.obs[keys.CURATED]
    assert list(after.obs[keys.CURATED].cat.categories) == names
    np.testing.assert_array_equal(after.obs[keys.CURATED].cat.codes, codes)
    np.testing.assert_array_equal(after.obs[keys.CONFIDENCE], request.obs[keys.CONFIDENCE])
    assert after.obs[keys.HOLDOUT].dtype == bool
    assert list(after.obs["scanvi_reason"]) == list(request.obs["scanvi_reason"])
    np.testing.assert_array_equal(after.obsm[keys.LATENT_Z1], request.obsm[keys.LATENT_Z1])
    assert after.uns[keys.UNS_RECORD] == '{"a": 1}'
    assert list(after.uns[keys.UNS_LOG]) == ['{"seq": 1}', '{"seq": 2}']
    assert list(after.obs.columns) == [*before.obs.columns, *request.obs]


def test_the_stored_bytes_of_the_matrices_stay(tmp_path):
    source = saved(tmp_path, small())
    request = request_for(source, tmp_path / "out.h5ad")
    annotate(request, request.target)
    with h5py.File(source) as a, h5py.File(request.target) as b:
        for path in ("X/data", "X/indices", "raw/X/data", "layers/scaled", "obs/number"):
            assert a[path][()].tobytes() == b[path][()].tobytes()


def test_through_the_child_process(tmp_path):
    source = saved(tmp_path, small())
    before = source.read_bytes()
    target = tmp_path / "out.h5ad"
    target.write_text("an older export")
    assert write_annotated(request_for(source, target)) == target
    assert keys.CURATED in ad.read_h5ad(target).obs
    assert source.read_bytes() == before
    assert leftovers(tmp_path) == ["mine.h5ad", "out.h5ad"]


def test_all_our_names_get_one_suffix_when_one_is_taken(tmp_path):
    data = small()
    data.obs[keys.CONFIDENCE] = 7.0
    source = saved(tmp_path, data)
    first, second = (request_for(source, tmp_path / f"{n}.h5ad") for n in "ab")
    written = annotate(first, first.target)
    assert {n for names in written.values() for n in names} == {
        f"{name}_2" for part in ("obs", "obsm", "uns") for name in results(N_OBS)[part]
    }
    again = ExportRequest(SourceFile.of(first.target), second.target, **results(N_OBS))
    assert f"{keys.CURATED}_3" in annotate(again, again.target)["obs"]
    assert (ad.read_h5ad(second.target).obs[keys.CONFIDENCE] == 7.0).all()


def test_replace_takes_the_place_of_an_earlier_export(tmp_path):
    first = request_for(saved(tmp_path, small()), tmp_path / "a.h5ad")
    annotate(first, first.target)
    changed = results(N_OBS, replace=True, seed=5)
    second = ExportRequest(SourceFile.of(first.target), tmp_path / "b.h5ad", **changed)
    annotate(second, second.target)
    before, after = ad.read_h5ad(first.target), ad.read_h5ad(second.target)
    assert list(after.obs.columns) == list(before.obs.columns)
    np.testing.assert_array_equal(
        after.obs[keys.CURATED].cat.codes, changed["obs"][keys.CURATED][0]
    )


def test_recovered_counts_become_a_layer_beside_the_users_own(tmp_path):
    data = small()
    counts = sp.random(N_OBS, N_VARS, 0.2, format="csr", dtype=np.float32, rng=3)
    data.layers["counts"] = data.X.copy()
    for part in ("data", "indices", "indptr"):
        np.save(tmp_path / f"{part}.npy", getattr(counts, part))
    layer = CountsLayer(
        *(tmp_path / f"{p}.npy" for p in ("data", "indices", "indptr")), data.shape
    )
    request = request_for(saved(tmp_path, data), tmp_path / "out.h5ad", counts=layer)
    assert annotate(request, request.target)["layers"] == ["counts_2"]
    after = ad.read_h5ad(request.target)
    assert (after.layers["counts_2"] != counts).nnz == 0
    assert (after.layers["counts"] != data.X).nnz == 0


def test_counts_of_other_genes_are_refused(tmp_path):
    files = [tmp_path / f"{i}.npy" for i in range(3)]
    for file in files:
        np.save(file, np.zeros(1))
    layer = CountsLayer(*files, (N_OBS, N_VARS + 1))
    request = request_for(saved(tmp_path, small()), tmp_path / "o.h5ad", counts=layer)
    with pytest.raises(ExportError, match="cannot be a layer"):
        annotate(request, request.target)


OLD = ["anndata_v0.5.0/adata.h5ad", "anndata_v0.7.0/adata.h5ad", "anndata_v0.7.8/adata.h5ad"]
OTHER = [
    "anndataR/example.h5ad", "anndata_v0.11.4/adata.h5ad", "tiledbsoma/pbmc-small.h5ad",
    "tiledbsoma/categorical_int_nan.h5ad", "zellkonverter/example_anndata.h5ad",
    "zellkonverter/krumsiek11.h5ad", "derived/zero_genes.h5ad", "derived/no_obs_columns.h5ad",
    "derived/X_none_counts_in_layer.h5ad", "derived/duplicate_obs_names.h5ad",
    "na_labels/scirpy_wu2020_v0_6_nanstrings.h5ad",
]  # fmt: skip


@needs_shared
@pytest.mark.parametrize("name", OLD + OTHER)
def test_files_of_other_ages_and_writers_keep_their_values(tmp_path, name):
    source = SHARED / "odd_files" / name
    before = ad.read_h5ad(source)
    request = request_for(source, tmp_path / "out.h5ad", before.n_obs)
    annotate(request, request.target)
    after = ad.read_h5ad(request.target)
    assert_user_parts_equal(before, after)
    assert set(request.obs) <= set(after.obs.columns)


@needs_shared
def test_real_data_through_the_child_process(tmp_path):
    source = SHARED / "data" / "kang_ifnb_2800.h5ad"
    request = request_for(source, tmp_path / "out.h5ad", 2800)
    after = ad.read_h5ad(write_annotated(request))
    assert_user_parts_equal(ad.read_h5ad(source), after)


def test_verification_sees_a_changed_count(tmp_path):
    request = request_for(saved(tmp_path, small()), tmp_path / "out.h5ad")
    shutil.copyfile(request.source.path, request.target)
    written = patch(request.target, request)
    verify(request.target, request, written)
    with h5py.File(request.target, "r+") as file:
        file["raw/X/data"][3] += 1
    with pytest.raises(ExportError, match="raw/X/data"):
        verify(request.target, request, written)


@pytest.mark.parametrize(
    "path", ["obs/number", f"obs/{keys.CONFIDENCE}", f"obsm/{keys.LATENT_Z1}"]
)
def test_verification_sees_a_changed_value(tmp_path, path):
    request = request_for(saved(tmp_path, small()), tmp_path / "out.h5ad")
    shutil.copyfile(request.source.path, request.target)
    written = patch(request.target, request)
    with h5py.File(request.target, "r+") as file:
        file[path][3] = 0.123
    with pytest.raises(ExportError, match=path):
        verify(request.target, request, written)


@pytest.mark.parametrize("link", ["same", "hard", "soft"])
def test_the_users_file_is_never_the_target(tmp_path, link):
    source = saved(tmp_path, small())
    target = source if link == "same" else tmp_path / "other.h5ad"
    if link != "same":
        (os.link if link == "hard" else os.symlink)(source, target)
    with pytest.raises(ExportError, match="never written"):
        write_annotated(request_for(source, target))


def test_too_little_room_is_told_with_both_numbers(tmp_path, monkeypatch):
    request = request_for(saved(tmp_path, small()), tmp_path / "out.h5ad")
    usage = type("Usage", (), {"free": 1_500_000})()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(ExportError, match=r"\d\.\d MB needed, 1\.5 MB free"):
        write_annotated(request)


def test_a_disk_that_fills_up_leaves_the_old_file(tmp_path):
    source = saved(tmp_path, small())
    target = tmp_path / "out.h5ad"
    target.write_text("an older export")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (source.stat().st_size + 2_000, hard))
    try:
        with pytest.raises(ExportError, match=r"too large|died"):
            write_annotated(request_for(source, target))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert target.read_text() == "an older export"
    assert leftovers(tmp_path) == ["mine.h5ad", "out.h5ad"]


def test_stopping_leaves_nothing(tmp_path):
    source = saved(tmp_path, small())
    with pytest.raises(ExportError, match="stopped"):
        write_annotated(request_for(source, tmp_path / "out.h5ad"), lambda: True)
    assert leftovers(tmp_path) == ["mine.h5ad"]


def test_a_changed_source_is_refused(tmp_path):
    source = saved(tmp_path, small())
    request = request_for(source, tmp_path / "out.h5ad")
    os.utime(source, ns=(0, 0))
    with pytest.raises(ExportError, match="has changed"):
        annotate(request, request.target)


def test_a_copied_source_with_the_same_bytes_is_taken(tmp_path):
    import hashlib

    source = saved(tmp_path, small())
    described = SourceFile(
        source, source.stat().st_size, 0, hashlib.sha256(source.read_bytes()).hexdigest()
    )
    request = ExportRequest(described, tmp_path / "out.h5ad", **results(N_OBS))
    assert annotate(request, request.target)["obs"]


def test_values_for_other_cells_are_refused(tmp_path):
    request = request_for(saved(tmp_path, small()), tmp_path / "out.h5ad", N_OBS + 1)
    with pytest.raises(ExportError, match="60 cells"):
        annotate(request, request.target)


def test_an_error_of_the_child_arrives_with_its_hint(tmp_path):
    source = tmp_path / "broken.h5ad"
    with h5py.File(source, "w") as file:
        file["X"] = np.zeros(3)
    with pytest.raises(ExportError, match=r"no cell table.*CSV"):
        write_annotated(request_for(source, tmp_path / "out.h5ad"))


@needs_shared
@pytest.mark.parametrize("name", ["10x_v3_h5", "h5mu", "loom", "csv_gz"])
def test_sources_of_other_kinds_are_refused_with_another_way(tmp_path, name):
    source = next(p for p in sorted((SHARED / "odd_files" / name).iterdir()) if p.is_file())
    request = request_for(source, tmp_path / "out.h5ad")
    with pytest.raises(ExportError, match="labels as CSV"):
        annotate(request, request.target)


def test_a_folder_as_source_is_refused(tmp_path):
    folder = tmp_path / "mtx"
    folder.mkdir()
    with pytest.raises(ExportError, match=r"the folder mtx.*labels as CSV"):
        write_annotated(request_for(folder, tmp_path / "out.h5ad"))


@pytest.mark.parametrize("name", ["", "a/b", "_index", "nul\0"])
def test_impossible_names_are_refused(tmp_path, name):
    request = request_for(saved(tmp_path, small()), tmp_path / "o.h5ad", obs={name: np.ones(60)})
    with pytest.raises(ExportError, match="name of a column"):
        write_annotated(request)


def test_a_request_survives_the_way_to_the_child(tmp_path):
    source = saved(tmp_path, small())
    folder = tmp_path / "folder"
    folder.mkdir()
    request = request_for(source, tmp_path / "out.h5ad")
    save_request(request, folder)
    loaded = load_request(folder)
    assert (loaded.source, loaded.target, loaded.uns) == (
        request.source, request.target, request.uns
    )  # fmt: skip
    np.testing.assert_array_equal(loaded.obs[keys.CURATED][0], request.obs[keys.CURATED][0])
    np.testing.assert_array_equal(loaded.obs[keys.CONFIDENCE], request.obs[keys.CONFIDENCE])
