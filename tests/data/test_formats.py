"""Files of every kind become the same counts, a question, or a sentence that says what to do."""

import gzip
import shutil
import zipfile
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
import scipy.sparse as sp
from anndata.io import write_elem

from scanvi_core import config
from scanvi_core.data.child import answer
from scanvi_core.data.dataset import Dataset

N_CELLS, N_GENES = 60, 40
CELLS = [f"{'ACGT' * 3}{i:02d}-1" for i in range(N_CELLS)]
IDS = [f"ENSG{i:011d}" for i in range(N_GENES)]
GENES = ["ACTB", "MT-ND1", *[f"GENE{i}" for i in range(2, N_GENES)]]
TYPES = ["T cell", "B cell", "NK"] * 20


@pytest.fixture(scope="module")
def truth():
    """Counts [cells, genes] that every file of this module holds."""
    return sp.csr_matrix(np.random.default_rng(0).poisson(0.7, (N_CELLS, N_GENES)))


@pytest.fixture(scope="module")
def cells(truth):
    """The same as AnnData, with labels and a layer."""
    obs = pd.DataFrame({"cell_type": pd.Categorical(TYPES)}, index=CELLS)
    var = pd.DataFrame({"gene_ids": IDS}, index=GENES)
    adata = anndata.AnnData(truth.astype(np.float32), obs=obs, var=var)
    adata.layers["twice"] = adata.X * 2
    adata.obsm["X_pca"] = np.arange(N_CELLS * 2, dtype=np.float32).reshape(-1, 2)
    return adata


def ask(path, tmp_path, **answers):
    """Import a file here instead of in a child, which costs a second each."""
    request = {"task": "import", "path": str(path), "matrix": None, "answers": answers}
    folders = {"folder": str(tmp_path / "ds"), "sources": str(tmp_path / "source")}
    return answer({**request, **folders, "memory_mb": 4_000, "timeout_s": 60})


def taken(path, tmp_path, **answers):
    reply = ask(path, tmp_path, **answers)
    assert "error" not in reply, reply
    assert "question" not in reply["result"], reply["result"]
    return Dataset.open(tmp_path / "ds")


def question(path, tmp_path, **answers):
    return ask(path, tmp_path, **answers)["result"]["question"]


def refusal(path, tmp_path, **answers):
    failure = ask(path, tmp_path, **answers)["error"]
    assert failure["hint"]
    assert not (tmp_path / "ds").exists()
    return failure["message"]


def same(dataset, truth, genes=GENES, cells=CELLS):
    assert dataset.obs_names.tolist() == list(cells)
    assert dataset.var_names.tolist() == list(genes)
    assert (dataset.counts != sp.csr_matrix(truth)).nnz == 0


# 10x ------------------------------------------------------------------------------------------


def tenx_v3(path, counts, types=("Gene Expression",), genomes=("GRCh38",)):
    """Write a Cell Ranger 3 file; feature i has type i and genome i, going round."""
    n_cells, n_features = counts.shape
    with h5py.File(path, "w") as file:
        group = file.create_group("matrix")
        for part in ("data", "indices", "indptr"):
            group[part] = getattr(counts, part)
        group["shape"] = np.array([n_features, n_cells], np.int32)
        group["barcodes"] = np.array(CELLS, "S")
        features = group.create_group("features")
        features["id"], features["name"] = np.array(IDS, "S"), np.array(GENES, "S")
        features["_all_tag_keys"] = np.array([b"genome"])
        for key, values in (("feature_type", types), ("genome", genomes)):
            cycle = [values[i % len(values)] for i in range(n_features)]
            features[key] = np.array(cycle, "S")
    return path


def test_a_10x_file_of_version_3_is_read(truth, tmp_path):
    dataset = taken(tenx_v3(tmp_path / "any.name", truth), tmp_path)
    same(dataset, truth)
    assert dataset.var["gene_ids"].tolist() == IDS
    assert dataset.manifest["origin"]["kind"] == "a 10x Genomics file (.h5)"


def test_other_features_than_genes_are_left_aside_and_named(truth, tmp_path):
    types = ("Gene Expression", "Antibody Capture")
    dataset = taken(tenx_v3(tmp_path / "a.h5", truth, types), tmp_path)
    same(dataset, truth[:, ::2], GENES[::2])
    assert any(
        "20 features of the type Antibody Capture" in s for s in dataset.manifest["repairs"]
    )


def test_several_genomes_are_a_question_and_one_or_all_are_read(truth, tmp_path):
    path = tenx_v3(tmp_path / "a.h5", truth, genomes=("hg19", "mm10"))
    asked = question(path, tmp_path)
    assert [option["value"] for option in asked["options"]] == ["hg19", "mm10", "all"]
    same(taken(path, tmp_path, genome="mm10"), truth[:, 1::2], GENES[1::2])
    shutil.rmtree(tmp_path / "ds")
    same(taken(path, tmp_path, genome="all"), truth)


def test_features_without_gene_expression_are_a_question(truth, tmp_path):
    path = tenx_v3(tmp_path / "a.h5", truth, ("Peaks", "Antibody Capture"))
    assert question(path, tmp_path)["key"] == "feature_type"
    same(taken(path, tmp_path, feature_type="Peaks"), truth[:, ::2], GENES[::2])


def test_a_10x_file_of_version_2_asks_for_its_genome(truth, tmp_path):
    with h5py.File(tmp_path / "two.h5", "w") as file:
        for genome, counts in (("hg19", truth), ("mm10", truth * 2)):
            for part in ("data", "indices", "indptr"):
                file[f"{genome}/{part}"] = getattr(counts, part)
            file[f"{genome}/shape"] = np.array([N_GENES, N_CELLS])
            file[f"{genome}/barcodes"] = np.array(CELLS, "S")
            file[f"{genome}/genes"] = np.array(IDS, "S")
            file[f"{genome}/gene_names"] = np.array(GENES, "S")
    assert question(tmp_path / "two.h5", tmp_path)["key"] == "genome"
    same(taken(tmp_path / "two.h5", tmp_path, genome="mm10"), truth * 2)


def test_a_10x_file_that_points_beyond_its_genes_is_refused(truth, tmp_path):
    path = tenx_v3(tmp_path / "a.h5", truth)
    with h5py.File(path, "r+") as file:
        file["matrix/indices"][3] = 10**6
    assert "points beyond its last gene" in refusal(path, tmp_path)


# Matrix Market --------------------------------------------------------------------------------


def triple(folder, counts, prefix="", features="features.tsv", packed=True, cells_in_rows=False):
    folder.mkdir(exist_ok=True)
    matrix = sp.coo_matrix(counts if cells_in_rows else counts.T)
    scipy.io.mmwrite(folder / "m.mtx", matrix, field="integer")
    lists = {
        features: "\n".join(f"{i}\t{g}\tGene Expression" for i, g in zip(IDS, GENES, strict=True)),
        "barcodes.tsv": "\n".join(CELLS),
        "matrix.mtx": (folder / "m.mtx").read_text(),
    }
    (folder / "m.mtx").unlink()
    for name, text in lists.items():
        content = (text + "\n").encode()
        target = folder / f"{prefix}{name}{'.gz' if packed else ''}"
        target.write_bytes(gzip.compress(content) if packed else content)
    return folder


@pytest.mark.parametrize("packed", [True, False])
def test_a_folder_of_10x_is_read(truth, tmp_path, packed):
    folder = triple(tmp_path / "filtered", truth, packed=packed)
    same(taken(folder, tmp_path), truth)


@pytest.mark.parametrize("name", ["matrix.mtx.gz", "barcodes.tsv.gz", "features.tsv.gz"])
def test_any_file_of_a_triple_leads_to_all_three(truth, tmp_path, name):
    folder = triple(tmp_path / "filtered", truth)
    same(taken(folder / name, tmp_path), truth)


def test_samples_of_geo_are_a_question(truth, tmp_path):
    folder = triple(tmp_path / "GSE1", truth, "GSM1_young_", "genes.tsv")
    triple(folder, truth * 2, "GSM2_old_", "genes.tsv")
    asked = question(folder, tmp_path)
    assert [option["value"] for option in asked["options"]] == ["GSM1_young", "GSM2_old"]
    same(taken(folder, tmp_path, sample="GSM2_old"), truth * 2)


def test_a_matrix_with_cells_in_rows_is_turned_round(truth, tmp_path):
    folder = triple(tmp_path / "kb", truth, cells_in_rows=True)
    same(taken(folder, tmp_path), truth)


def test_a_square_matrix_is_read_by_the_names_of_its_lists(truth, tmp_path):
    square = truth[:N_GENES]
    folder = triple(tmp_path / "square", square)
    barcodes = gzip.compress("\n".join(CELLS[:N_GENES]).encode())
    (folder / "barcodes.tsv.gz").write_bytes(barcodes)
    same(taken(folder, tmp_path), square, cells=CELLS[:N_GENES])


def test_a_matrix_without_its_lists_says_what_to_bring(truth, tmp_path):
    folder = triple(tmp_path / "alone", truth)
    (folder / "barcodes.tsv.gz").unlink()
    assert "40 × 60, but lists" in refusal(folder, tmp_path)


# Tables of text -------------------------------------------------------------------------------


def frame(truth):
    return pd.DataFrame(truth.toarray(), index=CELLS, columns=GENES)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("separator", ["\t", ",", ";"])
def test_a_table_is_read_either_way_round(truth, tmp_path, separator, packed):
    table = frame(truth).T
    path = tmp_path / "counts.anything"
    text = table.to_csv(sep=separator).encode()
    path.write_bytes(gzip.compress(text) if packed else text)
    asked = question(path, tmp_path)
    assert asked["guess"] == "cells-in-columns"
    assert list(asked["preview"][1][:2]) == ["ACTB", str(truth[0, 0])]
    assert asked["options"][0]["detail"] == "60 cells × 40 genes"
    same(taken(path, tmp_path, orientation="cells-in-columns"), truth)
    shutil.rmtree(tmp_path / "ds")
    assert "swapped" in refusal(path, tmp_path, orientation="cells-in-rows")


def test_a_header_without_a_name_for_the_first_column_is_understood(truth, tmp_path):
    path = tmp_path / "from_r.csv"
    path.write_text(frame(truth).to_csv(quoting=2).replace('"",', "", 1))
    assert question(path, tmp_path)["guess"] == "cells-in-rows"
    same(taken(path, tmp_path, orientation="cells-in-rows"), truth)


def test_columns_of_words_describe_the_cells(truth, tmp_path):
    table = frame(truth)
    table.insert(0, "cell_type", TYPES)
    table.to_csv(tmp_path / "t.csv")
    dataset = taken(tmp_path / "t.csv", tmp_path, orientation="cells-in-rows")
    same(dataset, truth)
    assert dataset.column("cell_type").tolist() == TYPES


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cell,type,donor\nc1,T,d1\nc2,B,d2\n", "a table of descriptions"),
        ("ACTB\nGAPDH\n", "not a table of counts"),
        ("a,b,c\n1,2,3\n4,5\n", "different numbers of fields"),
        ("0,0,1\n1,0,0\n0,2,0\n", "numbers only"),
        ("x,0,0,1\nc1,1,0,0\nc2,0,2,0\n", "no line with names"),
    ],
)
def test_a_text_that_holds_no_counts_is_refused(tmp_path, text, words):
    (tmp_path / "t.csv").write_text(text)
    assert words in refusal(tmp_path / "t.csv", tmp_path, orientation="cells-in-rows")


def test_a_missing_value_is_found_and_named(truth, tmp_path):
    table = frame(truth).astype(object)
    table.iloc[3, 5] = "NA"
    table.to_csv(tmp_path / "t.csv")
    message = refusal(tmp_path / "t.csv", tmp_path, orientation="cells-in-rows")
    assert f"nan in cell {CELLS[3]}, gene {GENES[5]}" in message


# loom, zarr, MuData, archives -----------------------------------------------------------------


def test_a_loom_file_is_read_with_its_layers_and_attributes(truth, tmp_path):
    with h5py.File(tmp_path / "x.dat", "w") as file:
        file.create_dataset("matrix", data=truth.T.toarray(), chunks=(16, 16))
        file["layers/half"] = truth.T.toarray() / 2
        file["col_attrs/CellID"], file["row_attrs/Gene"] = (
            np.array(CELLS, "S"),
            np.array(GENES, "S"),
        )
        file["col_attrs/Clusters"] = np.array(TYPES, "S")
        file["col_attrs/xy"] = np.ones((N_CELLS, 2))
    dataset = taken(tmp_path / "x.dat", tmp_path)
    same(dataset, truth)
    assert dataset.column("Clusters").tolist() == TYPES
    assert dataset.obsm("xy").shape == (N_CELLS, 2)
    converted = anndata.read_h5ad(dataset.manifest["source"]["path"])
    assert (converted.layers["half"] != truth / 2).nnz == 0


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("version", [2, 3])
def test_a_zarr_store_is_read(cells, truth, tmp_path, version, packed):
    store = tmp_path / "store"
    with anndata.settings.override(zarr_write_format=version):
        cells.write_zarr(store)
    if packed:
        with zipfile.ZipFile(tmp_path / "z", "w") as archive:
            for item in sorted(store.rglob("*")):
                archive.write(item, Path("inside") / item.relative_to(store))
        store = tmp_path / "z"
    dataset = taken(store, tmp_path)
    same(dataset, truth)
    assert dataset.column("cell_type").tolist() == TYPES
    assert np.array_equal(dataset.obsm("X_pca"), cells.obsm["X_pca"])
    converted = anndata.read_h5ad(dataset.manifest["source"]["path"])
    assert (converted.layers["twice"] != cells.layers["twice"]).nnz == 0


def test_a_dense_zarr_store_with_an_entry_of_unknown_make_is_read_without_it(truth, tmp_path):
    import zarr

    obs, var = pd.DataFrame(index=CELLS), pd.DataFrame(index=GENES)
    anndata.AnnData(truth.toarray(), obs=obs, var=var).write_zarr(tmp_path / "s.zarr")
    group = zarr.open_group(tmp_path / "s.zarr", mode="r+")
    group["uns"].create_group("odd").attrs.update(
        {"encoding-type": "from-the-future", "encoding-version": "9.0"}
    )
    dataset = taken(tmp_path / "s.zarr", tmp_path)
    same(dataset, truth)
    assert any("uns['odd']" in sentence for sentence in dataset.manifest["repairs"])


def test_one_modality_of_mudata_is_read_with_the_shared_columns(cells, truth, tmp_path):
    with h5py.File(tmp_path / "m", "w") as file:
        write_elem(file, "obs", pd.DataFrame({"donor": ["d1", "d2"] * 30}, index=CELLS[::-1]))
        write_elem(file, "mod", {})
        write_elem(file["mod"], "rna", cells)
        write_elem(file["mod"], "prot", cells[:, :12].copy())
    asked = question(tmp_path / "m", tmp_path)
    assert (asked["key"], asked["guess"]) == ("modality", "rna")
    dataset = taken(tmp_path / "m", tmp_path, modality="rna")
    same(dataset, truth)
    assert dataset.column("donor").tolist() == ["d2", "d1"] * 30  # by name, not by place
    assert dataset.column("cell_type").tolist() == TYPES


def test_a_packed_h5ad_is_unpacked(cells, truth, tmp_path):
    cells.write_h5ad(tmp_path / "a.h5ad")
    (tmp_path / "b").write_bytes(gzip.compress((tmp_path / "a.h5ad").read_bytes()))
    same(taken(tmp_path / "b", tmp_path), truth)
    shutil.rmtree(tmp_path / "ds")
    with zipfile.ZipFile(tmp_path / "c", "w") as archive:
        archive.write(tmp_path / "a.h5ad", "folder/a.h5ad")
    same(taken(tmp_path / "c", tmp_path), truth)


def test_a_zip_of_a_triple_is_read(truth, tmp_path):
    folder = triple(tmp_path / "filtered", truth, packed=False)
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        for item in folder.iterdir():
            archive.write(item, f"filtered/{item.name}")
    same(taken(tmp_path / "z.zip", tmp_path), truth)
    assert [item.name for item in (tmp_path / "source").iterdir()] == ["z.zip.converted.h5ad"]


def test_known_folders_and_archives_without_counts_say_what_to_do(tmp_path):
    for name in ("soma/__tiledb_group.tdb", "notes/readme.md"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("nothing")
    with zipfile.ZipFile(tmp_path / "book", "w") as archive:
        archive.writestr("[Content_Types].xml", "<x/>")
    assert "TileDB-SOMA" in refusal(tmp_path / "soma", tmp_path)
    assert "not a table of counts" in refusal(tmp_path / "notes", tmp_path)
    assert "Excel" in refusal(tmp_path / "book", tmp_path)


def test_a_file_of_a_newer_anndata_is_refused_in_words(cells, tmp_path):
    cells.write_h5ad(tmp_path / "a.h5ad")
    with h5py.File(tmp_path / "a.h5ad", "r+") as file:
        file["obs"].attrs["encoding-version"] = "0.10.0"
    assert "written by a newer anndata" in refusal(tmp_path / "a.h5ad", tmp_path)


def test_an_answer_is_recorded_and_reading_again_keeps_it(truth, tmp_path):
    frame(truth).to_csv(tmp_path / "t.csv")
    dataset = taken(tmp_path / "t.csv", tmp_path, orientation="cells-in-rows")
    origin = dataset.manifest["origin"]
    assert (origin["name"], origin["answers"]) == ("t.csv", {"orientation": "cells-in-rows"})
    again = taken(dataset.manifest["source"]["path"], tmp_path / "again")
    assert "origin" not in again.manifest  # it lies elsewhere: a file like any other
    shutil.rmtree(tmp_path / "ds")
    assert taken(dataset.manifest["source"]["path"], tmp_path).manifest["origin"] == origin


# Originals, beside an independent reader --------------------------------------------------------

SHARED = Path(__file__).parents[2].parent / "shared"
ODD = SHARED / "odd_files"
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
