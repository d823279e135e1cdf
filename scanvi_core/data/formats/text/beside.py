"""Tables in one folder: which is the counts, and which describe its cells or genes.

GEO keeps them apart: a table of counts, and one of what is known about the cells (NCBI, "Preparing
sequence data for GEO": processed data files). Told by what the tables hold, never by their names.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from scanvi_core import config
from scanvi_core.data.formats.text.annotations import (
    described,
    joined_but_for_endings,
    names_some,
    read_table,
)
from scanvi_core.data.formats.text.descriptions import describes_cells, describes_genes
from scanvi_core.data.formats.text.glimpse import (
    fields_of,
    first_lines,
    glimpse,
    guess_separator,
    lines_before,
    number,
    without_empty_end,
)
from scanvi_core.errors import FileRefused

MAX_WORDS = 0.2  # share of columns with words, above which a table describes instead of counting
WIDEST = 500  # columns of a table that describes cells or genes
LOOKED_AT = 20
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Look:
    """What the first lines of a text file show.

    Attributes
    ----------
    titles
        Of its columns; that of the names of rows left out.
    words, fractions
        Columns with words; columns with fractions or negative numbers.
    """

    path: Path
    titles: tuple[str, ...]
    words: int
    fractions: int

    @property
    def counts(self) -> bool:
        """Whether it may be a table of counts, or of what was made of them."""
        n = len(self.titles)
        known = sum(describes_cells(title) or describes_genes(title) for title in self.titles)
        return n >= 2 and self.words <= MAX_WORDS * n and known < n / 2

    @property
    def describes(self) -> bool:
        """Whether it may describe cells or genes: a table of whole numbers may be other counts."""
        n = len(self.titles)
        other_counts = self.counts and self.whole and n >= config.MIN_GENES
        return 0 < n <= WIDEST and not other_counts

    @property
    def whole(self) -> bool:
        """Whether its numbers are those of counts."""
        return self.fractions <= MAX_WORDS * len(self.titles)


def look_at(path: Path) -> Look | None:
    """Return what the first lines of a file show; None where they are no table with names."""
    remarks = lines_before(path)
    lines = first_lines(path, LOOKED_AT + remarks)[remarks:]
    separator = guess_separator(lines)
    parted = without_empty_end([fields_of(line, separator) for line in lines])
    header, *body = parted or [[]]
    widths = {len(line) for line in body}
    if len(widths) != 1 or len(header) not in {max(widths), max(widths) - 1}:
        return None
    titles = header[len(header) - max(widths) + 1 :]
    columns = [list(map(number, column)) for column in list(zip(*body, strict=True))[1:]]
    words = sum(None in column for column in columns)
    fractions = sum(any(map(_is_no_count, column)) for column in columns)
    return Look(path, tuple(titles), words, fractions)


def counts_among(texts: Sequence[Path]) -> list[Look]:
    """Return the tables that may be the counts: one, several of which one is meant, or none.

    A table of fewer columns than a model needs genes, or with fractions, is the counts only where
    no other is.
    """
    looks = [look for look in map(_looked_at, texts) if look is not None and look.counts]
    looks = [look for look in looks if len(look.titles) >= config.MIN_GENES] or looks
    return [look for look in looks if look.whole] or looks


def _looked_at(path: Path) -> Look | None:
    try:
        return look_at(path)
    except FileRefused:  # a damaged file is not among what is looked for
        return None


@dataclass(slots=True)
class Beside:
    """Tables that lie beside a table of counts, by the names of their files.

    Attributes
    ----------
    tables
        Those that may describe cells or genes; the ones named like the counts come first.
    fields
        The first fields of each, and of texts that are no tables.
    notes
        What became of them.
    """

    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    fields: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, path: Path, texts: Sequence[Path]) -> "Beside":
        """Return what may describe a table of counts, of the text files in its folder."""
        others = [text for text in texts if text != path and text.parent == path.parent]
        beside = cls()
        for other in sorted(others, key=lambda other: -_same_start(other.name, path.name)):
            try:
                beside.add(other)
            except (FileRefused, ValueError) as error:  # pandas' ParserError is one
                logger.warning("%s cannot be read", other.name, exc_info=error)
                beside.notes.append(f"{other.name} cannot be read as a table: it was left aside.")
        return beside

    def add(self, path: Path) -> None:
        """Take in one text file, if it may describe something."""
        look = look_at(path)
        if look is not None and not look.describes:
            return
        seen = glimpse(path, np.inf)
        self.fields[path.name] = [field for line in seen.lines for field in line]
        if look is not None:
            self.tables[path.name] = read_table(path, seen, seen.n_lines - 1)

    def with_columns(self, frame: pd.DataFrame, others: pd.Index, what: str) -> pd.DataFrame:
        """Return a table of cells or genes with the columns of the tables that bear its names.

        Parameters
        ----------
        frame
            What is known of the cells or genes.
        others
            Names of the other side: a table that bears both is one of values, made of the counts.
        what
            ``cells`` or ``genes``.
        """
        for name, table in self.tables.items():
            beside, differing = joined_but_for_endings(table, frame.index)
            if beside is None:
                continue
            self.fields.pop(name, None)
            new = [title for title in beside if title not in frame]
            if not new or np.mean([title in others for title in new]) > 1 / 2:
                continue
            frame = pd.concat([frame, described(beside[new])], axis=1)
            listed = ", ".join(new[:5]) + (", …" if len(new) > 5 else "")
            n = int(beside.isna().all(axis=1).sum())
            left = f" {n:,} of {len(frame):,} are not in it." if n else ""
            said = f"{name}, which lies beside it, describes the {what}: {listed}.{left}"
            self.notes.append(f"{said} {differing}".strip())
        return frame

    def left_aside(self, cells: pd.Index) -> list[str]:
        """Return notices about files that name some of the cells and describe none."""
        return [
            f"{name}, which lies beside it, names some of the cells but is no table that fits "
            "them: it was left aside."
            for name, fields in self.fields.items()
            if names_some(fields, cells)
        ]


def names_which(header: list[str], rows: list[str], tables: dict[str, pd.DataFrame]) -> float:
    """Return how much more the tables say that the columns are the cells: -1 to 1; 0: nothing.

    Parameters
    ----------
    header, rows
        Names of all columns, and of the first rows.
    tables
        Those beside it.
    """
    score = 0.0
    for table in tables.values():
        genes = sum(map(describes_genes, table)) > sum(map(describes_cells, table))
        names = [set(table[key]) for key in table]
        shares = [max((np.mean([x in found for x in side]) for found in names), default=0.0)
                  for side in (header, rows)]  # fmt: skip
        score += float(shares[0] - shares[1]) * (-1 if genes else 1)
    return float(np.clip(score, -1, 1))


def _is_no_count(value: float | None) -> bool:
    return value is not None and not np.isnan(value) and (value < 0 or value % 1 != 0)


def _same_start(one: str, other: str) -> int:
    return next(
        (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one)
    )
