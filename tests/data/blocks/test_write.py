"""Counts written and turned block by block: the same as in one piece."""

import h5py
import numpy as np
import pytest
import scipy.sparse as sp
from anndata.io import write_elem

from scanvi_core.data.blocks import hdf5, write
from scanvi_core.data.blocks.hdf5 import find_matrices, read_counts

SHAPE = (230, 41)


@pytest.fixture
def counts():
    matrix = sp.random(*SHAPE, 0.2, format="csr", rng=4)
    matrix.data = np.random.default_rng(0).integers(1, 90, matrix.nnz).astype(np.float32)
    counts = matrix.toarray()
    counts[5] = counts[-3:] = 0  # cells without counts, the last ones too
    counts[:, 7] = 0
    return sp.csr_matrix(counts)


def loaded(folder, prefix):
    return [np.load(folder / f"{prefix}_{part}.npy") for part in ("data", "indices", "indptr")]


def small_blocks(monkeypatch, size):
    monkeypatch.setattr(hdf5, "BLOCK_VALUES", size)


@pytest.mark.parametrize("stored", [sp.csr_matrix, np.asarray])
@pytest.mark.parametrize("size", [1, 100, 10**6])
def test_blocks_of_a_file_are_written_as_the_matrix_is(
    counts, tmp_path, monkeypatch, stored, size
):
    small_blocks(monkeypatch, size)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        write_elem(file, "X", counts.toarray() if stored is np.asarray else counts)
        (source,), _ = find_matrices(file, *SHAPE)
        write.write_csr(write.csr_blocks(source), tmp_path)
        whole = read_counts(source, source.n_stored)
    found = sp.csr_matrix(tuple(loaded(tmp_path, "counts")), shape=SHAPE)
    assert (found != counts).nnz == 0 and (whole != counts).nnz == 0
    parts = (whole.data, whole.indices, whole.indptr)
    for ours, theirs in zip(loaded(tmp_path, "counts"), parts, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_what_is_stored_twice_is_summed_and_zeros_go(tmp_path):
    parts = ([1.0, 2.0, 0.0, 4.0], [3, 3, 1, 0], [0, 2, 2, 4])
    with h5py.File(tmp_path / "x.h5", "w") as file:
        group = file.create_group("X")
        group.attrs.update({"encoding-type": "csr_matrix", "shape": (3, 5)})
        for name, values in zip(("data", "indices", "indptr"), parts, strict=True):
            group[name] = np.array(values, dtype=np.float32 if name == "data" else np.int32)
        (source,), _ = find_matrices(file, 3, 5)
        write.write_csr(write.csr_blocks(source), tmp_path)
    data, indices, indptr = loaded(tmp_path, "counts")
    assert (data.tolist(), indices.tolist(), indptr.tolist()) == ([3, 4], [3, 0], [0, 1, 1, 2])


@pytest.mark.parametrize("size", [1, 300, 10**6])
def test_turning_gives_the_counts_by_gene(counts, tmp_path, size):
    write.write_csr(iter([counts[:100], counts[100:]]), tmp_path)
    write.write_by_gene(tmp_path, SHAPE, size)
    by_gene = counts.tocsc()
    for ours, theirs in zip(
        loaded(tmp_path, "by_gene"), (by_gene.data, by_gene.indices, by_gene.indptr), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype


def test_a_matrix_by_columns_is_not_taken_for_one_by_rows(counts, tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        write_elem(file, "X", counts.tocsc())
        (source,), _ = find_matrices(file, *SHAPE)
        with pytest.raises(ValueError, match="by columns"):
            next(write.csr_blocks(source))
