"""Opinions from columns of the file, or of a table (CSV) of the same cells."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from scanvi_core import keys
from scanvi_core.errors import ColumnMissing, LabelsUnusable
from scanvi_core.project import opinions
from scanvi_core.project.opinions import Opinion
from scanvi_core.services.labels import edit
from scanvi_core.services.labels.from_csv import LabelTable
from scanvi_core.services.labels.names.names_table import NameLine, suggest_names
from scanvi_core.services.opinions.kept import kept
from scanvi_core.services.opinions.known_columns import Found, known_columns, score_of
from scanvi_core.services.workspace import Workspace

COLUMN, TABLE, SCORE, TOOL, ELSEWHERE = "column", "table", "score", "tool", "learned elsewhere"
YES, NOTHING = "yes", ""
MOST_NAMES = 500  # different values of a column that names types


@dataclass(frozen=True)
class Columns:
    """The columns that opinions may be taken from.

    Attributes
    ----------
    names
        All of them.
    texts
        Those that may hold names of types: few different values that are no numbers.
    table
        The table they are of; None: the file that is open.
    """

    names: tuple[str, ...]
    texts: tuple[str, ...]
    table: LabelTable | None = field(default=None, compare=False)


def of_file(opened: Workspace) -> Columns:
    """Return the columns of the file that is open."""

    def look() -> Columns:
        about = opened.dataset.manifest["obs_columns"]
        texts = [
            name for name, item in about.items()
            if item["kind"] in ("category", "text") and 0 < item["n_unique"] <= MOST_NAMES
        ]  # fmt: skip
        known = {found.column for found in known_columns(texts)}  # the others are not read here
        numbers = {name for name in known if _is_number(opened.dataset.values(name))}
        return Columns(tuple(about), tuple(name for name in texts if name not in numbers))

    return opened.cache.get(("columns for opinions",), look)


def of_table(table: LabelTable) -> Columns:
    """Return the columns of a table whose cells were found here."""
    frame = table.frame
    few = [name for name in frame if 0 < frame[name].nunique() <= MOST_NAMES]
    texts = [name for name in few if not _is_number(frame[name])]
    return Columns(tuple(map(str, frame)), tuple(texts), table)


def offered(columns: Columns) -> list[Found]:
    """Return the columns that look like predictions of a tool, tool by tool."""
    return [found for found in known_columns(columns.names) if found.column in columns.texts]


def fresh(opened: Workspace, columns: Columns) -> list[Found]:
    """Return those that are offered and were not taken yet, nor as labels."""
    gone = taken(opened, columns) | {str(opened.project.settings.get("labels_key"))}
    return [found for found in offered(columns) if found.column not in gone]


def taken(opened: Workspace, columns: Columns) -> set[str]:
    """Return the columns that are opinions already."""
    source = _source(columns)
    return {one.about.get(COLUMN, "") for one in kept(opened) if one.about.get(TABLE) == source}


def best_of_each(found: list[Found]) -> list[Found]:
    """Return one column per tool: two of one tool are hardly two witnesses."""
    first = dict[str, Found]()
    for one in found:
        first.setdefault(one.tool.name, one)
    return list(first.values())


def take(opened: Workspace, columns: Columns, column: str) -> Opinion:
    """Keep a column as an opinion, its names mapped as far as they are clear; return it.

    Raises
    ------
    ColumnMissing
        If there is no such column.
    LabelsUnusable
        If it holds no names.
    SettingInvalid
        If one of its names is too long.
    ProjectError
        If the disk refuses, or who asks may only look.
    """
    known = next((found for found in known_columns([column, *columns.names])
                  if found.column == column), None)  # fmt: skip
    score, is_unsure = (known.score, known.is_unsure) if known else score_of(column, columns.names)
    labels, names = _names(opened, columns, column)
    scores = np.full(len(labels), np.nan, dtype=np.float32)
    if score is not None:
        scores = _scores(_values(opened, columns, score), is_unsure=is_unsure)
    about = {COLUMN: column, TABLE: _source(columns), SCORE: score or NOTHING}
    about |= {TOOL: known.tool.name if known else NOTHING}
    about |= {ELSEWHERE: YES} if known and known.tool.elsewhere else {}
    name = f"{known.tool.name} ({column})" if known else column
    meant = {line.own: line.here for line in suggested(opened, names) if line.here}
    made = Opinion(name[:200], names, labels, scores, "column", meant, about)
    return opinions.keep(opened.project, made)


def suggested(opened: Workspace, names: tuple[str, ...]) -> tuple[NameLine, ...]:
    """Return which type each name may mean; where no labels came, names become types."""
    begun = opened.labels().seq and not edit.is_by_hand(opened)
    return suggest_names(names, types_here(opened), keep=not begun)


def types_here(opened: Workspace) -> tuple[str, ...]:
    """Return the types of the project, and after them those that opinions were said to mean."""
    types = dict.fromkeys(name for name in opened.labels().active if name != keys.UNKNOWN)
    for one in kept(opened):
        types |= dict.fromkeys(one.names.values())
    return tuple(types)


def short_name(one: Opinion, every: tuple[Opinion, ...]) -> str:
    """Return how an opinion is called where there is little room: its tool, if it is alone."""
    tool = one.about.get(TOOL, "")
    alone = sum(other.about.get(TOOL) == tool for other in every) == 1
    return tool[:1].upper() + tool[1:] if tool and alone else one.name


def _source(columns: Columns) -> str:
    return columns.table.name if columns.table is not None else NOTHING


def _names(opened: Workspace, columns: Columns, column: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return codes [n_obs] and names of a column; words for "unlabeled" are no name."""
    values = edit.as_labels(_values(opened, columns, column)).str.strip()
    nothing = [value for value in values.dropna().unique() if keys.looks_unlabeled(value)]
    values = values.where(~values.isin(nothing))
    codes, names = pd.factorize(values, sort=True)
    if not len(names):
        raise LabelsUnusable(f"The column {column} says nothing of any cell.", "Choose another.")
    if len(names) > MOST_NAMES:
        raise LabelsUnusable(
            f"The column {column} has {len(names):,} different values.",
            "This looks like a list of barcodes; choose a column with cell types.",
        )
    return codes.astype(np.int32), tuple(map(str, names))


def _values(opened: Workspace, columns: Columns, column: str) -> pd.Series:
    """Return a column, a value per cell here."""
    if column not in columns.names:
        raise ColumnMissing(f"There is no column {column}.", "Choose one that is there.")
    if columns.table is None:
        return opened.dataset.values(column)
    place, frame = columns.table.place, columns.table.frame
    values = np.full(opened.dataset.n_obs, None, dtype=object)
    values[place[place >= 0]] = frame[column].to_numpy(dtype=object)[place >= 0]
    return pd.Series(values)


def _scores(values: pd.Series, *, is_unsure: bool) -> np.ndarray:
    """Return scores from 0 to 1, NaN where there are none: those on a larger scale are divided."""
    numbers = pd.to_numeric(values.astype(object), errors="coerce").to_numpy(dtype=np.float64)
    numbers = np.where(np.isfinite(numbers) & (numbers >= 0), numbers, np.nan)
    most = np.nanmax(numbers, initial=0.0)
    if most > 1.0:
        numbers = numbers / most
    return (1.0 - numbers if is_unsure else numbers).astype(np.float32)


def _is_number(values: pd.Series) -> bool:
    """Tell whether a column holds numbers, as text or not."""
    if values.dtype.kind in "iufb":
        return True
    known = pd.Series(values.dropna().unique()).astype(str).str.strip()
    return bool(pd.to_numeric(known[known != ""], errors="coerce").notna().all())
