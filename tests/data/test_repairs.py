"""Every mend is told with its count; nothing else changes."""

import numpy as np
import pandas as pd
import pytest

from scanvi_core import keys
from scanvi_core.data.repairs import (
    spelling_twins,
    summary_rows,
    symbol_note,
    tidy_columns,
    unique_names,
)


def names_of(*names, what="gene"):
    return unique_names(np.array(names, dtype=object), what)


def test_good_names_stay_without_a_word():
    names, notes = names_of("CD3E", "HLA-DRA", "ENSG00000141510", "RP11-34P13.7", "AC004556.1")
    assert list(names) == ["CD3E", "HLA-DRA", "ENSG00000141510", "RP11-34P13.7", "AC004556.1"]
    assert notes == []


def test_unique_names_never_collide():
    names, notes = names_of("a", "a", "a-1", "a", what="cell")
    assert list(names) == ["a", "a-2", "a-1", "a-3"]
    assert len(notes) == 1
    assert "2 cell names repeated" in notes[0]


def test_missing_names_are_given_by_position():
    names, notes = names_of("a", "nan", "", "None", what="cell")
    assert list(names) == ["a", "cell-2", "cell-3", "cell-4"]
    assert "3 cells had no name" in notes[0]


def test_blanks_and_invisible_characters_leave_names():
    names, notes = names_of(" CD3E", "CD8A\u200b", "CD4\x00", "GAPDH")
    assert list(names) == ["CD3E", "CD8A", "CD4", "GAPDH"]
    assert "3 gene names held blanks" in notes[0]


def test_ensembl_versions_go_unless_they_keep_genes_apart():
    names, notes = names_of("ENSG00000141510.12", "ENSMUSG00000000001.4", "ENSG00000002586.20",
                            "ENSG00000002586.21", "TP53.1")  # fmt: skip
    assert list(names) == ["ENSG00000141510", "ENSMUSG00000000001", "ENSG00000002586.20",
                           "ENSG00000002586.21", "TP53.1"]  # fmt: skip
    assert "2 Ensembl identifiers had a version (for example ENSG00000141510.12)" in notes[0]
    assert names_of("ENSG00000141510.12", what="cell")[1] == []


def test_summaries_of_read_counting_are_no_genes():
    genes = np.array(["CD3E", "__no_feature", "__alignment_not_unique", "N_unmapped", "NFE2"])
    assert summary_rows(genes).tolist() == [False, True, True, True, False]


def test_symbols_in_a_column_are_told_with_their_number():
    var = pd.DataFrame({"symbol": ["CD3E", None, "CD4"]})
    assert (
        "2 gene symbols for display come from the column symbol" in symbol_note(var, "symbol")[0]
    )
    assert symbol_note(var, None) == []


@pytest.mark.parametrize(
    "twins",
    [
        ("T cell", "T  cell "),
        ("Müller", "Mu\u0308ller"),
        ("NK", "N\u200bK"),
        ("CD4+", "CD4\uff0b"),
    ],
)
def test_spelling_twins_are_seen(twins):
    assert spelling_twins([*twins, "B", "t cell"]) == [list(twins)]


def test_unknown_is_known_in_all_its_spellings():
    said = ["Unknown", " unknown", "N/A", "NaN", "un\u200bassigned", "UNASSIGNED", "?", ""]
    assert all(map(keys.looks_unlabeled, said))
    assert not any(map(keys.looks_unlabeled, ["Unknown T", "B", "Nano"]))


def test_mixed_columns_become_text_and_are_told():
    mixed = np.array(["x", 3, 2.5, None] * 15, dtype=object)
    frame, notes = tidy_columns({"mixed": mixed}, np.arange(60).astype(str))
    assert list(frame["mixed"][:3]) == ["x", "3", "2.5"]
    assert frame["mixed"].isna().sum() == 15
    assert notes == ["Column mixed: 30 values of another kind kept as text."]


def test_categories_without_cells_are_dropped_and_told():
    values = pd.Categorical(["a", "b"] * 30, categories=["a", "b", "c"])
    frame, notes = tidy_columns({"k": values}, np.arange(60).astype(str))
    assert list(frame["k"].cat.categories) == ["a", "b"]
    assert notes == ["Column k: 1 value without cells dropped."]
