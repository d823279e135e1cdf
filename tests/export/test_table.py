"""Tables of labels: exact for programs, harmless in a spreadsheet."""

import csv
from io import StringIO

import numpy as np
import pytest

from scanvi_core.errors import ExportError
from scanvi_core.export.table import is_formula, write_labels

NAMES = ["=1+1", "-CD3", 'T, "naive"', "two\nlines", "＋ve", "Ünï"]


def labels_csv(barcodes, columns, *, excel=False):
    text = StringIO()
    write_labels(text, barcodes, columns, excel=excel)
    return text.getvalue()


def read(text):
    return list(csv.reader(StringIO(text)))


def test_the_plain_table_is_exact():
    rows = read(labels_csv(NAMES, {"label": NAMES[::-1]}))
    assert rows == [["barcode", "label"], *map(list, zip(NAMES, NAMES[::-1], strict=True))]


def test_the_excel_table_runs_no_formula():
    text = labels_csv(NAMES, {"label": NAMES, "=bad": NAMES}, excel=True)
    assert text.startswith("\ufeff")
    cells = [cell for row in read(text.removeprefix("\ufeff")) for cell in row]
    assert not any(cell.startswith(("=", "+", "-", "@", "＋")) for cell in cells)
    assert "'-CD3" in cells


SIGNS = "=+-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u207a\u2212"
FRONTS = ["", " ", "  ", "\u00a0", "\u3000", "\u2028", "\u200b", "\u200d", "\u2060", "\ufeff",
          "\u00ad", "\u202e", "\u180e", "\t", "\r", "\n", "\0", "\x1f", "\x7f", "\u0301", "\ufe0f",
          "\u3164", "\u2800", "\U000e0041", "'", " \ufeff\u200b "]  # fmt: skip


@pytest.mark.parametrize("front", FRONTS)
def test_what_nobody_sees_in_front_hides_no_formula(front):
    for sign in SIGNS:
        [_, [cell]] = read(
            labels_csv([f"{front}{sign}1+1"], {}, excel=True).removeprefix("\ufeff")
        )
        assert cell == f"'{front}{sign}1+1"


@pytest.mark.parametrize("text", ["\t1", "\r1", "\n1", "\0x", "\rA", "'\tA"])
def test_a_text_that_begins_with_a_break_is_kept_together(text):
    assert is_formula(text)


@pytest.mark.parametrize(
    "text", ["", " ", "CD3-", " CD4+", "1-2", "T=B", "Ünï", "é=1", "日本", "0"]
)
def test_all_other_texts_stay_as_they_are(text):
    [_, [cell]] = read(labels_csv([text], {}, excel=True).removeprefix("\ufeff"))
    assert cell == text


def test_no_text_begins_a_field_where_a_spreadsheet_looks_for_other_separators():
    text = labels_csv(["a;=1+1", "b\t=1+1", "c\r=1+1"], {}, excel=True).removeprefix("\ufeff")
    assert text == '"barcode"\n"a;=1+1"\n"b\t=1+1"\n"c\r=1+1"\n'


def test_numbers_are_exact_in_both():
    values = np.array([-0.1, 1 / 3, np.nan])
    for excel in (False, True):
        column = [row[1] for row in read(labels_csv("abc", {"v": values}, excel=excel))[1:]]
        assert [float(v) for v in column[:2]] == [-0.1, 1 / 3]
        assert column[2] == ""


def test_a_short_column_is_refused():
    with pytest.raises(ExportError, match="2 values for 3"):
        labels_csv("abc", {"label": ["x", "y"]})
