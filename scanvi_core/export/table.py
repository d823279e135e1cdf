"""Labels as a CSV table: exact for programs, and a variant that is safe to open in Excel."""

import csv
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

import numpy as np

from scanvi_core.errors import ExportError

FORMULA_STARTS = frozenset("=+-@\N{MINUS SIGN}")  # as a spreadsheet reads it (CWE-1236)
BREAKS = ("\t", "\r", "\n", "\0")  # may begin another field where a spreadsheet guesses
# Kinds of characters that a spreadsheet may drop in front: controls, formats such as the
# byte-order mark and spaces of no width, unassigned ones, marks without a letter, blanks.
UNSEEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Mn", "Me", "Zl", "Zp", "Zs"})
FILLERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # letters to Unicode, blanks to the eye


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
        leading ``'`` (so ``-CD3`` becomes ``'-CD3``), every field stands in quotation marks, and
        the byte-order mark that makes Excel read UTF-8 comes first. Numbers are the same in both.

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
    writer = csv.writer(
        file, lineterminator="\n", quoting=csv.QUOTE_ALL if excel else csv.QUOTE_MINIMAL
    )
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


def is_formula(text: str) -> bool:
    """Tell whether a spreadsheet may run a text, also after dropping what nobody sees in front.

    Full-width, small and raised forms of a sign count as the sign.
    """
    if text[:1].isascii() and text[:1].isalnum():  # nearly all
        return False
    first = next((c for c in text if not _is_unseen(c)), "")
    sign = unicodedata.normalize("NFKC", first)[:1]
    return sign in FORMULA_STARTS or text.lstrip("'").startswith(BREAKS)


def _is_unseen(character: str) -> bool:
    return character == "'" or character in FILLERS or unicodedata.category(character) in UNSEEN


def _safe(text: str) -> str:
    return f"'{text}" if is_formula(text) else text
