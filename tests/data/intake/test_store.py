"""Counts copied from a file into the data set: the same bytes as in one piece."""

import hashlib
import io
from functools import partialmethod

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from scanvi_core.data.anndata_files.h5ad import read_file
from scanvi_core.data.blocks import hdf5, write
from scanvi_core.data.counts import convert
from scanvi_core.data.dataset import Dataset
from scanvi_core.data.intake.store import store
from scanvi_core.errors import FileRefused
from tests.data.intake.stored import SHAPES, STORED, make

MEMORY_MB = 2_000.0


def saved(values):
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    return buffer.getvalue()


@pytest.mark.parametrize("size", [90, 10**6])
@pytest.mark.parametrize("stored", STORED)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_copy_has_the_bytes_that_scipy_and_numpy_give(
    tmp_path, monkeypatch, shape, stored, size
):
    monkeypatch.setattr(hdf5, "BLOCK_VALUES", size)
    monkeypatch.setattr(convert, "BLOCK_VALUES", size // 2)
    counts = make(tmp_path / "x.h5ad", shape, stored)
    content = read_file(tmp_path / "x.h5ad", None, MEMORY_MB, whole=True)
    manifest = store(tmp_path / "ds", content)
    for prefix, matrix in (("counts", counts), ("by_gene", counts.tocsc())):
        for part in ("data", "indices", "indptr"):
            written = (tmp_path / "ds" / f"{prefix}_{part}.npy").read_bytes()
            assert written == saved(getattr(matrix, part)), (prefix, part)
    parts = (np.array(shape), "<i8"), (counts.indptr, "<i8"), (counts.indices, "<i4")
    whole = b"".join(part.astype(kind).tobytes() for part, kind in (*parts, (counts.data, "<f4")))
    assert manifest["counts_sha256"] == hashlib.sha256(whole).hexdigest()
    totals = np.load(tmp_path / "ds" / "totals.npy")
    assert np.array_equal(totals, np.asarray(counts.sum(axis=1, dtype=np.float64)).ravel())
    assert any("1 cell has no counts" in note for note in manifest["repairs"])


@pytest.mark.parametrize("stored", STORED)
def test_recovered_counts_do_not_depend_on_how_the_values_are_stored(
    tmp_path, monkeypatch, stored
):
    monkeypatch.setattr(hdf5, "BLOCK_VALUES", 3_000)
    monkeypatch.setattr(convert, "BLOCK_VALUES", 1_000)
    random = np.random.default_rng(1)
    rates = random.lognormal(0, 1.5, 120)
    counts = random.poisson(rates * random.lognormal(0, 0.4, (400, 1))).astype(np.float32)
    logs = np.log1p(counts / counts.sum(axis=1, keepdims=True) * 1e4).astype(np.float32)
    obs = pd.DataFrame(index=[f"c{i}" for i in range(400)])
    var = pd.DataFrame(index=[f"G{i}" for i in range(120)])
    path = tmp_path / "x.h5ad"
    ad.AnnData(STORED[stored](sp.csr_matrix(logs)), obs, var).write_h5ad(path)
    manifest = store(tmp_path / "ds", read_file(path, None, MEMORY_MB, whole=True))
    assert np.array_equal(Dataset.open(tmp_path / "ds").counts.toarray(), counts)
    assert manifest["recovery"]["text"] == manifest["repairs"][0]
    looked_at = read_file(path, None, MEMORY_MB, whole=False).manifest
    assert looked_at["recovery"] == manifest["recovery"]


def listed(converter, original, rows, block):
    rows.append(block.shape[0])
    original(converter, block)


def test_counts_are_converted_in_the_same_blocks_however_they_are_stored(tmp_path, monkeypatch):
    monkeypatch.setattr(hdf5, "BLOCK_VALUES", 700)
    monkeypatch.setattr(convert, "BLOCK_VALUES", 900)
    original = convert.CountsConverter.convert
    seen = {stored: [] for stored in STORED}
    for stored, blocks in seen.items():
        make(tmp_path / f"{stored}.h5ad", SHAPES[1], stored)
        content = read_file(tmp_path / f"{stored}.h5ad", None, MEMORY_MB, whole=True)
        with monkeypatch.context() as patch:
            patch.setattr(
                convert.CountsConverter, "convert", partialmethod(listed, original, blocks)
            )
            store(tmp_path / stored, content)
    assert seen["csr"] == seen["csc"] == seen["dense"] and len(seen["csr"]) > 5


@pytest.mark.parametrize("size", [1, 7, 100, 10**6])
@pytest.mark.parametrize("step", [1, 13, 230])
def test_regrouped_blocks_are_those_of_the_whole_matrix(size, step):
    values = sp.random(230, 41, 0.1, rng=4).toarray()
    values[50:90] = 0
    matrix = sp.csr_matrix(values)
    blocks = (matrix[at : at + step] for at in range(0, 230, step))
    found = list(write.regrouped(blocks, size))
    borders = [0, *np.cumsum([block.shape[0] for block in found])]
    wanted = [0, *(stop for _, stop in write.row_blocks(matrix.indptr, size))]
    assert borders == wanted
    assert (sp.vstack(found) != matrix).nnz == 0


def test_a_file_that_changes_before_its_counts_are_copied_is_refused(tmp_path):
    path = tmp_path / "x.h5ad"
    make(path, SHAPES[0])
    content = read_file(path, None, MEMORY_MB, whole=True)
    make(path, SHAPES[1])
    with pytest.raises(FileRefused, match="was changed while it was read"):
        store(tmp_path / "ds", content)
    assert not (tmp_path / "ds").exists()
