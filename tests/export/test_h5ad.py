"""The annotated .h5ad: the user's data stay, and ours are added."""

import subprocess
import sys

import anndata as ad
import h5py
import numpy as np
import pytest
import scipy.sparse as sp

from scanvi_core import keys
from scanvi_core.errors import ExportError
from scanvi_core.export.child import annotate
from scanvi_core.export.h5ad import export_annotated
from scanvi_core.export.request import CountsLayer, ExportRequest
from scanvi_core.export.serialization import save_request
from tests import ROOT
from tests.export.samples import (
    N_OBS,
    N_VARS,
    assert_user_parts_equal,
    leftovers,
    request_for,
    results,
    saved,
    small,
    source_file,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # anndata's about old formats and names
    pytest.mark.usefixtures("fresh_children"),
]


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
    assert export_annotated(request_for(source, target)).path == target
    assert keys.CURATED in ad.read_h5ad(target).obs
    assert source.read_bytes() == before
    assert leftovers(tmp_path) == ["mine.h5ad", "out.h5ad"]


def test_all_our_names_get_one_suffix_when_one_is_taken(tmp_path):
    data = small()
    data.obs[keys.CONFIDENCE] = 7.0
    source = saved(tmp_path, data)
    first, second = (request_for(source, tmp_path / f"{n}.h5ad") for n in "ab")
    written, _ = annotate(first, first.target)
    assert {n for names in written.values() for n in names} == {
        f"{name}_2" for part in ("obs", "obsm", "uns") for name in results(N_OBS)[part]
    }
    again = ExportRequest(source_file(first.target), second.target, **results(N_OBS))
    assert f"{keys.CURATED}_3" in annotate(again, again.target)[0]["obs"]
    assert (ad.read_h5ad(second.target).obs[keys.CONFIDENCE] == 7.0).all()


def test_replace_takes_the_place_of_an_earlier_export(tmp_path):
    first = request_for(saved(tmp_path, small()), tmp_path / "a.h5ad")
    annotate(first, first.target)
    changed = results(N_OBS, replace=True, seed=5)
    second = ExportRequest(source_file(first.target), tmp_path / "b.h5ad", **changed)
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
    assert annotate(request, request.target)[0]["layers"] == ["counts_2"]
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


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_large_matrix_is_never_loaded(tmp_path):
    """2 GB of values and positions (none of them stored: they read as 0) in far less memory."""
    n_values, source = 256 * 2**20, saved(tmp_path, small())
    with h5py.File(source, "r+") as file:
        for part, kind in (("data", "f4"), ("indices", "i4")):
            del file["X"][part]
            file["X"].create_dataset(part, (n_values,), kind, chunks=(2**20,))
    request = request_for(source, tmp_path / "out.h5ad")
    folder = tmp_path / "request"
    folder.mkdir()
    save_request(request, folder)
    peak = "print(next(x.split()[1] for x in open('/proc/self/status') if x.startswith('VmHWM')))"
    script = (
        "import sys; from pathlib import Path; from scanvi_core.export.child import main\n"
        f"assert main(Path(sys.argv[1]), Path(sys.argv[2])) == 0\n{peak}"
    )
    command = [sys.executable, "-c", script, str(folder), str(request.target)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout) / 1024 < 600
