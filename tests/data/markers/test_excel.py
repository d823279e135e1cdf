"""Excel files are read within bounds: values as saved, no formula run, no bomb unpacked."""

import io
import zipfile

import pytest

from scanvi_core.data.markers import excel
from scanvi_core.data.markers.matching import GeneNames
from scanvi_core.data.markers.read import readings
from scanvi_core.errors import FileRefused
from tests.data.markers.workbooks import workbook

GENES = ["MS4A1", "CD79A", "CD3D", "CD3E"]
HERE = GeneNames(GENES, GENES)
TABLE = [["type", "gene"], ["B", "MS4A1"], ["B", "CD79A"], ["T", "CD3D"]]


@pytest.mark.parametrize("shared", [True, False])
def test_texts_numbers_and_gaps_come_as_they_stand(shared):
    rows = [["type", "", "gene"], ["B", "", "MS4A1"], [1, 2.5, "CD3D"]]
    assert excel.sheets("m.xlsx", workbook({"a": rows}, shared=shared)) == {
        "a": [["type", "", "gene"], ["B", "", "MS4A1"], ["1", "2.5", "CD3D"]]
    }


def test_a_formula_is_what_was_saved_of_it():
    grid = excel.sheets("m.xlsx", workbook({"a": [["B", '=HYPERLINK("http://x")']]}))["a"]
    assert grid == [["B", "as saved"]]


def test_several_sheets_are_asked_about_and_empty_ones_are_not():
    both = workbook({"mine": TABLE, "empty": [], "other": TABLE})
    ways = readings("m.xlsx", both, HERE.is_known)
    assert [way.how[:11] for way in ways] == ["sheet mine:", "sheet other"]
    (one,) = readings("m.xlsx", workbook({"mine": TABLE, "empty": []}), HERE.is_known)
    assert one.types[0].positive == ("MS4A1", "CD79A")


ENTITIES = '<!DOCTYPE x [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'


def zip_of(**parts):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return file.getvalue()


def changed(entry, content):
    """Return a workbook with another content of one part."""
    file, out = io.BytesIO(workbook({"a": TABLE})), io.BytesIO()
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, content if name == entry else old.read(name))
    return out.getvalue()


SHEET, BOOK = "xl/worksheets/sheet1.xml", "xl/workbook.xml"
HOSTILE = {
    "entities": lambda: workbook({"a": TABLE}, before=ENTITIES),
    "a bomb": lambda: changed(SHEET, b"<x>" + b" " * 150_000_000 + b"</x>"),
    "no workbook": lambda: zip_of(a="b"),
    "no XML": lambda: changed(BOOK, b"<workbook"),
    "a text that is not there": lambda: changed(
        SHEET, b"<worksheet><row><c t='s'><v>99</v></c></row></worksheet>"
    ),
    "a sheet elsewhere": lambda: changed(
        "xl/_rels/workbook.xml.rels",
        b"<r><Relationship Id='r1' Target='worksheets/../../../../etc/passwd'/></r>",
    ),
    "cut off": lambda: workbook({"a": TABLE})[:-60],
    "far columns": lambda: changed(
        SHEET, b"<worksheet><row><c r='ZZZ1'><v>1</v></c></row></worksheet>"
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_workbooks_are_refused_in_words(name):
    with pytest.raises(FileRefused) as refused:
        readings("m.xlsx", HOSTILE[name](), HERE.is_known)
    assert "m.xlsx" in str(refused.value)
