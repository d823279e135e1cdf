"""Tables of labels: exact for programs, harmless in a spreadsheet."""

import csv
from io import StringIO

import numpy as np
import pytest

from scanvi_core.errors import ExportError
from scanvi_core.export.table import write_labels

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


def test_numbers_are_exact_in_both():
    values = np.array([-0.1, 1 / 3, np.nan])
    for excel in (False, True):
        column = [row[1] for row in read(labels_csv("abc", {"v": values}, excel=excel))[1:]]
        assert [float(v) for v in column[:2]] == [-0.1, 1 / 3]
        assert column[2] == ""


def test_a_short_column_is_refused():
    with pytest.raises(ExportError, match="2 values for 3"):
        labels_csv("abc", {"label": ["x", "y"]})
