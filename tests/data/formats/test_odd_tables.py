"""Tables as spreadsheets and other programs leave them, and columns among the genes."""

import numpy as np
import pandas as pd
import pytest

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
