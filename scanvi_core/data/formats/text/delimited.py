"""Tables of text (.csv, .tsv, packed or not), with cells in rows or in columns."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from scanvi_core.data.anndata_files.checks import COLUMNS, ORIENTATION, ROWS
from scanvi_core.data.anndata_files.target import (
    Request,
    Tables,
    in_rows,
    new_h5ad,
    write_matrix,
    write_tables,
)
from scanvi_core.data.formats.text.beside import (
    MAX_WORDS,
    Beside,
    names_which,
)
from scanvi_core.data.formats.text.descriptions import describes_cells, describes_genes
from scanvi_core.data.formats.text.gene_titles import no_genes
from scanvi_core.data.formats.text.glimpse import (
    OTHER_ENCODING,
    Glimpse,
    checked_end,
    decimal_mark,
    glimpse,
    is_ended,
    number,
    why_no_table,
)
from scanvi_core.data.formats.text.wide_lines import WIDE, NotPlain, read_lines
from scanvi_core.data.guard.text import open_text
from scanvi_core.data.names import cells_in_rows, is_gene, leading_symbols
from scanvi_core.data.question import Option, Question, answer
from scanvi_core.errors import FileRefused
from scanvi_core.hints import SMALLER_FILE
from scanvi_core.plurals import count

BLOCK_FIELDS = 16_000_000  # a block is dense for a moment, and costs some work per column
UNSURE = 0.3  # of what speaks for one orientation, below which the tables beside are asked
PREVIEW = (6, 7)
SYMBOLS = "gene_symbol"
JUDGED_LINES = 10
NUMBERS_OF_TABLE = 0.2  # share of numbers below which lines of uneven length are prose
CUT_OFF = "The last line of {} has no end. If the file was cut off, cells or genes are missing."
logger = logging.getLogger(__name__)
TEXT = "Save the counts as a table with the names of genes along one side, of cells on the other."


def convert(request: Request, texts: Sequence[Path] = ()) -> list[str]:
    """Write a table as .h5ad; return notices.

    Parameters
    ----------
    request
        The table.
    texts
        Other text files, which may describe its cells or genes.

    Raises
    ------
    ChoiceNeeded
        Until it is known which way round the table is.
    FileRefused
        If it is no table of numbers with names on both sides.
    """
    seen = glimpse(request.path, request.memory_bytes * 20, request.memory_bytes)
    header = _header(seen, request.path.name)
    beside = Beside.of(request.path, texts)
    chosen = answer(_question(seen, header, beside.tables), request.answers, request.path.name)
    try:
        table = _read(request, seen, header, "utf-8")
    except UnicodeDecodeError:
        table = _read(request, seen, header, OTHER_ENCODING)
    guessed = _no_genes(table, header) if chosen == ROWS else []
    counts, described, plain = _parted(table, header, chosen, guessed)
    notes = _about(described, "cells" if chosen == ROWS else "genes")
    if guessed:
        listed = ", ".join(guessed)
        notes.append(f"{listed}: called as no gene here is, and taken to describe the cells.")
    if not is_ended(request.path):
        notes.append(CUT_OFF.format(request.path.name))
    obs, var = (described, plain) if chosen == ROWS else (plain, described)
    counts = counts if chosen == ROWS else counts.T.tocsr()
    if symbols := leading_symbols(var.index):
        var = var.assign(**{SYMBOLS: symbols})
    obs = beside.with_columns(obs, var.index, "cells")
    var = beside.with_columns(var, obs.index, "genes")
    with new_h5ad(request.target) as out:
        write_tables(out, Tables(obs, var))
        write_matrix(out, "X", in_rows(counts), counts.shape, counts.dtype)
    return notes + beside.notes + beside.left_aside(obs.index)


def _no_genes(table: tuple[Any, ...], header: list[str]) -> list[str]:
    """Return the titles of numbers that describe cells though nobody knows them."""
    titles = header[1:]
    known = {at for at, title in enumerate(titles) if title in table[1] or describes_cells(title)}
    return [titles[at] for at in no_genes(titles, known)]


def _parted(
    table: tuple[Any, ...], header: list[str], chosen: str, guessed: list[str]
) -> tuple[sp.csr_matrix, pd.DataFrame, pd.DataFrame]:
    """Return the counts as they lie, what describes their rows, and the names of their columns."""
    names, words, values = table
    is_other = describes_cells if chosen == ROWS else describes_genes
    others = [
        at
        for at, title in enumerate(header[1:])
        if title not in words and (is_other(title) or title in guessed)
    ]
    described = _described(header, words, values, others).set_axis(pd.Index(names, dtype=object))
    is_count = np.array([title not in described for title in header[1:]], dtype=bool)
    counts = values if is_count.all() else values[:, np.flatnonzero(is_count)]
    plain = pd.DataFrame(index=pd.Index(np.array(header[1:], dtype=object)[is_count]))
    return counts, described, plain


def _about(described: pd.DataFrame, what: str) -> list[str]:
    n = described.shape[1]
    if not n:
        return []
    listed = ", ".join(list(described)[:5]) + (", …" if n > 5 else "")
    return [f"{count(n, 'column')} describe{'s' if n == 1 else ''} the {what}: {listed}."]


def _described(
    header: list[str], words: dict[str, list[Any]], values: sp.csr_matrix, others: list[int]
) -> pd.DataFrame:
    """Return the columns of words and some of numbers, in the order of the table."""
    numbers = {header[1 + at]: np.asarray(values[:, [at]].todense()).ravel() for at in others}
    columns = {
        title: pd.Categorical(words[title]) if title in words else numbers[title]
        for title in header[1:]
        if title in words or title in numbers
    }
    return pd.DataFrame(columns, index=range(values.shape[0]))


def _header(seen: Glimpse, name: str) -> list[str]:
    """Return the names of all columns, the first being that of the names of rows."""
    first = seen.start[:30]
    if len(seen.lines) < 2 or max(len(line) for line in seen.lines) < 3 or _is_prose(seen):
        raise FileRefused(
            f"{name} is a text file that starts with {first!r}, not a table of counts.", TEXT
        )
    header, body = list(seen.lines[0]), seen.lines[1:]
    width = len(body[0])
    if len(header) == width - 1:  # as R writes it
        header = ["", *header]
    if len(header) != width or any(len(line) != width for line in body):
        raise FileRefused(
            f"{name} is no table: its lines have different numbers of fields.",
            "It may have been cut off, or its separator stands inside names. Save it again.",
        )
    if all(_is_number(field) for field in header[1:]) and len(set(header[1:])) < width - 1:
        raise FileRefused(
            f"{name} has no line with names: it starts with {first!r}.",
            "Add a first line with the names of the columns, and a first column with names.",
        )
    if any(_is_number(line[0]) for line in body) and _is_number(header[0]):
        raise FileRefused(f"{name} holds numbers only: its cells and genes have no names.", TEXT)
    _check_numbers(header, body, name)
    return header


def _is_prose(seen: Glimpse) -> bool:
    """Tell whether a text is a letter rather than a damaged table: uneven and no numbers."""
    fields = [field for line in seen.lines[1:] for field in line]
    n_numbers = sum(_is_number(field) for field in fields)
    widths = {len(line) for line in seen.lines[1:]}
    uneven = len(widths) > 1 or not widths <= {len(seen.lines[0]), len(seen.lines[0]) + 1}
    return uneven and n_numbers < NUMBERS_OF_TABLE * len(fields)


def _check_numbers(header: list[str], body: tuple[tuple[str, ...], ...], name: str) -> None:
    """Refuse a table that describes cells, or anything else, instead of counting."""
    columns = list(zip(*body[:JUDGED_LINES], strict=True))[1:]
    words = [
        title
        for title, fields in zip(header[1:], columns, strict=True)
        if not all(_is_number(field) for field in fields)
    ]
    known = [title for title in header[1:] if describes_cells(title)]
    if len(words) > MAX_WORDS * len(columns) or len(known) >= len(columns) / 2:
        what = f"{', '.join(words[:4])} are words" if words else f"{known[0]} is no gene or cell"
        raise FileRefused(
            f"{name} is a table of descriptions, not of counts: {what}.",
            "Open the table of counts: what this one says of its cells is read with it when both "
            "are in one folder.",
        )


def _question(seen: Glimpse, header: list[str], beside: dict[str, pd.DataFrame]) -> Question:
    n_rows, n_columns = seen.n_lines - 1, len(header) - 1
    guess, why = _guess([line[0] for line in seen.lines[1:]], header[1:], beside)
    high, wide = PREVIEW
    rows = [tuple(header[:wide]), *(line[:wide] for line in seen.lines[1:high])]
    options = (
        Option(COLUMNS, "Each column is a cell", f"{n_columns:,} cells × {n_rows:,} genes"),
        Option(ROWS, "Each row is a cell", f"{n_rows:,} cells × {n_columns:,} genes"),
    )
    return Question(
        ORIENTATION, "Which way round is this table?", options, guess, why, tuple(rows)
    )


def _guess(
    rows: list[str], columns: list[str], beside: dict[str, pd.DataFrame]
) -> tuple[str | None, str]:
    """Return the likelier orientation, and what speaks for it: looks of names, tables beside."""
    score = cells_in_rows(rows, columns)
    told = names_which(columns, rows, beside) if abs(score) < UNSURE else 0.0
    if abs(told) > UNSURE:
        side, listed = ("columns" if told > 0 else "rows"), " and ".join(beside)
        why = f"The {side} are named as the cells in {listed}."
        return (COLUMNS if told > 0 else ROWS), why
    if abs(score) < 0.01:
        return None, ""
    side, genes = ("columns", columns) if score > 0 else ("rows", rows)
    gene = next(filter(is_gene, genes), None)
    why = f"The {side} have names like {gene}, which is a gene." if gene else ""
    return (ROWS if score > 0 else COLUMNS), why


def _read(request: Request, seen: Glimpse, header: list[str], encoding: str) -> tuple[Any, ...]:
    """Return names of the rows, columns of words, and all columns as CSR, those of words empty."""
    if len(header) > WIDE and seen.separator != " ":
        try:
            return _read_wide(request, seen, len(header), encoding)
        except NotPlain:
            logger.info("%s is no table of plain numbers; it is parsed", request.path.name)
    names: list[str] = []
    words: dict[str, list[Any]] = {}
    parts: list[sp.csr_matrix] = []
    first = np.zeros(0, bool)
    held = 0
    for frame in _chunks(request.path, seen, header, encoding):
        names += [str(name) for name in frame.iloc[:, 0]]
        body = frame.iloc[:, 1:]
        is_number = np.array([kind.kind in "iuf" for kind in body.dtypes])
        if not parts:
            first = is_number
            words = {header[1 + at]: [] for at in np.flatnonzero(~first)}
        if (is_number != first).any():
            at = int(np.flatnonzero(is_number != first)[0])
            raise FileRefused(
                f"Column {header[1 + at]} of {request.path.name} holds numbers and words.", TEXT
            )
        for place in np.flatnonzero(~first):
            if not describes_cells(header[1 + place]):
                _check_words(body.iloc[:, place], header[1 + place], request.path.name)
            words[header[1 + place]] += list(body.iloc[:, place])
        parts.append(_sparse(body.loc[:, is_number].to_numpy()))
        held += parts[-1].data.nbytes * 3
        _check_held(held, request)
    whole = sp.vstack(parts, format="csr")
    whole.indices = np.flatnonzero(first)[whole.indices].astype(whole.indices.dtype)
    return names, words, sp.csr_matrix((whole.data, whole.indices, whole.indptr),
                                       shape=(len(names), len(header) - 1))  # fmt: skip


def _read_wide(
    request: Request, seen: Glimpse, width: int, encoding: str
) -> tuple[list[str], dict[str, list[Any]], sp.csr_matrix]:
    """Return the same of a table of plain numbers with many columns, some ten times as fast."""
    names, places, values = list[str](), list[np.ndarray](), list[np.ndarray]()
    held = 0
    lines = read_lines(request.path, seen.separator, width, seen.n_before + 1, encoding)
    for name, at, numbers in lines:
        names.append(name)
        places.append(at.astype(np.int32))
        values.append(numbers)
        held += numbers.nbytes * 3
        _check_held(held, request)
    starts = np.concatenate([[0], np.cumsum([at.size for at in places], dtype=np.int64)])
    data = np.concatenate(values)
    if (data == np.rint(data)).all() and np.abs(data).max(initial=0) < 2**31:
        data = data.astype(np.int32)
    parts = (data, np.concatenate(places), starts)
    return names, {}, sp.csr_matrix(parts, shape=(len(names), width - 1))


def _check_held(n_bytes: int, request: Request) -> None:
    if n_bytes > request.memory_bytes:
        raise FileRefused(
            f"Not enough memory for {request.path.name}.",
            SMALLER_FILE,
        )


def _chunks(path: Path, seen: Glimpse, header: list[str], encoding: str) -> Iterator[pd.DataFrame]:
    with open_text(path, np.inf) as stream:
        reader = pd.read_csv(
            stream, sep=seen.separator, header=None, skiprows=seen.n_before + 1,
            skip_blank_lines=True,
            decimal=decimal_mark(seen), dtype={0: str}, encoding=encoding,
            keep_default_na=False, na_values=["", "NA", "NaN", "nan"],
            chunksize=max(1, BLOCK_FIELDS // len(header)), low_memory=False,
        )  # fmt: skip
        try:
            yield from (checked_end(frame, len(header), path.name) for frame in reader)
        except pd.errors.ParserError as error:
            why = why_no_table(error)
            raise FileRefused(
                f"{path.name} is no table: {why}.",
                "It may have been cut off. Save or copy it again.",
            ) from error


def _check_words(column: pd.Series, title: str, name: str) -> None:
    """Refuse a column of numbers with a word among them: it is no description."""
    given = column.dropna()
    is_word = pd.to_numeric(given, errors="coerce").isna()
    if len(given) and is_word.mean() < 0.5 and column.dtype != bool:
        if not is_word.any():
            pointed = (text for text in given if isinstance(text, str) and "." in text)
            odd = next(pointed, given.iloc[0])
            raise FileRefused(
                f"{name} holds {str(odd)[:30]!r} among the numbers of {title}: its point may part "
                "decimals or thousands.",
                "Save it with one decimal mark, and none for thousands.",
            )
        word = str(given[is_word].iloc[0])[:30]
        raise FileRefused(
            f"{name} holds the word {word!r} among the numbers of {title}.",
            "Write a number there, or leave the column out.",
        )


def _sparse(values: np.ndarray) -> sp.csr_matrix:
    if values.dtype.kind == "i" and (not values.size or np.abs(values).max() < 2**31):
        values = values.astype(np.int32)
    return sp.csr_matrix(values)


def _is_number(text: str) -> bool:
    return number(text) is not None
