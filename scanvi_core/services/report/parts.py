"""What a report is made of: sections of sentences, facts, tables and figures, all plain text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan
from numbers import Integral, Real
from typing import Any

import pandas as pd

NOT_RECORDED = "not recorded"
NOT_EVALUATED = "not evaluated"


@dataclass(frozen=True)
class Text:
    """A paragraph; `loud` is one that matters."""

    text: str
    loud: bool = False
    kind: str = "text"


@dataclass(frozen=True)
class Listed:
    """Sentences, one below the other."""

    items: Sequence[str]
    kind: str = "list"


@dataclass(frozen=True)
class Facts:
    """Names and what stands for them."""

    rows: Mapping[str, str]
    kind: str = "facts"


@dataclass(frozen=True)
class Table:
    """Rows of texts below names of columns.

    Attributes
    ----------
    numeric
        Which columns hold numbers, and stand to the right.
    paint
        A color before the first text of each row; empty for none.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numeric: Sequence[bool]
    paint: Sequence[str] = ()
    kind: str = "table"


@dataclass(frozen=True)
class Picture:
    """A figure: `svg` is a whole file; what stands below it, and for those who cannot see it."""

    svg: bytes
    caption: str
    kind: str = "picture"


Part = Text | Listed | Facts | Table | Picture


@dataclass(frozen=True)
class Section:
    """A heading and what is below it."""

    title: str
    parts: list[Part] = field(default_factory=list)

    def add(self, *parts: Part) -> None:
        """Put more below it."""
        self.parts.extend(parts)


def table_of(
    frame: pd.DataFrame, title: str = "", *, decimals: Mapping[str, int] | None = None,
    paint: Sequence[str] = (),
) -> Table:  # fmt: skip
    """Return a table of texts: whole numbers with commas, others with so many `decimals` (2)."""
    digits = decimals or {}
    columns = [
        [_word(value, digits.get(str(name), 2)) for value in frame[name]] for name in frame.columns
    ]
    numeric = [pd.api.types.is_numeric_dtype(frame[name]) for name in frame.columns]
    rows = list(zip(*columns, strict=True))
    return Table(title, [str(name) for name in frame.columns], rows, numeric, paint)


def known(value: object) -> str:
    """Return a fact as text; what is missing is said to be."""
    return NOT_RECORDED if value is None or value == "" else _word(value, 2)


def _word(value: Any, digits: int) -> str:
    if value is None or value is pd.NaT or (isinstance(value, Real) and isnan(value)):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Integral):
        return f"{int(value):,}"
    return f"{float(value):,.{digits}f}" if isinstance(value, Real) else str(value)
