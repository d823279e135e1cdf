"""Labels as a CSV table: exact for programs, and a variant that is safe to open in Excel."""

import csv
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

import numpy as np

from scanvi_core.errors import ExportError

# What a spreadsheet takes for a formula (CWE-1236), full-width forms included.
FORMULA_STARTS = tuple("=+-@\t\r\n\0＝＋－＠")


def write_labels(
    file: TextIO,
    barcodes: Sequence[str],
    columns: Mapping[str, Sequence[Any]],
    *,
    excel: bool = False,
) -> None:
    """Write a table with one line per cell: ``barcode`` and the given columns.

    Parameters
    ----------
    file
        Open for text without translation of line ends.
    barcodes
        Names of the cells.
    columns
        Values per cell by column name, in the order to write; None and NaN are left empty.
    excel
        False: texts are exact. True: a text that a spreadsheet would run as a formula gets a
        leading ``'`` (so ``-CD3`` becomes ``'-CD3``), and the byte-order mark that makes Excel
        read UTF-8 comes first. Numbers are the same in both.

    Raises
    ------
    ExportError
        If a column has another length than `barcodes`.
    """
    for name, values in columns.items():
        if len(values) != len(barcodes):
            raise ExportError(
                f"Column {name} has {len(values):,} values for {len(barcodes):,} cells."
            )
    file.write("\ufeff" if excel else "")
    writer = csv.writer(file, lineterminator="\n")
    safe = _safe if excel else str
    writer.writerow([safe(name) for name in ("barcode", *columns)])
    for row in zip(barcodes, *columns.values(), strict=True):
        writer.writerow([_cell(value, excel=excel) for value in row])


def _cell(value: Any, *, excel: bool) -> str:
    if value is None or value != value:  # NaN and NaT are not equal to themselves
        return ""
    if isinstance(value, np.generic):
        value = value.item()
    return _safe(value) if excel and isinstance(value, str) else str(value)


def _safe(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
