"""Files that other programs wrote, beside an independent reader."""

import zipfile

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
import scipy.sparse as sp

from scanvi_core import config
from tests.data.formats.reading import taken
from tests.data.intake.odd_cases import ODD

needs_shared = pytest.mark.skipif(not ODD.exists(), reason="the odd files are not here")


def unzipped(path, folder):
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
    return folder


def genes_by_cells(path):
    return anndata.AnnData(pd.read_csv(path, index_col=0).T)


def plain_triple(path):  # scanpy reads version 3 only packed
    genes = pd.read_csv(path / "features.tsv", sep="\t", header=None)
    cells = pd.read_csv(path / "barcodes.tsv", header=None)
    counts = sp.csr_matrix(scipy.io.mmread(path / "matrix.mtx").T)
    obs, var = pd.DataFrame(index=list(cells[0])), pd.DataFrame(index=list(genes[1]))
    return anndata.AnnData(counts, obs=obs, var=var)


def loom(path):
    with h5py.File(path) as file:
        return anndata.AnnData(file["matrix"][()].T)


def scanpy_reader(name, **options):
    def read(path):
        import scanpy

        return getattr(scanpy, name)(path, **options)

    return read


V2, V3, SCPREP = "10x_v2_h5", "10x_v3_h5", "scprep"
ORIGINALS = {
    f"{V2}/filtered_gene_bc_matrices_h5.h5": (scanpy_reader("read_10x_h5"), {}),
    f"{V2}/multiple_genomes.h5": (
        scanpy_reader("read_10x_h5", genome="another_genome"), {"genome": "another_genome"}
    ),
    f"{V3}/filtered_feature_bc_matrix.h5": (scanpy_reader("read_10x_h5"), {}),
    f"{V3}/visium_raw_probe_bc_matrix.h5": (scanpy_reader("read_10x_h5"), {}),
    f"{SCPREP}/test_10X.h5": (scanpy_reader("read_10x_h5"), {}),
    "10x_v2_mtx/hg19_chr21": (scanpy_reader("read_10x_mtx"), {}),
    "10x_v3_mtx_gz": (scanpy_reader("read_10x_mtx"), {}),
    "10x_mtx_int_ids": (plain_triple, {}),
    f"{SCPREP}/test_10X_cellranger3": (plain_triple, {}),
    "csv_gz/sc_dropseq.count.csv.gz": (genes_by_cells, {"orientation": "cells-in-columns"}),
    "loom/mpfc-starmap.loom": (loom, {}),
    "derived/zarr_v2.zarr": (anndata.read_zarr, {}),
    "derived/zarr_v3.zarr": (anndata.read_zarr, {}),
}  # fmt: skip


@needs_shared
@pytest.mark.parametrize("name", ORIGINALS)
def test_an_original_has_the_numbers_that_another_reader_finds(name, tmp_path, monkeypatch):
    monkeypatch.setattr(config, "MIN_CELLS", 1)  # some originals are tiny
    monkeypatch.setattr(config, "MIN_GENES", 1)
    read, answers = ORIGINALS[name]
    other = read(ODD / name)
    dataset = taken(ODD / name, tmp_path, **answers)
    assert dataset.manifest["counts_source"] == "X"
    assert (dataset.counts != sp.csr_matrix(other.X, dtype=np.float32)).nnz == 0
    if "loom" not in name:  # that file numbers its cells, and so does the reader
        assert dataset.obs_names.tolist() == other.obs_names.tolist()
        assert dataset.var_names.tolist() == other.var_names.tolist()


@needs_shared
@pytest.mark.parametrize("version", ["0.7.0", "0.7.8"])
def test_old_zarr_stores_have_the_raw_counts_that_anndata_finds(version, tmp_path):
    path = ODD / f"anndata_v{version}" / "adata.zarr.zip"
    other = anndata.read_zarr(unzipped(path, tmp_path / "plain")).raw.to_adata()
    dataset = taken(path, tmp_path)
    assert dataset.manifest["counts_source"] == "raw.X"
    assert (dataset.counts != sp.csr_matrix(other.X)).nnz == 0
    assert dataset.var_names.tolist() == other.var_names.tolist()
    assert list(dataset.column("obs_cat")) == list(other.obs["obs_cat"])
