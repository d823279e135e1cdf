"""Counts copied from a file into the data set: the same bytes as in one piece; told; stopped."""

import hashlib
import io
import os
import sys
from functools import partial, partialmethod

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from scanvi_core.data.anndata_files.checks import check_memory
from scanvi_core.data.anndata_files.h5ad import read_file
from scanvi_core.data.blocks import hdf5, progress, write
from scanvi_core.data.blocks.hdf5 import MatrixSource
from scanvi_core.data.counts import convert
from scanvi_core.data.dataset import Dataset
from scanvi_core.data.guard.child_process import ImportStopped
from scanvi_core.data.guard.subprocess_limits import Talk, run_watched
from scanvi_core.data.intake.import_file import import_file
from scanvi_core.data.intake.store import store
from scanvi_core.errors import FileRefused

MEMORY_MB = 2_000.0
SHAPES = [(60, 80), (257, 61), (1_000, 70)]
STORED = {"csr": sp.csr_matrix, "csc": sp.csc_matrix, "dense": lambda found: found.toarray()}


def make(path, shape, stored="csr"):
    """Write counts with an empty cell at the end and an unused gene; return them."""
    random = np.random.default_rng(shape[0])
    found = random.poisson(0.6, shape).astype(np.float32)
    found[-1], found[:, 3] = 0, 0
    counts = sp.csr_matrix(found)
    obs = pd.DataFrame(index=[f"c{i}" for i in range(shape[0])])
    var = pd.DataFrame(index=[f"G{i}" for i in range(shape[1])])
    ad.AnnData(STORED[stored](counts), obs, var).write_h5ad(path)
    return counts


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


def test_a_thousand_million_values_by_row_need_less_than_8_gb():
    big = partial(MatrixSource, "X", None, (1_000_000, 30_000))
    for stored in ("csr", "dense"):
        source = big(stored, np.dtype("f4"), 10**9)
        assert check_memory(source, 10**9, 8_000) < 1_000
    with pytest.raises(FileRefused, match="Not enough memory"):
        check_memory(big("csc", np.dtype("f4"), 10**9), 10**9, 8_000)


# Progress and cancel ---------------------------------------------------------------------------


def test_an_import_tells_how_far_it_is(tmp_path):
    make(tmp_path / "x.h5ad", SHAPES[0])
    told = []
    import_file(tmp_path / "x.h5ad", tmp_path / "ds", report=lambda *now: told.append(now))
    shares = [share for share, _ in told]
    assert shares == sorted(shares) and shares[0] == 0 and 0.9 < shares[-1] <= 1
    stages = dict.fromkeys(words for _, words in told)
    expected = ("CHECKING", "READING", "LOOKING", "COPYING", "TURNING", "FINISHING")
    assert list(stages) == [getattr(progress, name).words for name in expected]


def watched(code, talk):
    limits = {"timeout_s": 30.0, "memory_mb": 4_000.0}
    return run_watched([sys.executable, "-c", code], b"", os.environ, **limits, talk=talk)


def test_a_child_that_is_asked_to_stop_is_ended():
    ended = watched("import time; time.sleep(100)", Talk(should_stop=lambda: True))
    assert ended.stopped and not ended.timed_out


def test_a_child_that_ends_before_anyone_looks_counts_as_stopped(monkeypatch):
    monkeypatch.setattr("scanvi_core.data.guard.subprocess_limits.POLL_SECONDS", 1.0)
    lines = []
    ended = watched("print('here')", Talk(lines.append, lambda: bool(lines)))
    assert ended.stopped and lines == [b"here\n"] and ended.output == b"here\n"


@pytest.mark.parametrize("when", ["Checking the file", "Copying the counts"])
def test_a_cancelled_import_leaves_nothing(tmp_path, when):
    folder = tmp_path / "project"
    make(tmp_path / "x.h5ad", (3_000, 400))
    seen = set()
    with pytest.raises(ImportStopped, match="Nothing was kept"):
        import_file(
            tmp_path / "x.h5ad",
            folder / "ds",
            report=lambda _, words: seen.add(words),
            should_stop=lambda: when in seen,
        )
    assert list(folder.iterdir()) == []


def test_a_cancelled_import_leaves_the_earlier_copy(tmp_path):
    make(tmp_path / "x.h5ad", SHAPES[0])
    before = import_file(tmp_path / "x.h5ad", tmp_path / "project" / "ds")
    with pytest.raises(ImportStopped):
        import_file(tmp_path / "x.h5ad", tmp_path / "project" / "ds", should_stop=lambda: True)
    assert Dataset.open(tmp_path / "project" / "ds").manifest == before
    assert [path.name for path in (tmp_path / "project").iterdir()] == ["ds"]


def test_a_cancelled_import_of_a_table_leaves_no_half_file_beside_the_users(tmp_path):
    source = tmp_path / "project" / "source"
    source.mkdir(parents=True)
    table = pd.DataFrame(
        np.random.default_rng(0).poisson(1, (200, 90)),
        index=[f"cell{i}" for i in range(200)],
        columns=[f"GENE{i}" for i in range(90)],
    )
    table.to_csv(source / "x.csv")
    seen = set()
    with pytest.raises(ImportStopped):
        import_file(
            source / "x.csv",
            tmp_path / "project" / "ds",
            answers={"orientation": "cells-in-rows"},
            report=lambda _, words: seen.add(words),
            should_stop=lambda: "Looking for counts" in seen,
        )
    assert [path.name for path in source.iterdir()] == ["x.csv"]
