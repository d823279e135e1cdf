"""Which genes several data sets share, whatever each of them calls its genes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pandas as pd

from scanvi_core.config import MIN_GENES
from scanvi_core.data.dataset import Dataset
from scanvi_core.data.names import VERSIONED, is_identifier
from scanvi_core.data.repairs import NO_NAMES
from scanvi_core.errors import FileRefused

NAMES = "gene names"
SYMBOLS = "symbols"
IDS = "ids"
IDS_SHARE = 0.5  # of the values of a column that holds ids of genes


@dataclass(frozen=True, slots=True)
class Source:
    """A file that was read, under its name."""

    name: str
    dataset: Dataset


@dataclass(frozen=True, slots=True)
class SharedGenes:
    """The genes that all data sets have, in the order of the first.

    Attributes
    ----------
    positions
        Where they are in each data set, one array [genes] each.
    named_by
        What they were recognized by in each: ``gene names``, ``symbols`` or a column of `var`.
    """

    positions: tuple[np.ndarray, ...]
    named_by: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.positions[0])


def shared_genes(sources: Sequence[Source]) -> SharedGenes:
    """Return the genes that all data sets have, by their names, symbols or ids.

    Of each data set that kind of names is taken by which most of its genes are among those of the
    first; of the first the kind by which most are shared by all. Where a name stands for several
    genes of a data set, its first counts.

    Raises
    ------
    FileRefused
        If there are fewer than a model needs.
    """
    named = [
        {kind: _places(names) for kind, names in names_of(source.dataset).items()}
        for source in sources
    ]
    best = max((_match(kind, named) for kind in named[0]), key=len)
    if len(best) < MIN_GENES:
        raise _too_few(sources, len(best))
    return best


@dataclass(frozen=True, slots=True)
class Found:
    """Where genes known by several kinds of names stand in a data set.

    Attributes
    ----------
    positions
        Of each gene [n], -1 where it is missing.
    named_by
        The kind of the names it was found by: of the genes, and of the data set.
    n_but_for_capitals
        Genes that would be there if capitals did not matter.
    """

    positions: np.ndarray
    named_by: tuple[str, str]
    n_but_for_capitals: int

    @property
    def n_found(self) -> int:
        """How many genes are there."""
        return int(np.count_nonzero(self.positions >= 0))


def find_genes(wanted: Mapping[str, Sequence[str]], dataset: Dataset) -> Found:
    """Find genes by the kind of names, of theirs and of a data set's, that most are found by.

    Parameters
    ----------
    wanted
        What each gene is called, by the kind of the names; an empty text is no name.
    dataset
        Versions of ids do not matter.
    """
    names = np.asarray(dataset.var_names, dtype=object)
    theirs = names_of(dataset) | ({IDS: _unversioned(names)} if _are_ids(names) else {})
    places = {kind: _places(each) for kind, each in theirs.items()}
    best, n_best, n_folded = Found(np.full(0, -1), ("", ""), 0), -1, 0
    for kind, own in wanted.items():
        asked = _unversioned(own) if _are_ids(own) else pd.Index(own, dtype=object)
        for by, there in places.items():
            at = there.reindex(asked.where(asked != "")).fillna(-1).to_numpy(dtype=np.int64)
            n_folded = max(n_folded, _n_folded(asked, there.index))
            at[pd.Series(at).duplicated() & (at >= 0)] = -1
            if np.count_nonzero(at >= 0) > n_best:
                n_best = int(np.count_nonzero(at >= 0))
                best = Found(at, (kind, by), 0)
    return Found(best.positions, best.named_by, n_folded)


def _n_folded(asked: pd.Index, there: pd.Index) -> int:
    folded = (pd.Index(names.dropna().astype(str).str.casefold()) for names in (asked, there))
    return int(next(folded).isin(next(folded)).sum())


def _unversioned(names: Sequence[object] | np.ndarray) -> pd.Index:
    return pd.Index([VERSIONED.sub(r"\1", str(name).strip()) for name in names], dtype=object)


def names_of(dataset: Dataset) -> dict[str, pd.Index]:
    """Return what the genes of a data set are called, by the kind of the names."""
    found = {NAMES: pd.Index(dataset.var_names)}
    if dataset.manifest["symbol_column"] is not None:
        found[SYMBOLS] = pd.Index(dataset.symbols)
    for column in dataset.var:
        values = dataset.var[column]
        if pd.api.types.is_numeric_dtype(values):
            continue
        ids = [VERSIONED.sub(r"\1", str(value).strip()) for value in values]
        if _are_ids(ids):
            found[str(column)] = pd.Index(ids, dtype=object).where(values.notna().to_numpy())
    return found


def kind_of_names(dataset: Dataset) -> str:
    """Return what the names of the genes are, with an example: ids such as ENSG..., or symbols."""
    names = dataset.var_names
    kind = "ids" if _are_ids(names) else "symbols"
    return f"{kind}, such as {names[len(names) // 2]}"


def _are_ids(names: Sequence[object] | np.ndarray) -> bool:
    return sum(map(is_identifier, names)) > IDS_SHARE * len(names)


def _match(kind: str, named: Sequence[dict[str, pd.Series]]) -> SharedGenes:
    """Return the genes shared when those of the first data set are known by this kind of names.

    `named` holds of each data set where each name stands, by the kind of the names.
    """
    first, *others = named
    places, kinds = [first[kind]], [kind]
    for candidates in others:
        shared = {by: len(each.index.intersection(first[kind].index))
                  for by, each in candidates.items()}  # fmt: skip
        kinds.append(max(shared, key=lambda by: shared[by]))
        places.append(candidates[kinds[-1]])
    names = reduce(lambda left, right: left[left.isin(right)], (each.index for each in places))
    return SharedGenes(tuple(each.loc[names].to_numpy() for each in places), tuple(kinds))


def _places(names: pd.Index) -> pd.Series:
    """Return where each name stands first, by name; genes without one have no place."""
    texts = pd.Series(names, dtype="string").str.strip().str.casefold()
    nameless = texts.isna() | texts.isin(NO_NAMES | {"-"}) | texts.str.fullmatch(r"gene-\d+")
    first = ~(nameless.to_numpy(dtype=bool) | names.duplicated())
    return pd.Series(np.flatnonzero(first), names[first])


def _too_few(sources: Sequence[Source], n_shared: int) -> FileRefused:
    first, last = sources[0], sources[-1]
    example, other = (source.dataset.var_names[0] for source in (first, last))
    return FileRefused(
        f"The files have {n_shared:,} genes in common; at least {MIN_GENES} are needed. "
        f"{first.name} calls its first gene {example}, {last.name} {other}.",
        "Give the genes the same kind of names in all files, or a column with the other kind; "
        "files of different species cannot be joined.",
    )
