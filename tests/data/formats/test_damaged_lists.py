"""Lists and tables that lost a line or a field: nothing is given its neighbor's name unsaid."""

import pytest

from tests.data.formats.reading import CELLS, GENES, IDS, TYPES, frame, refusal, taken, triple
from tests.data.intake.layouts import put


def parse(folder, truth, lines, header="gene_id,gene_name,genome"):
    """A matrix with a list of genes that has titles."""
    triple(folder, truth, features="features.csv", packed=False)
    put(folder / "features.csv", [header, *lines])
    return folder


def gene_lines():
    return [f"{i},{gene},hg38" for i, gene in zip(IDS, GENES, strict=True)]


def test_titles_are_not_taken_for_a_gene_where_two_lines_have_become_one(truth, tmp_path):
    lines = gene_lines()
    lines[7:9] = [lines[7] + lines[8]]
    assert "not beside it" in refusal(parse(tmp_path / "in", truth, lines), tmp_path)


@pytest.mark.parametrize("header", ['"","x"', "Barcode,Symbol", "cell_id,gene name"])
def test_titles_are_known_whoever_wrote_them(truth, tmp_path, header):
    lines = [f"{i},{gene}" for i, gene in enumerate(GENES[1:])]
    assert "not beside it" in refusal(parse(tmp_path / "in", truth, lines, header), tmp_path)


def test_lines_of_fewer_fields_are_said(truth, tmp_path):
    lines = gene_lines()
    lines[5] = IDS[5]
    dataset = taken(parse(tmp_path / "in", truth, lines), tmp_path)
    note = "1 line of features.csv with another number of fields than the others."
    assert note in dataset.manifest["repairs"]
    assert dataset.var_names[5] == IDS[5]


def test_a_line_of_more_fields_is_refused(truth, tmp_path):
    lines = gene_lines()
    lines[5] += ",x,y"
    message = refusal(parse(tmp_path / "in", truth, lines), tmp_path)
    assert "features.csv is damaged: line 7 has 5 fields, those before 3" in message


def test_a_second_list_that_fits_no_more_is_said(truth, tmp_path):
    folder = triple(tmp_path / "in", truth, packed=False)
    put(folder / "cell_types.tsv", TYPES[:-3])
    dataset = taken(folder, tmp_path)
    note = "cell_types.tsv fits neither the cells nor the genes, with 57 lines: it was left aside."
    assert note in dataset.manifest["repairs"]


def test_text_with_bytes_of_no_text_in_it_is_said(truth, tmp_path):
    folder = triple(tmp_path / "in", truth, packed=False)
    lines = [f"{cell},{kind}" for cell, kind in zip(CELLS, TYPES, strict=True)]
    put(folder / "types.csv", ["cell,type", *lines[:30], "\0" * 20, "\x07é", *lines[30:]])
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4)
    said = [x for x in taken(folder, tmp_path).manifest["repairs"] if "damaged" in x]
    assert said == ["types.csv is damaged or cannot be read: it was left aside."]


@pytest.mark.parametrize("cut", [True, False])
def test_a_table_whose_last_line_has_no_end_may_be_cut_off(truth, tmp_path, cut):
    text = frame(truth).to_csv()
    (tmp_path / "t.csv").write_text(text[:-1] if cut else text)
    dataset = taken(tmp_path / "t.csv", tmp_path, orientation="cells-in-rows")
    assert any("has no end" in note for note in dataset.manifest["repairs"]) == cut
