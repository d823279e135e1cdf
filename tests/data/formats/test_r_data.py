"""Objects that R saved: read with what they know of the cells, or refused with the way out."""

import gzip

import pytest

from tests.data.formats import r_files
from tests.data.formats.reading import TYPES, refusal, same, taken

KINDS = {"Seurat 4": r_files.seurat_4, "Seurat 5": r_files.seurat_5, "SCE": r_files.experiment}


def needs_rdata():
    pytest.importorskip("rdata", reason="rdata is not installed: pip install '.[r]'")


@pytest.mark.parametrize("packed", ["gzip", "bzip2", "xz", "none"])
def test_a_matrix_is_read_however_it_is_packed(truth, tmp_path, packed):
    needs_rdata()
    path = r_files.save(r_files.sparse(truth), tmp_path / "a.rds", packed)
    same(taken(path, tmp_path), truth)


@pytest.mark.parametrize("kind", KINDS)
def test_an_object_keeps_its_table_and_its_map(truth, tmp_path, kind):
    needs_rdata()
    path = r_files.save(KINDS[kind](truth), tmp_path / "a.rds")
    dataset = taken(path, tmp_path)
    same(dataset, truth)
    assert dataset.column("cell_type").tolist() == TYPES
    assert dataset.obsm("X_pca").tolist() == r_files.embedding().tolist()
    assert dataset.manifest["origin"]["kind"] == "an R object (.rds)"


def test_an_object_of_another_class_is_refused_with_the_line_that_exports_it(tmp_path):
    needs_rdata()
    path = r_files.save(r_files.s4("cell_data_set"), tmp_path / "a.rds")
    assert "of the class cell_data_set" in refusal(path, tmp_path)


def test_a_damaged_object_is_refused_in_words(tmp_path):
    (tmp_path / "a.rds").write_bytes(gzip.compress(b"X\n\0\0\0\3" + bytes(300)))
    message = refusal(tmp_path / "a.rds", tmp_path)
    assert "damaged R object" in message or "what reads it is not installed" in message
