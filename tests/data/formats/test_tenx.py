"""10x files of both versions, and matrices with their lists, become the same counts."""

import gzip
import shutil

import h5py
import numpy as np
import pytest

from tests.data.formats.reading import (
    CELLS,
    GENES,
    IDS,
    N_CELLS,
    N_GENES,
    question,
    refusal,
    same,
    taken,
    triple,
)

# Files of HDF5 ----------------------------------------------------------------------------------


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
