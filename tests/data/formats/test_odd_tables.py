"""Tables as spreadsheets and other programs leave them, and columns among the genes."""

import numpy as np
import pandas as pd
import pytest

from scanvi_core.data.anndata_files.gene_names import symbol_column
from tests.data.formats.reading import CELLS, GENES, N_CELLS, TYPES, frame, refusal, same, taken

IN_ROWS = {"orientation": "cells-in-rows"}
OTHERS = {
    "total_features": range(N_CELLS),
    "passage": np.arange(N_CELLS) % 4,
    "Day": np.arange(N_CELLS) % 7,
    "pseudotime": np.arange(N_CELLS) / 7,
    "score": [None, *np.arange(1, N_CELLS) / 9],
}


def written(truth, tmp_path, **options):
    frame(truth).to_csv(tmp_path / "t.csv", **options)
    return tmp_path / "t.csv"


@pytest.mark.parametrize("title", list(OTHERS))
@pytest.mark.parametrize("last", [True, False])
def test_numbers_called_as_no_gene_among_descriptions_describe_cells(truth, tmp_path, title, last):
    known = pd.DataFrame({"cell_type": TYPES, title: OTHERS[title]}, index=CELLS)
    table = [frame(truth), known.iloc[:, ::-1]] if last else [known, frame(truth)]
    pd.concat(table, axis=1).to_csv(tmp_path / "t.csv", na_rep="NA")
    dataset = taken(tmp_path / "t.csv", tmp_path, **IN_ROWS)
    same(dataset, truth)
    assert title in dataset.obs
    assert any(note.startswith(f"{title}: called as") for note in dataset.manifest["repairs"])


@pytest.mark.parametrize("genes", [["snoU13", *GENES[1:]], [*GENES[:-1], "snoU13"]])
@pytest.mark.parametrize("typed", [True, False])
def test_a_gene_written_otherwise_stays_a_gene(truth, tmp_path, genes, typed):
    table = frame(truth).set_axis(genes, axis=1)
    if typed:  # away from it
        table.insert(0 if genes[-1] == "snoU13" else len(genes), "cell_type", TYPES)
    table.to_csv(tmp_path / "t.csv")
    same(taken(tmp_path / "t.csv", tmp_path, **IN_ROWS), truth, genes)


@pytest.mark.parametrize(("sep", "decimal"), [(";", "."), (";", ","), ("\t", "."), ("\t", ",")])
def test_the_decimal_mark_is_told_by_the_fields(truth, tmp_path, sep, decimal):
    table = frame(truth).astype(float)
    table.insert(0, "cell_type", TYPES)
    table.to_csv(tmp_path / "t.csv", sep=sep, decimal=decimal)
    same(taken(tmp_path / "t.csv", tmp_path, **IN_ROWS), truth)


def test_two_decimal_marks_are_refused_in_words(truth, tmp_path):
    table = frame(truth).astype(float).astype(str)
    table.iloc[:, 0] = "1,5"
    table.insert(0, "cell_type", TYPES)
    table.to_csv(tmp_path / "t.csv", sep=";")
    message = refusal(tmp_path / "t.csv", tmp_path, **IN_ROWS)
    assert "its point may part decimals or thousands" in message


def test_points_in_thousands_are_never_read_as_decimals(truth, tmp_path):
    table = frame(truth).astype(str)
    table.iloc[:3, 0] = "1.234"
    table.insert(0, "cell_type", TYPES)
    table.to_csv(tmp_path / "t.csv", sep=";")
    refusal(tmp_path / "t.csv", tmp_path, **IN_ROWS)


@pytest.mark.parametrize("header", [True, False], ids=["header too", "header without"])
@pytest.mark.parametrize("sep", ["\t", ","])
@pytest.mark.parametrize("typed", [True, False])
def test_a_separator_at_the_end_of_lines_is_no_column(truth, tmp_path, sep, header, typed):
    table = frame(truth)
    if typed:
        table.insert(0, "cell_type", TYPES)
    first, *lines = table.to_csv(sep=sep, index_label="cell").splitlines()
    text = "\n".join([first + sep * header, *[line + sep for line in lines]])
    (tmp_path / "t.csv").write_text(text + "\n")
    same(taken(tmp_path / "t.csv", tmp_path, **IN_ROWS), truth)


def test_an_empty_last_column_of_r_is_no_end_of_a_line(truth, tmp_path):
    frame(truth).T.to_csv(tmp_path / "counts.csv")
    known = pd.DataFrame({"my type": TYPES, "batch": list("ab") * 30, "remark": ""}, index=CELLS)
    text = known.to_csv().removeprefix(",")
    (tmp_path / "meta.csv").write_text(text)
    dataset = taken(tmp_path / "counts.csv", tmp_path, orientation="cells-in-columns")
    assert dataset.column("my type").tolist() == TYPES


def test_words_among_the_numbers_of_clusters_are_labels(truth, tmp_path):
    table = frame(truth)
    table.insert(0, "cluster", ["unassigned", *["1", "2"] * 29, "3"])
    table.to_csv(tmp_path / "t.csv")
    dataset = taken(tmp_path / "t.csv", tmp_path, **IN_ROWS)
    same(dataset, truth)
    assert set(dataset.column("cluster")) == {"unassigned", "1", "2", "3"}


@pytest.mark.parametrize(("line", "sep"), [("sep=,", ","), ("sep=;", ";"), ('"sep=,"', ",")])
def test_a_first_line_for_spreadsheets_is_passed_over(truth, tmp_path, line, sep):
    (tmp_path / "t.csv").write_text(f"{line}\n{frame(truth).to_csv(sep=sep)}")
    same(taken(tmp_path / "t.csv", tmp_path, **IN_ROWS), truth)


def test_text_in_utf_16_is_called_so(truth, tmp_path):
    path = written(truth, tmp_path, encoding="utf-16")
    assert "it is text in UTF-16" in refusal(path, tmp_path)


def test_symbols_are_taken_from_the_joint_names_of_bd(truth, tmp_path):
    names = [f"{gene}|ENSG{at:011d}|PolyA_1" for at, gene in enumerate(GENES)]
    frame(truth).set_axis(names, axis=1).to_csv(tmp_path / "t.csv", index_label="Cell_Index")
    dataset = taken(tmp_path / "t.csv", tmp_path, **IN_ROWS)
    same(dataset, truth, names)
    assert list(dataset.symbols) == GENES


@pytest.mark.parametrize("title", ["public_name", "Public Name", "locus", "primary_symbol"])
def test_symbols_of_the_databases_of_animals_and_plants_are_shown(title):
    genes = pd.DataFrame({title: GENES}, index=[f"WBGene{at:08d}" for at in range(len(GENES))])
    assert symbol_column(genes) == title


@pytest.mark.parametrize("typed", [True, False])
@pytest.mark.parametrize("sep", ["", ","])
def test_a_late_line_of_more_fields_is_refused(truth, tmp_path, sep, typed):
    table = pd.concat([frame(truth)] * 2).set_axis([f"c{i}" for i in range(2 * N_CELLS)])
    if typed:
        table.insert(0, "cell_type", TYPES * 2)
    first, *lines = table.to_csv(index_label="cell").splitlines()
    lines[100] += ",7"
    (tmp_path / "t.csv").write_text(
        "\n".join(x + sep * (x != lines[100]) for x in [first, *lines])
    )
    refusal(tmp_path / "t.csv", tmp_path, **IN_ROWS)
