"""Tables beside the counts whose names or lines are written in another way than those of it."""

import h5py
import numpy as np
import pandas as pd
import pytest

from tests.data.formats.reading import CELLS, GENES, N_CELLS, TYPES, frame, same, taken, triple

IN_COLUMNS = {"orientation": "cells-in-columns"}
IN_ROWS = {"orientation": "cells-in-rows"}
BARCODES = [name.removesuffix("-1") for name in CELLS]
BASES = np.array(list("ACGT"))
OWN = [
    "".join(BASES[[i // 16 % 4, i // 4 % 4, i % 4]]) + "ACGTTGCA" + "-1" for i in range(N_CELLS)
]


def written_as(names):
    """A table that describes cells, in another order than theirs."""
    return pd.DataFrame({"id": names, "my type": TYPES}).iloc[::-1]


def matrix_of(folder, truth, prefix=""):
    triple(folder, truth, prefix, packed=False)
    (folder / f"{prefix}barcodes.tsv").write_text("\n".join(OWN) + "\n")
    return folder


@pytest.mark.parametrize("prefix", ["", "GSM1_"])
@pytest.mark.parametrize("title", ["a_meta.csv", "meta.csv"])
@pytest.mark.parametrize(
    "other",
    [lambda x: x, lambda x: x[:-2], lambda x: f"donor1_{x}", lambda x: x[:-1] + "2"],
    ids=["the same", "no ending", "a beginning", "another ending"],
)
def test_a_table_in_another_order_is_joined_by_barcodes(truth, tmp_path, other, title, prefix):
    folder = matrix_of(tmp_path / "in", truth, prefix)
    written_as([other(name) for name in OWN]).to_csv(folder / title, index=False)
    dataset = taken(folder, tmp_path)
    same(dataset, truth, cells=OWN)
    assert dataset.column("my type").tolist() == TYPES
    told = [note for note in dataset.manifest["repairs"] if "by an ending or a beginning" in note]
    assert bool(told) == (other(OWN[0]) != OWN[0])


@pytest.mark.parametrize("n", [N_CELLS, N_CELLS - 10])
def test_a_table_of_other_cells_is_never_joined_by_its_order(truth, tmp_path, n):
    folder = matrix_of(tmp_path / "in", truth)
    written_as([f"person {i}" for i in range(N_CELLS)])[:n].to_csv(
        folder / "meta.csv", index=False
    )
    dataset = taken(folder, tmp_path)
    assert not len(dataset.obs.columns)
    if n == N_CELLS:
        note = "meta.csv names other cells than the matrix: it was left aside."
        assert note in dataset.manifest["repairs"]


def test_a_table_beside_a_table_is_joined_but_for_endings(truth, tmp_path):
    frame(truth).set_axis(OWN).T.to_csv(tmp_path / "counts.csv")
    written_as([name[:-2] for name in OWN]).to_csv(tmp_path / "meta.csv", index=False)
    dataset = taken(tmp_path / "counts.csv", tmp_path, **IN_COLUMNS)
    assert dataset.column("my type").tolist() == TYPES


@pytest.mark.parametrize("matrix", [True, False], ids=["a matrix", "a table"])
@pytest.mark.parametrize("text", ["a,b\r1,2\r3,4\r", "a,b\n1,2\r3,4\n5,6\n"])
def test_a_text_with_other_ends_of_lines_beside_it_does_no_harm(truth, tmp_path, text, matrix):
    folder = triple(tmp_path / "in", truth) if matrix else tmp_path / "in"
    folder.mkdir(exist_ok=True)
    if not matrix:
        frame(truth).T.to_csv(folder / "counts.csv")
    (folder / "notes.csv").write_bytes(text.encode())
    same(taken(folder, tmp_path, **({} if matrix else IN_COLUMNS)), truth)


def test_a_table_with_the_ends_of_lines_of_old_macs_is_read(truth, tmp_path):
    (tmp_path / "t.csv").write_text(frame(truth).to_csv(lineterminator="\r"), newline="")
    same(taken(tmp_path / "t.csv", tmp_path, **IN_ROWS), truth)


@pytest.mark.parametrize(
    "cell", ["CellID", "cell_barcode", "Barcode", "cell_name", "cell barcode"]
)
@pytest.mark.parametrize("gene", ["Gene", "gene_name", "Symbol", "gene_symbol", "Gene Name"])
def test_loom_names_its_cells_and_genes_under_any_usual_title(truth, tmp_path, cell, gene):
    with h5py.File(tmp_path / "x.loom", "w") as file:
        file["matrix"] = truth.toarray().T
        file[f"row_attrs/{gene}"], file[f"col_attrs/{cell}"] = GENES, CELLS
        file.create_group("layers")
    dataset = taken(tmp_path / "x.loom", tmp_path)
    same(dataset, truth)
    assert not [note for note in dataset.manifest["repairs"] if "does not name" in note]
