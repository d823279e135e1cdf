"""Columns that tell batches apart inside of files to be joined, and which to begin with."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from scanvi_core.plurals import count

if TYPE_CHECKING:
    from scanvi_core.data.joining.genes import Source

MOST_NAMED = 4  # files that are told one by one


def offered(sources: Sequence["Source"], before: str | None) -> list[str]:
    """Return the columns to choose from: that of the project of before, and those files look by.

    One that says no more than from which file a cell is, is none.
    """
    from scanvi_core.data.joining.origin import SOURCE_COLUMN, origin_of

    every = [one["key"] for each in sources for one in each.dataset.manifest["batch_candidates"]]
    files = {name for name in origin_of(sources[0]).made if name.startswith(SOURCE_COLUMN)}
    return [name for name in dict.fromkeys(filter(None, [before, *every])) if name not in files]


def to_begin_with(
    sources: Sequence["Source"], columns: Sequence[str], before: str | None
) -> str | None:
    """Return the column that divides every file; for a project of before the one it is divided by.

    None where there is no such column: each file is one batch then.
    """
    if before is not None:  # else its batches would become one, or each of its files several
        return before if before in columns and n_batches(sources[0], before) > 1 else None
    every = (name for name in columns if all(n_batches(each, name) > 1 for each in sources))
    return next(every, None)


def n_batches(source: "Source", column: str) -> int:
    """Return how many batches a file has by a column: one where it has none of that name."""
    described = source.dataset.manifest["obs_columns"].get(column)
    return 1 if described is None else max(1, int(described["n_unique"]))


def in_words(sources: Sequence["Source"], column: str) -> str:
    """Say how many batches each file has by a column."""
    told = [_of_file(source, column) for source in sources[:MOST_NAMED]]
    more = len(sources) - MOST_NAMED
    return "; ".join([*told, f"{count(more, 'other file')}"] if more > 0 else told)


def _of_file(source: "Source", column: str) -> str:
    has_it = column in source.dataset.manifest["obs_columns"]
    n = count(n_batches(source, column), "batch", "batches")
    return f"{source.name} has {n}" if has_it else f"{source.name} has no such column: one batch"
