"""What the exported file opens in: the layouts that readers of other languages know, and readers.

The layouts are always held. A reader that is not installed is skipped; `python -m tests.extended`
makes environments for releases of anndata and for scvi-tools.
"""

import json
import os
import subprocess
from pathlib import Path

import anndata
import h5py
import numpy as np
import pytest
import scanpy
from scipy import sparse

from scanvi_core import keys
from scanvi_core.services.export import write
from scanvi_core.services.export.write import ExportChoice
from scanvi_core.services.workspace import workspace
from tests import extended

# What anndataR reads, by encoding, and in which version of it (scverse/anndataR); zellkonverter
# reads through anndata unless it is told otherwise. Not among them are
# texts with gaps (nullable-string-array), which anndata writes from 0.12 on.
KNOWN = {
    "array": "0.2.0", "string-array": "0.2.0", "categorical": "0.2.0", "dataframe": "0.2.0",
    "csr_matrix": "0.1.0", "csc_matrix": "0.1.0", "dict": "0.1.0", "string": "0.2.0",
    "numeric-scalar": "0.2.0", "nullable-integer": "0.1.0", "nullable-boolean": "0.1.0",
    "anndata": "0.1.0", "null": "0.1.0", "rec-array": "0.2.0", "raw": "0.1.0",
}  # fmt: skip
# Ours are of the kinds that every release since 0.8 reads, and SeuratDisk's way of columns knows.
OURS = {"array", "string-array", "categorical", "string", "csr_matrix"}
LEAST_COLUMNS = {keys.CURATED, keys.SOURCE, keys.PREDICTION, keys.CONFIDENCE, keys.HOLDOUT}


@pytest.fixture(scope="module")
def written(once, trained_folder):
    """An exported file with all that can be asked for, and what it was made from."""
    from scanvi_core import runtime
    from tests.projects import copy_of

    def build(folder):
        with runtime.home_at(folder / "home"):
            opened = workspace(copy_of(trained_folder))
            choice = ExportChoice(with_counts=True, sets=True)
            return write.write(opened, choice, folder / "out.h5ad")

    return once("export for readers", build)


@pytest.fixture
def source(trained):
    return Path(workspace(trained).dataset.manifest["source"]["path"])


def encodings(file, name=""):
    """Yield path, encoding and version of every element of a file."""
    group = file[name] if name else file
    kind = group.attrs.get("encoding-type")
    yield name, kind, group.attrs.get("encoding-version")
    inside = kind in ("anndata", "raw", "dict", "dataframe")
    for key in group if inside else ():
        yield from encodings(file, f"{name}/{key}")


def added(written, source):
    """Return the elements that the export added to the source."""
    with h5py.File(written) as new, h5py.File(source) as old:
        before = {name for name, *_ in encodings(old)}
        return [one for one in encodings(new) if one[0] not in before]


def test_every_element_is_of_an_encoding_that_readers_know(written):
    with h5py.File(written) as file:
        odd = [one for one in encodings(file) if KNOWN.get(one[1]) != one[2]]
    assert odd == []


def test_what_is_added_is_of_the_plainest_encodings(written, source):
    found = added(written, source)
    assert {kind for _, kind, _ in found} <= OURS
    names = {name.rpartition("/")[2] for name, *_ in found if name.startswith("/obs/")}
    assert names >= LEAST_COLUMNS


def test_columns_are_listed_in_order_beside_an_index_of_texts(written):
    with h5py.File(written) as file:
        for name in ("obs", "var"):
            frame = file[name]
            index = frame.attrs["_index"]
            listed = list(frame.attrs["column-order"])
            assert frame[index].attrs["encoding-type"] == "string-array"
            assert len(set(listed)) == len(listed)
            assert {index, *listed} == set(frame)


def test_categories_are_texts_and_codes_are_signed_whole_numbers(written, source):
    """R makes a factor of them: codes from 0 on, -1 where there is no value."""
    with h5py.File(written) as file:
        for name, kind, _ in added(written, source):
            if kind != "categorical":
                continue
            codes, categories = file[name]["codes"][:], file[name]["categories"]
            assert codes.dtype.kind == "i", name
            assert categories.attrs["encoding-type"] == "string-array", name
            assert h5py.check_string_dtype(categories.dtype).encoding == "utf-8", name
            texts = categories.asstr()[:]
            assert len(set(texts)) == len(texts) and "" not in texts, name
            assert codes.min() >= -1 and codes.max() < len(texts), name
            assert not file[name].attrs["ordered"], name


def test_arrays_per_cell_are_dense_numbers_with_a_row_per_cell(written):
    with h5py.File(written) as file:
        n_obs = len(file["obs"][file["obs"].attrs["_index"]])
        for key in (keys.LATENT_Z1, keys.PROBABILITIES):
            values = file["obsm"][key]
            assert isinstance(values, h5py.Dataset) and values.dtype.kind == "f"
            assert values.ndim == 2 and len(values) == n_obs


def test_the_counts_are_a_matrix_of_sorted_rows_that_r_can_index(written):
    """Matrix of R wants sorted indices without repeats, and knows 32 bits of them."""
    with h5py.File(written) as file:
        counts = file["layers/counts"]
        assert counts.attrs["encoding-type"] == "csr_matrix"
        shape = tuple(counts.attrs["shape"])
        parts = (counts["data"][:], counts["indices"][:], counts["indptr"][:])
    found = sparse.csr_matrix(parts, shape)
    assert found.has_canonical_format and found.indptr[-1] < 2**31
    assert np.array_equal(found.data, np.rint(found.data)) and found.data.min() > 0


def test_scanpy_goes_on_with_the_file(written):
    data = anndata.read_h5ad(written)
    assert len(data.uns[f"{keys.CURATED}_colors"]) == len(data.obs[keys.CURATED].cat.categories)
    data.X = data.layers["counts"].copy()
    scanpy.pp.normalize_total(data, target_sum=1e4)
    scanpy.pp.log1p(data)
    scanpy.pp.neighbors(data, use_rep=keys.LATENT_Z1)
    counts = data.obs[keys.CURATED].value_counts()
    groups = [name for name in counts.index if counts[name] > 2]
    scanpy.tl.rank_genes_groups(data, keys.CURATED, groups=groups, method="t-test")
    assert set(data.uns["rank_genes_groups"]["names"].dtype.names) == set(groups)


LOOK = """
import json, sys, warnings
warnings.simplefilter("ignore")
import anndata
data = anndata.read_h5ad(sys.argv[1])
names = [name for name in data.obs if name.startswith(("cell_type_", "scanvi_"))]
told = {name: [str(value) for value in data.obs[name]] for name in names}
told["shape"] = [list(data.shape), sorted(data.obsm), sorted(data.layers), sorted(data.uns)]
print(json.dumps(told))
"""


@pytest.mark.parametrize("release", [name for name in extended.WRITERS if name != "0.7"])
def test_releases_of_anndata_read_the_same(written, release):
    """From 0.8 on; 0.7 opens no file in which a later one wrote texts or categories."""
    python = extended.python_of(f"anndata-{release}")
    if not (python.parents[1] / "made.txt").exists():
        pytest.skip(f"no anndata {release}: python -m tests.extended installs it")
    done = subprocess.run(
        [python, "-c", LOOK, written], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-1500:]
    told, here = json.loads(done.stdout), anndata.read_h5ad(written)
    assert told["shape"] == [
        list(here.shape), sorted(here.obsm), sorted(here.layers), sorted(here.uns),
    ]  # fmt: skip
    for name in told.keys() - {"shape"}:
        same = [str(value) for value in here.obs[name]]
        gone = {"None", "nan", "NaN", "<NA>"}
        assert [v if v not in gone else "" for v in told[name]] == [
            v if v not in gone else "" for v in same
        ], name


TRAIN = """
import sys, warnings
warnings.simplefilter("ignore")
import anndata, scvi
data = anndata.read_h5ad(sys.argv[1])
labels = data.obs["cell_type_curated"].astype(object).where(
    data.obs["cell_type_source"].astype(str) == "given"
)
data.obs["known"] = labels.fillna("Unknown").astype("category")
scvi.model.SCANVI.setup_anndata(
    data, labels_key="known", unlabeled_category="Unknown", layer="counts"
)
model = scvi.model.SCANVI(data, n_hidden=16, n_latent=4)
model.train(max_epochs=1, accelerator="cpu", enable_progress_bar=False, logger=False)
print(len(model.predict()), scvi.__version__)
"""


def test_scvi_tools_trains_on_the_file(written, tmp_path):
    python = os.environ.get("SCVI_PYTHON") or extended.python_of("scvi-tools")
    if not Path(python).exists():
        pytest.skip("no scvi-tools: python -m tests.extended installs it")
    done = subprocess.run(
        [python, "-c", TRAIN, written], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout.splitlines()[-1].split()[0]) == anndata.read_h5ad(written).n_obs
