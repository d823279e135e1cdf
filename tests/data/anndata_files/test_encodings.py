"""Every encoding that anndata writes is read, trained on and exported, each part unchanged."""

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from anndata.io import read_elem, write_elem

from scanvi_core import keys
from scanvi_core.data.anndata_files.element import describe
from scanvi_core.data.dataset import Dataset
from scanvi_core.export.child import annotate
from tests.cli.program import annotated
from tests.data.intake.outcomes import ask
from tests.export.samples import request_for

N = 60
WORDS = np.array(["B", "T", "NK"] * 20, dtype=object)
GAPS = np.arange(N) % 7 == 0
COLUMNS = {
    "text": WORDS,
    "category": pd.Categorical(WORDS),
    "ordered": pd.Categorical(WORDS, ["NK", "T", "B"], ordered=True),
    "category of numbers": pd.Categorical(np.arange(N) % 3),
    "category with gaps": pd.Categorical(np.where(GAPS, None, WORDS)),
    "category of nullable text": pd.Categorical(pd.array(WORDS, dtype="string")),
    "nullable text": pd.array(np.where(GAPS, None, WORDS), dtype="string"),
    "nullable whole": pd.array(np.where(GAPS, None, np.arange(N)), dtype="Int64"),
    "nullable flag": pd.array(np.where(GAPS, None, np.arange(N) % 2 == 0), dtype="boolean"),
    "flag": np.arange(N) % 2 == 0,
    "small": np.arange(N).astype(np.int8),
    "unsigned": np.arange(N).astype(np.uint16),
    "half": np.arange(N).astype(np.float16),
    "number": np.arange(N) / 3,
}
FILLED = ("text", "category", "ordered", "nullable text")


def whole(index_type):
    """A data set with every kind of part; names stored as text or as nullable text."""
    counts = sp.csr_matrix(np.random.default_rng(0).poisson(0.7, (N, 40)).astype(np.float32))
    cells = pd.Index([f"AAACCTGAGAAAC{i:03d}-1" for i in range(N)], dtype=index_type)
    genes = pd.Index([f"ENSG{i:011d}" for i in range(40)], dtype=index_type)
    var = pd.DataFrame({"symbol": pd.array([f"G{i}" for i in range(40)], "string")}, index=genes)
    data = anndata.AnnData(counts, pd.DataFrame(COLUMNS, index=cells), var)
    data.raw = data.copy()
    data.layers["dense"], data.layers["csc"] = counts.toarray(), counts.tocsc()
    data.obsm["X_pca"], data.varm["PCs"] = np.ones((N, 2)), np.ones((40, 2))
    data.obsm["frame"] = pd.DataFrame({"a": np.arange(N)}, index=data.obs_names)
    data.obsm["sparse"] = sp.csr_matrix(np.eye(N, 3))
    data.obsp["graph"] = sp.eye(N, format="csr")
    data.uns |= {
        "text": "a", "number": 1.5, "list": np.array(["a", "b"], dtype=object), "none": None,
        "nested": {"nullable": pd.array([1, None], dtype="Int64"), "empty": {}},
        "records": np.zeros(3, [("a", "i4"), ("b", "S3")]),
    }  # fmt: skip
    return data


@pytest.fixture(params=["object", "string"], ids=["text", "nullable text"])
def written(request, tmp_path):
    return write(whole(request.param), tmp_path / "every.h5ad")


def write(data, path):
    with anndata.settings.override(allow_write_nullable_strings=True):
        data.write_h5ad(path)
    return path


def same(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, pd.DataFrame | pd.Series):
        return a.equals(b)
    if sp.issparse(a):
        return (a != b).nnz == 0
    if isinstance(a, np.ndarray) and a.dtype.names:
        return a.tolist() == b.tolist()
    if isinstance(a, pd.api.extensions.ExtensionArray):
        return pd.Series(a).equals(pd.Series(b))
    return np.array_equal(a, b) or a is b


def test_every_encoding_is_read(written, tmp_path):
    reply = ask(written, tmp_path / "ds")
    dataset = Dataset.open(tmp_path / "ds")
    assert set(dataset.obs) == set(COLUMNS) and "error" not in reply
    assert not [note for note in dataset.manifest["repairs"] if "cannot be read" in note]
    assert dataset.obs_names[0] == "AAACCTGAGAAAC000-1"
    for name in FILLED[:3]:
        assert dataset.column(name).tolist() == WORDS.tolist(), name
    assert dataset.column("nullable text").isna().tolist() == GAPS.tolist()
    assert dataset.manifest["symbol_column"] == "symbol"


def test_categories_of_whole_numbers_have_one_name_whatever_their_type(tmp_path):
    data = whole("object")
    for kind in (np.float32, np.float64, np.int8):
        data.obs[kind.__name__] = pd.Categorical((np.arange(N) % 3 - 1).astype(kind))
    data.obs["measured"] = pd.Categorical(np.arange(N) % 3 / 2)
    ask(write(data, tmp_path / "a.h5ad"), tmp_path / "ds")
    dataset = Dataset.open(tmp_path / "ds")
    for kind in ("float32", "float64", "int8"):
        assert set(dataset.column(kind)) == {"-1", "0", "1"}
    assert set(dataset.column("measured")) == {"0.0", "0.5", "1.0"}


def test_every_encoding_is_exported_unchanged(written, tmp_path):
    request = request_for(written, tmp_path / "out.h5ad", N)
    annotate(request, request.target)
    with h5py.File(written) as before, h5py.File(request.target) as after:
        for part in ("obs", "var", "raw", "layers", "obsm", "varm", "obsp", "uns", "X"):
            old, new = read_elem(before[part]), read_elem(after[part])
            if isinstance(old, dict | pd.DataFrame):
                kept = {key: new[key] for key in old}
                assert same(dict(old), kept), part
    result = anndata.read_h5ad(request.target)
    assert set(request.obs) <= set(result.obs)
    assert result[:5, :3].shape == (5, 3)


@pytest.mark.slow
def test_names_that_are_nullable_text_come_through_the_whole_program(tmp_path, capsys):
    with anndata.settings.override(allow_write_nullable_strings=True):
        summary, result = annotated(
            capsys, tmp_path, whole("string"), labels=("--labels-key", "nullable text")
        )
    assert keys.CURATED in result.obs and summary["n_cells"] == N


@pytest.mark.parametrize("kind", [np.uint64, np.uint32, np.int16, ">i8"])
@pytest.mark.parametrize("place", ["X", "layers/csc", "raw/X", "obsp/graph"])
def test_positions_that_scanpy_cannot_slice_are_written_so_that_it_can(tmp_path, place, kind):
    path = write(whole("object"), tmp_path / "odd.h5ad")
    with h5py.File(path, "r+") as file:
        for part in ("indices", "indptr"):
            values = file[f"{place}/{part}"][:]
            del file[f"{place}/{part}"]
            file[f"{place}/{part}"] = values.astype(kind)
        expected = {name: file[f"{place}/{name}"][:].tolist() for name in ("indices", "indptr")}
    request = request_for(path, tmp_path / "out.h5ad", N)
    _, notes = annotate(request, request.target)
    assert [place in note for note in notes] == [True]
    with h5py.File(request.target) as file:
        for name, values in expected.items():
            assert file[f"{place}/{name}"].dtype == np.int32
            assert file[f"{place}/{name}"][:].tolist() == values


def test_factors_of_seuratdisk_are_exported_as_names(tmp_path):
    path = write(whole("object"), tmp_path / "seurat.h5ad")
    with h5py.File(path, "r+") as file:
        del file["obs"]
        obs = file.create_group("obs")
        obs.attrs.update({"_index": "_index", "encoding-type": "dataframe"})
        obs.attrs.update({"encoding-version": "0.1.0", "column-order": ["kind"]})
        obs["_index"] = [f"AAACCTGAGAAAC{i:03d}-1" for i in range(N)]
        obs["kind"] = np.arange(N, dtype=np.int32) % 3
        obs["__categories/kind"] = ["B", "NK", "T"]
        assert describe(obs, "kind").kind == "codes"
    request = request_for(path, tmp_path / "out.h5ad", N)
    annotate(request, request.target)
    assert anndata.read_h5ad(request.target).obs["kind"].tolist() == ["B", "NK", "T"] * 20


def test_an_element_tells_its_kind_and_length(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        with anndata.settings.override(allow_write_nullable_strings=True):
            write_elem(file, "t", pd.DataFrame(COLUMNS))
        kinds = {name: describe(file["t"], name) for name in COLUMNS}
    assert {element.length for element in kinds.values()} == {N}
    assert kinds["nullable text"].kind == kinds["nullable whole"].kind == "masked"
    assert kinds["category"].kind == "categorical" and kinds["text"].kind == "array"
