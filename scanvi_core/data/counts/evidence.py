"""What the rest of a file says about a matrix: totals per cell, batches on other scales or genes.

A subset of genes keeps the sums of counts in step with the totals over all genes (slope 0.6 and
more in logarithms, Kang et al. 2018, 50 to 2,000 genes). SCTransform evens them out (0.06), and
logarithms cut to whole numbers hardly grow with the depth of a cell (0.05 to 0.4).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import scipy.sparse as sp

from scanvi_core import config, keys
from scanvi_core.data.counts.scale import LOG_MAX
from scanvi_core.plurals import count

IN_STEP = 0.5  # slope of the sums against the totals, below which they are no counts
AGREE, AGREE_SHARE = 0.02, 0.95  # relative difference, and share of the cells it holds for
SPREAD = 0.1  # of the logarithms of the totals, below which a slope says nothing
ALL_GENES, LOST = 10_000, 0.03  # so many genes are no selection; share of the counts that is gone
ONE_SCALE = 0.05  # share of a batch's cells that may differ from the others
FEW_VALUES, FEW_CELLS = 5, 5
EXPECTED = 10.0  # cells in which an unmeasured gene would be found, were it measured
UNMEASURED = 0.05  # share of the genes
MOST_GROUPS = 50


@dataclass(slots=True)
class CellFacts:
    """What was seen of each cell while a matrix was read.

    Attributes
    ----------
    totals, n_values, n_fractional
        Sum of the values; values that are not zero, and those that are no whole numbers; [n_obs].
    groups
        Batch of each cell, -1: none.
    detected
        Cells of each batch in which each gene was found, [batches, genes].
    frequencies
        How often the whole numbers up to `LOG_MAX` occur.
    largest
        The largest value.
    names
        Of the batches.
    some_rows
        Some whole cells, the same ones of every matrix; None where there is one matrix only.
    """

    totals: np.ndarray
    n_values: np.ndarray
    n_fractional: np.ndarray
    groups: np.ndarray | None = None
    detected: np.ndarray | None = None
    frequencies: np.ndarray = field(default_factory=lambda: np.zeros(int(LOG_MAX) + 1, np.int64))
    largest: float = 0.0
    names: tuple[str, ...] = field(default=())
    some_rows: sp.csr_matrix | None = None

    @classmethod
    def of(cls, shape: tuple[int, int], groups: "Groups | None") -> "CellFacts":
        """Return the facts of a matrix of which nothing was seen."""
        facts = cls(*np.zeros((3, shape[0])))
        if groups is not None:
            facts.groups, facts.names = groups.codes, groups.names
            facts.detected = np.zeros((len(groups.names), shape[1]), np.int64)
        return facts

    def add(self, rows: np.ndarray, columns: np.ndarray, values: np.ndarray) -> None:
        """Take in the next values."""
        filled = values != 0
        if not filled.all():
            rows, columns, values = rows[filled], columns[filled], values[filled]
        n_obs = self.totals.size
        self.n_values += np.bincount(rows, minlength=n_obs)
        self.largest = max(self.largest, float(values.max(initial=0)))
        small = values[(values > 0) & (values <= LOG_MAX)].astype(np.int64)
        self.frequencies += np.bincount(small, minlength=self.frequencies.size)
        if values.dtype.kind == "f":
            odd = values != np.rint(values)
            self.n_fractional += np.bincount(rows[odd], minlength=n_obs)
        if self.detected is not None and self.groups is not None:
            group = self.groups[rows]
            known = group >= 0
            flat = group[known] * self.detected.shape[1] + columns[known]
            found = np.bincount(flat, minlength=self.detected.size)
            self.detected += found.reshape(self.detected.shape)


@dataclass(frozen=True, slots=True)
class Groups:
    """The cells by a column of batches: its name, codes (-1: none), names of the batches."""

    key: str
    codes: np.ndarray
    names: tuple[str, ...]

    @classmethod
    def of(cls, obs: pd.DataFrame, key: str) -> "Groups":
        """Return the groups of a column."""
        codes, names = pd.factorize(obs[key].astype("string"), sort=True)
        return cls(key, codes.astype(np.int64), tuple(map(str, names)))


def contradiction(
    sums: np.ndarray, obs: pd.DataFrame, facts: CellFacts | None = None, n_genes: int = 0
) -> str:
    """Return what speaks against sums of counts per cell, as the rest of a sentence; "": nothing.

    Parameters
    ----------
    sums
        Of the values taken for counts.
    obs
        The table of cells, which may hold the totals of before.
    facts
        What the matrix held; None: these are not the values stored.
    n_genes
        How many genes it has.
    """
    columns = dict(_totals(obs))
    agreeing = [name for name, totals in columns.items() if _agree(sums, totals)]
    corrected = [name for name in agreeing if "sct" in name.casefold()]
    if corrected:
        return f"{_sums_are(corrected[0])}: they are counts corrected by SCTransform, not counts"
    logs = facts is not None and facts.largest <= LOG_MAX
    if agreeing:
        return ""
    for name, totals in columns.items():
        slope = _slope(sums, totals)
        middle = f"(medians {np.median(sums):,.0f} and {np.median(totals):,.0f})"
        if slope is not None and slope < IN_STEP:
            cause = "logarithms cut to whole numbers, not counts" if logs else "counts evened out"
            how = "" if logs else ", as SCTransform does"
            return f"the sums per cell are not in step with {name} {middle}: {cause}{how}"
        if np.mean(sums > totals * (1 + AGREE)) > 1 - AGREE_SHARE:
            return f"the sums per cell are larger than {name} says {middle}"
        lost = 1 - np.median(sums[totals > 0] / totals[totals > 0]) if (totals > 0).any() else 0
        if n_genes > ALL_GENES and lost > LOST:
            return (
                f"the sums per cell are {lost:.0%} less than {name} says at the median: as after "
                "ambient correction (SoupX, CellBender, DecontX), or with genes taken out"
            )
    return ""


def looks_like_cut_logs(facts: CellFacts) -> bool:
    """Tell whether whole numbers look like logarithms: small, 1 not being the commonest."""
    return 1 < facts.largest <= LOG_MAX and int(facts.frequencies[1:].argmax()) > 0


def _sums_are(name: str) -> str:
    return f"the sums per cell are those of {name}"


def _totals(obs: pd.DataFrame) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the columns that say how many counts each cell had."""
    usual = {str(name).casefold(): name for name in reversed(obs.columns)}
    named = [usual[name] for name in keys.TOTAL_COLUMNS if name in usual]
    named += [name for key, name in usual.items() if key.startswith("ncount_")]
    for name in dict.fromkeys(named):
        if obs[name].dtype.kind in "iuf":
            values = obs[name].to_numpy(dtype=np.float64)
            if np.isfinite(values).all() and values.min(initial=0) >= 0 and values.any():
                yield str(name), values


def _agree(sums: np.ndarray, totals: np.ndarray) -> bool:
    return bool(np.mean(np.abs(sums - totals) <= AGREE * np.maximum(totals, 1)) >= AGREE_SHARE)


def _slope(sums: np.ndarray, totals: np.ndarray) -> float | None:
    """Return how logarithms of sums grow with those of totals; None: it cannot be told."""
    some = (sums > 0) & (totals > 0)
    if some.sum() < config.MIN_CELLS:
        return None
    x, y = np.log(totals[some]), np.log(sums[some])
    return None if x.std() < SPREAD else float(np.polyfit(x, y, 1)[0])


def other_scale(whole: np.ndarray, fractional: np.ndarray, obs: pd.DataFrame) -> str:
    """Return which batches are on another scale, as the rest of a sentence; "": none.

    Parameters
    ----------
    whole, fractional
        Cells with whole numbers only, and cells with others, bool [n_obs].
    obs
        The table of cells.
    """
    n_whole, n_other = int(whole.sum()), int(fractional.sum())
    if min(n_whole, n_other) < max(FEW_CELLS, (n_whole + n_other) // 100):
        return ""
    known = whole | fractional
    for name in _by_usual_names(obs):
        groups = Groups.of(obs[known], name)
        if not 1 < len(groups.names) <= MOST_GROUPS:
            continue
        given = groups.codes >= 0
        sizes = np.bincount(groups.codes[given], minlength=len(groups.names))
        counts = np.bincount(groups.codes[given & whole[known]], minlength=len(groups.names))
        share = counts / np.maximum(1, sizes)
        apart = (np.minimum(share, 1 - share) <= ONE_SCALE).all()
        if apart and (share > 1 / 2).any() and (share < 1 / 2).any():
            of_counts = _listed(groups.names, share > 1 / 2)
            others = _listed(groups.names, share <= 1 / 2)
            return (
                f"holds whole numbers in the cells of {name} {of_counts} and normalized values in "
                f"those of {others}: batches on different scales"
            )
    return ""


def not_measured(facts: CellFacts, key: str) -> str:
    """Return a sentence about batches that lack many genes the others have; "": none does."""
    if facts.detected is None or facts.groups is None:
        return ""
    sizes = np.bincount(facts.groups[facts.groups >= 0], minlength=len(facts.names))
    everywhere, n_cells = facts.detected.sum(axis=0), int(sizes.sum())
    n_found = int(np.count_nonzero(everywhere))
    for at, name in enumerate(facts.names):
        if min(sizes[at], n_cells - sizes[at]) < config.MIN_BATCH_CELLS:
            continue
        expected = sizes[at] * (everywhere - facts.detected[at]) / (n_cells - sizes[at])
        n = int(np.count_nonzero((facts.detected[at] == 0) & (expected >= EXPECTED)))
        if n > UNMEASURED * n_found:
            return (
                f"{count(n, 'gene')} of {n_found:,} that other batches have were not measured in "
                f"{name} ({key}): there they are zero in all cells. A model takes that for "
                "biology; keep the genes that all batches share."
            )
    return ""


def _listed(names: tuple[str, ...], which: np.ndarray) -> str:
    some = [name for name, is_meant in zip(names, which, strict=True) if is_meant]
    return ", ".join(some[:3]) + (", ..." if len(some) > 3 else "")


def _by_usual_names(obs: pd.DataFrame) -> list[str]:
    usual = [name for name in obs if str(name).casefold() in keys.BATCH_COLUMNS]
    others = [name for name in obs if name not in usual and obs[name].dtype.kind not in "fb"]
    return usual + others
