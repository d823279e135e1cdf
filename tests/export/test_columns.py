"""Every kind of column and entry that users have comes back from an export as it was."""

import importlib.util

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from anndata.io import read_elem

from scanvi_core import keys
from scanvi_core.export.child import annotate
from tests.export.samples import N_OBS, N_VARS, request_for, saved, small

pytestmark = pytest.mark.filterwarnings("ignore")

THREE = N_OBS // 3
COLUMNS = {
    "categorical": pd.Categorical(["b", "a", None] * THREE, categories=["c", "b", "a"]),
    "ordered": pd.Categorical(["low", "high", None] * THREE, ["low", "mid", "high"], ordered=True),
    "numbers as categories": pd.Categorical([3, 1, 2] * THREE),
    "bool": np.array([True, False, True] * THREE),
    "nullable bool": pd.array([True, None, False] * THREE, dtype="boolean"),
    "nullable int": pd.array([1, None, -(2**60)] * THREE, dtype="Int64"),
    "unsigned": np.array([0, 255, 7] * THREE, dtype=np.uint8),
    "float32": np.array([0.1, np.nan, -0.0] * THREE, dtype=np.float32),
    "infinite": np.array([np.inf, -np.inf, 1e-310] * THREE),
    "words": np.array(["=1+1", "", "Ünï 🧬 "] * THREE, dtype=object),
    "words as categories with gaps": pd.Categorical(["x", np.nan, "NaN"] * THREE),
    "dates as words": pd.date_range("2020-02-29", periods=N_OBS).astype(str).to_numpy(object),
}


def with_column(tmp_path, values):
    data = small()
    data.obs["mine"] = values
    return saved(tmp_path, data)


@pytest.mark.parametrize("kind", COLUMNS)
def test_a_column_of_cells_comes_back(tmp_path, kind):
    source = with_column(tmp_path, COLUMNS[kind])
    request = request_for(source, tmp_path / "out.h5ad")
    annotate(request, request.target)
    before, after = ad.read_h5ad(source).obs, ad.read_h5ad(request.target).obs
    pd.testing.assert_series_equal(after["mine"], before["mine"])
    assert keys.CURATED in after


ENTRIES = {
    "uns/nested": {"a": {"b": np.arange(3), "c": "text"}, "d": 1.5, "e": {}},
    "uns/group_colors": np.array(["#ff0000", "#00ff00"], dtype=object),
    "uns/table": pd.DataFrame({"p": [0.1, np.nan]}, index=["g1", "g2"]),
    "uns/records": np.array([("g", 1.0)], dtype=[("names", "O"), ("scores", "f4")]),
    "uns/sparse": sp.eye(3, format="csc"),
    "uns/bytes": np.array([b"x", b"yz"]),
    "uns/flag": True,
    "obsm/frame": pd.DataFrame({"x": np.arange(N_OBS), "y": ["a", "b", "c"] * THREE}),
    "obsm/sparse": sp.random(N_OBS, 9, 0.3, format="csr", rng=0),
    "obsm/sparse columns": sp.random(N_OBS, 9, 0.3, format="csc", rng=0),
    "obsm/narrow": np.arange(N_OBS * 2, dtype=np.float16).reshape(N_OBS, 2),
    "obsp/graph": sp.random(N_OBS, N_OBS, 0.1, format="csr", rng=0),
    "varm/loadings": np.ones((N_VARS, 2)),
    "layers/half": np.arange(N_OBS * N_VARS, dtype=np.float16).reshape(N_OBS, N_VARS),
    "layers/whole": sp.random(N_OBS, N_VARS, 0.3, format="csc", rng=0).astype(np.int16),
}


@pytest.mark.parametrize("place", ENTRIES)
def test_an_entry_comes_back_byte_for_byte(tmp_path, place):
    slot, name = place.split("/")
    data, value = small(), ENTRIES[place]
    if isinstance(value, pd.DataFrame) and slot == "obsm":
        value = value.set_axis(data.obs_names)
    getattr(data, slot)[name] = value
    source = saved(tmp_path, data)
    request = request_for(source, tmp_path / "out.h5ad")
    annotate(request, request.target)
    assert_same_stored(source, request.target, place)


@pytest.mark.skipif(importlib.util.find_spec("awkward") is None, reason="awkward is absent")
def test_a_ragged_array_comes_back(tmp_path):
    import awkward

    data = small()
    data.obsm["ragged"] = awkward.Array([[1, 2], [], [3]] * THREE)
    source = saved(tmp_path, data)
    request = request_for(source, tmp_path / "out.h5ad")
    annotate(request, request.target)
    assert_same_stored(source, request.target, "obsm/ragged")


def test_entries_no_library_knows_come_back(tmp_path):
    source = saved(tmp_path, small())
    with h5py.File(source, "r+") as file:
        file["uns"]["strange"] = np.array([1 + 2j])
        file["uns"]["strange"].attrs["note"] = "mine"
        file.create_group("my own things")["x"] = np.arange(3)
        file["obs"].attrs["custom"] = 5
    request = request_for(source, tmp_path / "out.h5ad")
    annotate(request, request.target)
    for place in ("uns/strange", "my own things/x"):
        assert_same_stored(source, request.target, place)
    with h5py.File(request.target) as file:
        assert file["obs"].attrs["custom"] == 5 and file["uns/strange"].attrs["note"] == "mine"


def test_a_column_of_mixed_values_that_the_file_holds_comes_back(tmp_path):
    """anndata refuses to write such a column; where another program did, it stays as it is."""
    source = saved(tmp_path, small())
    with h5py.File(source, "r+") as file:
        mixed = np.array([b"a", b"1", b""] * THREE, dtype="S1")
        file["obs"]["mixed"] = mixed
        file["obs/mixed"].attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
        file["obs"].attrs["column-order"] = [*file["obs"].attrs["column-order"], "mixed"]
    request = request_for(source, tmp_path / "out.h5ad")
    annotate(request, request.target)
    assert_same_stored(source, request.target, "obs/mixed")


def test_an_old_file_says_what_was_written_anew(tmp_path):
    source = saved(tmp_path, small())
    with h5py.File(source, "r+") as file:
        table = read_elem(file["obs"])
        del file["obs"]
        records = table[["number"]].to_records()
        file["obs"] = records.astype([("index", "S8"), ("number", "f8")])
        del file["obsp"]  # what such old files did not have
        for name in ("encoding-type", "encoding-version"):
            file.attrs.pop(name, None)
    request = request_for(source, tmp_path / "out.h5ad")
    _, notes = annotate(request, request.target)
    assert any(note.startswith("obs was stored in an old format") for note in notes)


def assert_same_stored(source, target, place):
    with h5py.File(source) as a, h5py.File(target) as b:
        found = []
        if isinstance(a[place], h5py.Dataset):
            found.append(("", a[place]))
        else:
            a[place].visititems(lambda name, item: found.append((name, item)))
        for name, item in found:
            other = b[place][name] if name else b[place]
            assert dict(item.attrs).keys() == dict(other.attrs).keys()
            if isinstance(item, h5py.Dataset):
                assert item.dtype == other.dtype and item.shape == other.shape
                if item.dtype.hasobject:
                    assert np.array_equal(item[()], other[()])
                else:
                    assert item[()].tobytes() == other[()].tobytes()
