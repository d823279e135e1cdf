"""Tables of text: read either way round, asked about, or refused in words."""

import gzip
import shutil

import pytest

from tests.data.formats.reading import CELLS, GENES, TYPES, frame, question, refusal, same, taken


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
        ("Dear all,\nplease find the cells attached.\n", "not a table of counts"),
        ("gene,c1,c2\nACTB,1,0\nGAPDH,1\n", "different numbers of fields"),  # damaged
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


def test_an_answer_is_recorded_and_reading_again_keeps_it(truth, tmp_path):
    frame(truth).to_csv(tmp_path / "t.csv")
    dataset = taken(tmp_path / "t.csv", tmp_path, orientation="cells-in-rows")
    origin = dataset.manifest["origin"]
    assert (origin["name"], origin["answers"]) == ("t.csv", {"orientation": "cells-in-rows"})
    again = taken(dataset.manifest["source"]["path"], tmp_path / "again")
    assert "origin" not in again.manifest  # it lies elsewhere: a file like any other
    shutil.rmtree(tmp_path / "ds")
    assert taken(dataset.manifest["source"]["path"], tmp_path).manifest["origin"] == origin
