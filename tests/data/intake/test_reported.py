"""Files in the layouts of public reports end as the right answer of each states."""

import pytest

from scanvi_core.data.dataset import Dataset
from scanvi_core.services.labels.edit import as_labels
from tests.data.intake.outcomes import ask, deviations
from tests.data.intake.reported_cases import CASES, REPORTED

pytestmark = pytest.mark.skipif(not REPORTED.exists(), reason="the reported files are not here")


def named(start):
    return next(REPORTED / name for name in CASES if name.startswith(start))


def opened(start, folder, **answers):
    assert "result" in ask(named(start), folder, answers=answers)
    return Dataset.open(folder)


def test_no_file_is_without_an_entry():
    assert {path.name for path in REPORTED.iterdir()} - {"README.md"} == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_a_file_ends_as_its_entry_states(name, tmp_path):
    assert deviations(REPORTED / name, tmp_path / "ds", CASES[name], None) == []


@pytest.mark.parametrize("column", ["cluster", "cluster_Int64", "cluster_int"])
def test_whole_numbers_are_named_alike_whatever_their_type(column, tmp_path):
    labels = as_labels(opened("A7", tmp_path / "ds").obs[column]).dropna()
    assert {"-1", "0", "1"} <= set(labels) and not any("." in label for label in labels)


def test_factors_of_seuratdisk_are_names(tmp_path):
    dataset = opened("B0", tmp_path / "ds")
    assert set(dataset.column("orig.ident")) == {"CTRL", "STIM"}
    assert "CD14 Mono" in set(dataset.column("cell_type"))


def test_what_describes_the_cells_of_a_table_is_no_gene(tmp_path):
    dataset = opened("C19", tmp_path / "ds", orientation="cells-in-rows")
    assert list(dataset.obs) == ["cell_type", "seurat_clusters", "nCount_RNA", "nFeature_RNA"]
    assert "nCount_RNA" not in dataset.var_names


def test_the_mitochondrion_of_a_fly_is_found_and_its_symbols_shown(tmp_path):
    dataset = opened("C6", tmp_path / "ds")
    assert dataset.manifest["n_mt_genes"] > 0 and dataset.pct_counts_mt.max() > 0
    assert "mt:ND1" in set(dataset.symbols)


def test_215_types_may_be_chosen(tmp_path):
    manifest = opened("C22", tmp_path / "ds").manifest
    assert [item["n_categories"] for item in manifest["labels_candidates"]] == [215]
