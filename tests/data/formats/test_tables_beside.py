"""Tables beside a table of counts: which is which is told by what they hold; columns are kept."""

import gzip

import numpy as np
import pandas as pd
import pytest

from tests.data.formats.reading import (
    CELLS,
    GENES,
    N_CELLS,
    TYPES,
    frame,
    question,
    refusal,
    same,
    taken,
    triple,
)

IN_COLUMNS = {"orientation": "cells-in-columns"}
IN_ROWS = {"orientation": "cells-in-rows"}


def annotations(index=CELLS):
    """A table of words and numbers that describes cells."""
    known = {"my type": TYPES, "depth": np.arange(N_CELLS) + 0.5}
    return pd.DataFrame(known, index=index)


def numbers(index=CELLS):
    """A table of nothing but numbers that describes cells, under names nobody knows."""
    generator = np.random.default_rng(0)
    columns = {f"measure {i}": generator.normal(size=N_CELLS) for i in range(20)}
    return pd.DataFrame(columns, index=index)


def described(path, tmp_path, **answers):
    dataset = taken(path, tmp_path, **answers)
    notes = [note for note in dataset.manifest["repairs"] if "lies beside it" in note]
    return dataset, notes


@pytest.mark.parametrize("whole", [True, False], ids=["the folder", "the counts alone"])
@pytest.mark.parametrize("names", [("a.csv", "b.txt"), ("b.txt", "a.csv"), ("counts", "counts2")])
def test_what_describes_the_cells_is_read_with_the_counts(truth, tmp_path, names, whole):
    folder = tmp_path / "in"
    folder.mkdir()
    frame(truth).T.to_csv(folder / names[0])
    annotations().iloc[::-1].to_csv(folder / names[1], sep="\t")
    opened = folder if whole else folder / names[0]
    dataset, notes = described(opened, tmp_path, **IN_COLUMNS)
    same(dataset, truth)
    assert dataset.column("my type").tolist() == TYPES
    assert dataset.column("depth").tolist() == annotations()["depth"].tolist()
    assert notes == [f"{names[1]}, which lies beside it, describes the cells: my type, depth."]


@pytest.mark.parametrize("described_by", [numbers, lambda: numbers().abs().round(1).iloc[:, :3]])
def test_numbers_that_describe_cells_are_not_taken_for_counts(truth, tmp_path, described_by):
    folder = tmp_path / "in"
    folder.mkdir()
    frame(truth).to_csv(folder / "z.csv")
    described_by().to_csv(folder / "a.csv")
    dataset, notes = described(folder, tmp_path, **IN_ROWS)
    same(dataset, truth)
    assert len(notes) == 1 and "measure 2" in dataset.obs


def test_columns_that_everybody_knows_are_no_counts_even_alone(tmp_path):
    known = {"nCount_RNA": range(60), "percent.mt": 0.5, "seurat_clusters": 1}
    pd.DataFrame(known, index=CELLS).to_csv(tmp_path / "t.csv")
    assert "a table of descriptions" in refusal(tmp_path / "t.csv", tmp_path, **IN_ROWS)


def test_two_tables_of_counts_are_asked_about(truth, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("GSM1_a.csv", "GSM2_b.csv"):
        frame(truth).T.to_csv(folder / name)
    asked = question(folder, tmp_path)
    assert [option["value"] for option in asked["options"]] == ["GSM1_a.csv", "GSM2_b.csv"]
    dataset = taken(folder, tmp_path, sample="GSM2_b.csv", **IN_COLUMNS)
    assert any("left aside: GSM1_a.csv" in note for note in dataset.manifest["repairs"])


def test_names_that_r_wrote_its_own_way_are_the_same_cells(truth, tmp_path):
    cells = [f"{i}x-{cell}" for i, cell in enumerate(CELLS)]
    in_r = ["X" + cell.replace("-", ".") for cell in cells]
    table = frame(truth).T.set_axis(in_r, axis=1)
    table.to_csv(tmp_path / "counts.csv")
    annotations(cells).to_csv(tmp_path / "cells.csv")
    dataset, _ = described(tmp_path / "counts.csv", tmp_path, **IN_COLUMNS)
    assert dataset.column("my type").tolist() == TYPES


def test_numbers_with_a_comma_are_numbers(truth, tmp_path):
    frame(truth).T.to_csv(tmp_path / "counts.csv")
    annotations().to_csv(tmp_path / "cells.csv", sep=";", decimal=",")
    dataset, _ = described(tmp_path / "counts.csv", tmp_path, **IN_COLUMNS)
    assert dataset.column("depth").tolist() == annotations()["depth"].tolist()


def test_thousands_are_not_taken_for_fractions(truth, tmp_path):
    frame(truth).T.to_csv(tmp_path / "counts.csv")
    table = annotations().assign(depth=[f"{1000 + i:,}" for i in range(N_CELLS)])
    table.to_csv(tmp_path / "cells.csv")
    dataset, _ = described(tmp_path / "counts.csv", tmp_path, **IN_COLUMNS)
    assert dataset.column("depth").tolist()[0] == "1,000"


def test_rows_and_columns_of_r_are_told_by_what_they_hold(truth, tmp_path):
    folder = triple(tmp_path / "in", truth, features="Rows.tsv", packed=False)
    (folder / "barcodes.tsv").rename(folder / "Cols.tsv")
    same(taken(folder, tmp_path), truth)


def test_a_list_of_the_cells_that_were_kept_describes_those(truth, tmp_path):
    frame(truth).T.to_csv(tmp_path / "counts.csv")
    annotations().iloc[:30].to_csv(tmp_path / "cells.csv")
    dataset, notes = described(tmp_path / "counts.csv", tmp_path, **IN_COLUMNS)
    assert notes[0].endswith("depth. 30 of 60 are not in it.")
    assert dataset.column("my type").isna().sum() == 30


def test_a_table_of_other_cells_is_not_taken_along(truth, tmp_path):
    frame(truth).T.to_csv(tmp_path / "counts.csv")
    annotations([f"other{i}" for i in range(N_CELLS)]).to_csv(tmp_path / "cells.csv")
    dataset, notes = described(tmp_path / "counts.csv", tmp_path, **IN_COLUMNS)
    assert not notes and "my type" not in dataset.obs


def test_what_describes_genes_is_kept_as_well(truth, tmp_path):
    frame(truth).T.to_csv(tmp_path / "counts.csv")
    table = pd.DataFrame({"gene": GENES, "chromosome": "1", "length": 9})
    table.to_csv(tmp_path / "genes.csv", index=False)
    dataset, _ = described(tmp_path / "counts.csv", tmp_path, **IN_COLUMNS)
    assert dataset.var["chromosome"].tolist() == ["1"] * 40 or set(dataset.var["chromosome"]) == {
        1
    }


@pytest.mark.parametrize("matrix", [True, False], ids=["a matrix", "a table"])
def test_a_table_in_the_folder_that_is_damaged_is_named(truth, tmp_path, matrix):
    folder = tmp_path / "in"
    folder.mkdir()
    if matrix:
        triple(folder, truth)
    else:
        frame(truth).T.to_csv(folder / "counts.csv")
    packed = gzip.compress(annotations().to_csv().encode())
    (folder / "cells.csv.gz").write_bytes(packed[:-40])
    dataset = taken(folder, tmp_path, **({} if matrix else IN_COLUMNS))
    note = "cells.csv.gz is damaged or cannot be read: it was left aside."
    assert note in dataset.manifest["repairs"]


@pytest.mark.parametrize("turned", [True, False])
def test_values_made_of_the_counts_describe_nothing(truth, tmp_path, turned):
    frame(truth).T.to_csv(tmp_path / "counts.csv")
    logs = np.log1p(frame(truth))
    (logs if turned else logs.T).to_csv(tmp_path / "logs.csv")
    (frame(truth) * 2).set_axis([f"CD{i}-A" for i in range(40)], axis=1).to_csv(tmp_path / "a.csv")
    dataset, notes = described(tmp_path / "counts.csv", tmp_path, **IN_COLUMNS)
    assert not notes and not len(dataset.obs.columns)


def test_the_tables_beside_say_which_way_round_it_is(truth, tmp_path):
    cells, genes = [f"s{i}a" for i in range(60)], [f"g{i}b" for i in range(40)]
    table = frame(truth).set_axis(cells).set_axis(genes, axis=1)
    for orientation, written in (("cells-in-rows", table), ("cells-in-columns", table.T)):
        written.to_csv(tmp_path / "counts.csv")
        assert question(tmp_path / "counts.csv", tmp_path)["guess"] is None
        annotations(cells).to_csv(tmp_path / "cells.csv")
        asked = question(tmp_path / "counts.csv", tmp_path)
        assert asked["guess"] == orientation and "cells.csv" in asked["why"]
        (tmp_path / "cells.csv").unlink()
