"""Tables of text that describe cells or genes: read as they stand, joined by the names they bear.

R writes names of columns its own way (``make.names``): a cell ``AAAC-1`` of the list of cells is
``AAAC.1`` at the head of the table of counts, and ``10x_1`` is ``X10x_1``.
"""

import csv
import io
import itertools
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from scanvi_core import config
from scanvi_core.data.endings import hold_barcodes, match_but_for_endings
from scanvi_core.data.formats.text.glimpse import Glimpse, checked_end, why_no_table
from scanvi_core.data.guard.text import open_text
from scanvi_core.errors import FileRefused
from scanvi_core.hints import FETCH_AGAIN
from scanvi_core.plurals import count

MOST_MISSING = 0.1  # share of the names that a table may lack, or of its lines that name no other
FEW_NAMES = 2  # of some in both, for a table to be about the same cells
NO_VALUE = {"": None, "NA": None, "NaN": None, "nan": None}
COMMA_NUMBER = r"[-+]?\d+(,\d+)?([eE][-+]?\d+)?"  # as spreadsheets write it in most of Europe
NO_THOUSANDS = r",(?:\d{1,2}|\d{4,})(?!\d)"  # 1,234 may be one thousand
NOT_IN_R = re.compile(r"[^A-Za-z0-9_.]")


def read_table(path: Path, seen: Glimpse, n: int, notes: list[str] | None = None) -> pd.DataFrame:
    """Return `n` lines of a table as text; columns without a header are called 0, 1, ...

    Raises
    ------
    FileRefused
        If a line has more fields than the first ones.
    """
    header = seen.n_lines == n + 1
    first = seen.lines[0] if seen.lines else ()
    widths = [len(line) for line in seen.lines[1:]] or [len(first)]
    usual = max(set(widths), key=widths.count)  # R leaves out the title of the names
    width = usual if header and usual - len(first) in {0, 1} else max(widths)
    frame = _parsed(path, seen, width, seen.n_before + header)
    if header:
        titles = [""] * (width - len(first)) + [str(title) for title in first]
        frame = frame.set_axis(_apart(titles), axis=1)
    if notes is not None and (odd := _odd_lines(path, seen, width)):
        said = (
            f"{count(odd, 'line')} of {path.name} with another number of fields than the others."
        )
        notes.append(said)
    frame = frame.fillna("").iloc[len(frame) - n :].reset_index(drop=True)
    running = [name for name in frame if _counts_up(frame[name])]
    return frame.drop(columns=running[:1]) if len(running) < frame.shape[1] else frame


def _parsed(path: Path, seen: Glimpse, width: int, n_before: int) -> pd.DataFrame:
    with open_text(path, np.inf) as stream:
        try:
            frame = pd.read_csv(
                stream, sep=seen.separator if width > 1 else "\t", header=None, dtype=str,
                keep_default_na=False, skip_blank_lines=True, skiprows=n_before,
                names=range(width + seen.empty_end),
                quoting=csv.QUOTE_MINIMAL, encoding_errors="backslashreplace",
            )  # fmt: skip
        except pd.errors.ParserError as error:
            why = why_no_table(error)
            raise FileRefused(f"{path.name} is damaged: {why}.", FETCH_AGAIN) from error
    return checked_end(frame, width, path.name)


def _odd_lines(path: Path, seen: Glimpse, width: int) -> int:
    """Return how many lines below the first have another number of fields than most."""
    if width < 2:
        return 0
    with open_text(path, np.inf) as stream, io.TextIOWrapper(stream, errors="replace") as text:
        lines = itertools.islice(text, seen.n_before + 1, None)
        numbers = Counter(map(len, csv.reader(lines, delimiter=seen.separator)))
    del numbers[0]  # empty lines
    return numbers.total() - max(numbers.values(), default=0)


def joined(table: pd.DataFrame, index: pd.Series) -> tuple[pd.DataFrame | None, str]:
    """Return the lines of a table in the order of some names, and what is to be said of that.

    A table whose lines bear no names, but are as many, is taken as it stands; one that has other
    names is not: its order is its own.
    """
    beside, said = joined_but_for_endings(table, pd.Index(index))
    if beside is not None:
        return beside, said
    if len(table) != len(index) or any(map(_names_lines, table.items())):
        return None, ""
    return table.set_axis([f"column_{name}" for name in table], axis=1), ""


def _names_lines(column: tuple[object, pd.Series]) -> bool:
    """Tell whether a column names the lines of its table: words, none of them twice."""
    values = column[1]
    return bool(values.is_unique and pd.to_numeric(values, errors="coerce").isna().mean() > 1 / 2)


def joined_but_for_endings(
    table: pd.DataFrame, index: pd.Index
) -> tuple[pd.DataFrame | None, str]:
    """Return what `joined_by_name` does, else the same by barcodes; and how names differ."""
    beside = joined_by_name(table, index)
    if beside is not None or not hold_barcodes(index):
        return beside, ""
    for key in table:
        names = pd.Index(table[key])
        if not hold_barcodes(names):
            continue
        place, differing = match_but_for_endings(names, index)
        if differing:
            found = np.flatnonzero(place >= 0)
            lines = table.drop(columns=[key]).iloc[found].set_axis(index[place[found]])
            lines = lines.reindex(index).set_axis([str(name) for name in lines], axis=1)
            return lines, f"Its names differ by an ending or a beginning: {differing}."
    return None, ""


def joined_by_name(table: pd.DataFrame, index: pd.Index) -> pd.DataFrame | None:
    """Return the lines of a table in the order of some names; None if it does not hold them.

    It holds them when it lacks few of them, or when few of its lines name something else: a list
    of the cells that were kept describes those only.
    """
    for key in table:
        at = _places(index, pd.Index(table[key]))
        if at is not None:
            lines = table.drop(columns=[key]).reindex(at).set_axis(index)
            return lines.set_axis([str(name) for name in lines], axis=1)
    return None


def names_some(fields: Iterable[object], index: pd.Index) -> bool:
    """Tell whether words among some fields name cells or genes; numbers say nothing."""
    words = {_as_in_r(field) for field in fields if not str(field).replace(".", "").isdigit()}
    return len(words.intersection(index.map(_as_in_r))) >= FEW_NAMES


def described(frame: pd.DataFrame) -> pd.DataFrame:
    """Return columns of text as numbers where all of them are, else as categories."""
    tidy = {}
    for name in frame:
        text = frame[name].replace(NO_VALUE)
        words = text.dropna().astype(str)
        if words.str.fullmatch(COMMA_NUMBER).all() and words.str.contains(NO_THOUSANDS).any():
            text = text.str.replace(",", ".")
        numbers = pd.to_numeric(text, errors="coerce")
        is_number = bool((numbers.notna() == text.notna()).all()) and text.notna().any()
        tidy[str(name)] = numbers if is_number else text.astype(object).astype("category")
    return pd.DataFrame(tidy, index=frame.index)


def _places(names: pd.Index, found: pd.Index) -> np.ndarray | None:
    """Return where each name is among those found, -1: nowhere; None if they are others."""
    for ours, theirs in ((names, found), (names.map(_as_in_r), found.map(_as_in_r))):
        if not theirs.is_unique or ours.nunique() < names.nunique():
            continue
        at = theirs.get_indexer(ours)
        known = at >= 0
        n_lines = np.unique(at[known]).size
        enough = n_lines >= max(config.MIN_CELLS, (1 - MOST_MISSING) * len(theirs))
        if known.mean() >= 1 - MOST_MISSING or enough:
            return np.asarray(at)
    return None


def _as_in_r(name: object) -> str:
    """Return a name as R writes it at the head of a column."""
    text = NOT_IN_R.sub(".", str(name))
    return f"X{text}" if text[:1].isdigit() else text


def _apart(titles: list[str]) -> list[str]:
    """Return titles that occur once each."""
    seen: dict[str, int] = {}
    found = []
    for title in titles:
        n = seen[title] = seen.get(title, 0) + 1
        found.append(title if n == 1 else f"{title}_{n}")
    return found


def _counts_up(column: pd.Series) -> bool:
    """Tell whether a column is the running numbers that R and pandas write before a table."""
    first = str(column.iloc[0]) if len(column) else ""
    if first not in {"0", "1"} or len(column) < 2:
        return False
    return column.tolist() == [str(at) for at in range(int(first), int(first) + len(column))]
