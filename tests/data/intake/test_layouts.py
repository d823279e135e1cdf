"""Each layout of another program opens with its counts, names and what it knows of cells."""

import gzip
import shutil
import zipfile

import numpy as np
import pytest

from scanvi_core.data.dataset import Dataset
from tests.data.formats.reading import GENES, TYPES
from tests.data.intake import layouts
from tests.data.intake.layouts import COUNTS, LAYOUTS
from tests.data.intake.outcomes import ask, deviations

SUMS = np.asarray(COUNTS.sum(axis=1), dtype=float).ravel()
PARTLY = {"BD Rhapsody", "10x CRISPR"}  # genes only


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_opens(name, tmp_path):
    layout = LAYOUTS[name]
    totals = None if name in PARTLY else (lambda _: SUMS)
    path = layout.make(tmp_path)
    assert deviations(path, tmp_path / "out" / "ds", layout.outcome, totals) == []


@pytest.mark.parametrize("name", ["kb-python", "STARsolo", "Parse", "writeMM", "10x CRISPR"])
def test_a_layout_opens_inside_a_zip_and_packed(name, tmp_path):
    (tmp_path / "in").mkdir()
    LAYOUTS[name].make(tmp_path / "in")
    for path in list((tmp_path / "in").rglob("*")):
        if path.is_file() and path.suffix != ".gz":
            path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()
    shutil.make_archive(str(tmp_path / "a"), "zip", tmp_path / "in")
    assert zipfile.is_zipfile(tmp_path / "a.zip")
    totals = None if name in PARTLY else (lambda _: SUMS)
    outcome = LAYOUTS[name].outcome
    assert deviations(tmp_path / "a.zip", tmp_path / "out" / "ds", outcome, totals) == []


@pytest.mark.parametrize("name", ["Parse", "writeMM", "h5Seurat"])
def test_what_a_layout_knows_of_the_cells_is_kept(name, tmp_path):
    assert "result" in ask(LAYOUTS[name].make(tmp_path), tmp_path / "out" / "ds")
    dataset = Dataset.open(tmp_path / "out" / "ds")
    assert dataset.column("cell_type").tolist() == TYPES
    assert set(dataset.symbols) == set(GENES)


def test_identifiers_and_symbols_of_kb_are_both_kept(tmp_path):
    ask(layouts.kb(tmp_path), tmp_path / "out" / "ds")
    dataset = Dataset.open(tmp_path / "out" / "ds")
    assert dataset.var_names.tolist() == GENES
    assert dataset.var["gene_ids"].tolist() == layouts.IDS


def test_a_table_of_some_cells_in_another_order_is_joined_by_name(tmp_path):
    layouts.tenx(tmp_path / "a", COUNTS)
    lines = [f"{cell},{kind}" for cell, kind in zip(layouts.CELLS, TYPES, strict=True)][::-1]
    layouts.put(tmp_path / "a" / "annotation.csv", ["barcode,my_type", *lines[:-3], "other,B"])
    ask(tmp_path / "a", tmp_path / "out" / "ds")
    column = Dataset.open(tmp_path / "out" / "ds").column("my_type")
    assert column.isna().sum() == 3
    assert column.dropna().tolist() == TYPES[3:]
