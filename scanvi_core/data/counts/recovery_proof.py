"""What is asked of a whole matrix before its recovered counts are believed."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from scanvi_core import config
from scanvi_core.data.counts import recovery
from scanvi_core.data.counts.evidence import ONE_SCALE, contradiction, other_scale
from scanvi_core.data.counts.scale import LINEAR, Scale
from scanvi_core.data.counts.smoothing import NeighborNoise
from scanvi_core.errors import CountsNotFound
from scanvi_core.plurals import count

PRIMES = (2, 3, 5, 7, 11, 13)  # a common factor of all counts of a cell has one of these
LARGER = 255  # counts from here on are counted as one
SAME = 1e-3  # units or totals this close are one
NAMED = 5
HINT = "Open the file from before normalization, or one with raw counts in a layer."
LEFT_OUT = {
    recovery.NO_FIT: "their values are no whole multiples of one unit",
    recovery.TOO_LARGE: "they have a count too large to be told from the next one",
    recovery.WEAK: "they have too few different values for a proof",
}


@dataclass(slots=True)
class Totals:
    """A column of obs that may hold the counts per cell before normalization."""

    name: str
    values: np.ndarray


@dataclass(slots=True)
class Recovery:
    """Recovers a matrix block of rows by block of rows, then judges it as a whole.

    Attributes
    ----------
    name
        The matrix.
    scale
        How its values were made, as found on a sample.
    n_obs
        Number of cells.
    totals
        Column of totals, or None.
    """

    name: str
    scale: Scale
    n_obs: int
    totals: Totals | None = None
    target: float | None = None
    largest_error: float = 0.0
    status: np.ndarray = field(init=False)
    unit: np.ndarray = field(init=False)
    sums: np.ndarray = field(init=False)
    settled: np.ndarray = field(init=False)
    lengths: np.ndarray = field(init=False)
    frequencies: np.ndarray = field(init=False)
    is_whole: np.ndarray = field(init=False)
    noise: NeighborNoise = field(default_factory=NeighborNoise)

    def __post_init__(self) -> None:
        self.status = np.zeros(self.n_obs, np.int8)
        self.unit, self.sums = np.zeros(self.n_obs), np.zeros(self.n_obs)
        self.settled, self.is_whole = np.zeros((2, self.n_obs), dtype=bool)
        self.lengths = np.zeros(self.n_obs, np.int64)
        self.frequencies = np.zeros(LARGER + 1, np.int64)

    def feed(self, block: sp.csr_matrix, first: int) -> None:
        """Put the counts of a block of rows in place of its values; cells left out become empty.

        Raises
        ------
        CountsNotFound
            If a value is negative or no number.
        """
        values, rows = block.data, slice(first, first + block.shape[0])
        if values.size and not (np.isfinite(values).all() and values.min() >= 0):
            raise self._refusal("it has negative or missing values")
        n_odd = np.add.reduceat(np.append(values != np.rint(values), 0), block.indptr[:-1])
        self.is_whole[rows] = np.where(np.diff(block.indptr) > 0, n_odd == 0, 0)
        solution = recovery.solve(values, block.indptr, self.scale)
        if self.totals is not None:
            if first == 0:
                self.target = recovery.target_of(solution, self.totals.values[rows])
            self.settled[rows] = recovery.apply_totals(
                solution, block.indptr, self.totals.values[rows], self.target
            )
        lengths = np.diff(block.indptr)
        proven = np.repeat(solution.status == recovery.PROVEN, lengths)
        counts = np.where(proven, solution.counts, 0)
        again = self.scale.redo(counts * np.repeat(solution.unit, lengths))
        if proven.any():
            errors = np.abs(again - values) / values
            self.largest_error = max(
                self.largest_error, float(errors.max(where=proven, initial=0))
            )
        self.status[rows], self.unit[rows] = solution.status, solution.unit
        self.lengths[rows] = lengths
        self.sums[rows] = np.bincount(
            np.repeat(np.arange(lengths.size), lengths), weights=counts, minlength=lengths.size
        )
        small = np.minimum(counts, LARGER).astype(np.uint8)
        self.frequencies += np.bincount(small, minlength=LARGER + 1)
        block.data[:] = counts
        self.noise.add(block)

    def finish(self, names: np.ndarray, obs: pd.DataFrame | None = None) -> dict[str, Any]:
        """Judge the matrix and return the facts that the user confirms, ``text`` among them.

        Parameters
        ----------
        names
            Names of the cells.
        obs
            Their table: batches on other scales and totals corrected by SCTransform are named by
            it; None: there is none.

        Raises
        ------
        CountsNotFound
            If too many cells cannot be recovered or may hide a common factor, or if the counts
            contradict what counts are.
        """
        obs = pd.DataFrame(index=names) if obs is None else obs
        n_filled = self._n_filled()
        self._check_scales(obs)
        reasons = {why: np.flatnonzero(self.status == why) for why in LEFT_OUT}
        assumed = np.flatnonzero(self._may_hide_factor())
        n_out = sum(cells.size for cells in reasons.values())
        self._check_shares({why: cells.size for why, cells in reasons.items()}, assumed.size)
        self._check_sums(obs)
        self._check_units()
        self.noise.check(self.name)
        target, target_words = self._describe_target()
        facts: dict[str, Any] = {
            "matrix": self.name,
            "base": self.scale.base,
            "decimals": self.scale.decimals,
            "target": target,
            "largest_error": self.largest_error,
            "n_recovered": n_filled - n_out,
            "n_left_out": n_out,
            "left_out": [
                {"why": LEFT_OUT[why], "n": int(cells.size), "cells": _some(names, cells)}
                for why, cells in reasons.items()
                if cells.size
            ],
            "n_assumed": int(assumed.size),
            "assumed": _some(names, assumed),
            "totals_column": self.totals.name if self.totals and self.target else None,
        }
        return {**facts, "text": _sentence(facts, target_words)}

    def _check_shares(self, n_by_reason: dict[int, int], n_assumed: int) -> None:
        """Refuse where too many cells cannot be recovered, or may hide a common factor."""
        n_filled = self._n_filled()
        n_out = sum(n_by_reason.values())
        if n_out > config.RECOVERY_LEFT_OUT * n_filled:
            why = LEFT_OUT[max(n_by_reason, key=n_by_reason.__getitem__)]
            raise self._refusal(f"{n_out:,} of {n_filled:,} cells cannot be recovered: {why}")
        if n_assumed > config.RECOVERY_ASSUMED * n_filled:
            raise self._refusal(
                f"in {n_assumed:,} of {n_filled:,} cells a common factor of all counts cannot "
                "be excluded"
            )

    def _n_filled(self) -> int:
        """Return how many cells have counts; at least 1, for shares."""
        return max(1, int((self.status != recovery.EMPTY).sum()))

    def _may_hide_factor(self) -> np.ndarray:
        """Return the cells whose counts may all have been a multiple of what was recovered.

        Nothing in a normalized cell tells 2, 4, 6 from 1, 2, 3. What speaks against it is how
        seldom that many counts share a factor; the share of multiples is taken from all cells.
        """
        n_counts = max(1, int(self.frequencies[1:].sum()))
        # what is too large to be counted apart counts as a multiple of everything: the safe side
        multiples = [
            self.frequencies[prime:LARGER:prime].sum() + self.frequencies[LARGER]
            for prime in PRIMES
        ]
        share = np.array(multiples) / n_counts
        chance = np.power(share[None, :], self.lengths[:, None]).sum(axis=1)
        proven = self.status == recovery.PROVEN
        return proven & ~self.settled & (chance > config.RECOVERY_FACTOR)

    def _check_scales(self, obs: pd.DataFrame) -> None:
        """Refuse where some batches hold counts already, and those that do are known."""
        out = (self.status != recovery.PROVEN) & (self.status != recovery.EMPTY)
        words = other_scale(out & self.is_whole, (self.status == recovery.PROVEN), obs)
        if words and (self.is_whole[out]).mean() > 1 - ONE_SCALE:
            raise CountsNotFound(f"{self.name} {words}.", HINT)

    def _check_sums(self, obs: pd.DataFrame) -> None:
        if self.totals is None:
            return
        if "SCT" in (against := contradiction(self.sums, obs)):
            raise self._refusal(against)
        some = self.sums > 0
        above = self.sums[some] > self.totals.values[some] * (1 + config.RECOVERY_TOTALS)
        if above.mean() > config.RECOVERY_LEFT_OUT:
            raise self._refusal(
                f"the counts of {int(above.sum()):,} cells would add up to more than the column "
                f"{self.totals.name} says, as averages over cells do"
            )

    def _shared_unit(self) -> float | None:
        """Return the unit that most cells share, or None: 1 in log(1 + counts) without scaling."""
        units = self.unit[(self.status == recovery.PROVEN) & (self.sums > 0)]
        middle = float(np.median(units))
        return middle if np.mean(np.abs(units - middle) <= SAME * middle) > 1 / 2 else None

    def _check_units(self) -> None:
        """Refuse values that are whole multiples of one unit in all cells, as averages are."""
        unit = self._shared_unit()
        if unit is None or abs(unit - 1) <= SAME:
            return
        some = (self.status == recovery.PROVEN) & (self.sums > 0)
        one_total = np.mean(self.sums[some] == np.median(self.sums[some])) > 1 / 2
        one_length = np.mean(self.lengths[some] == np.median(self.lengths[some])) > 1 / 2
        if one_length or not one_total:  # not what scaling cells of one depth gives
            raise self._refusal(f"most cells share the unit {unit:.4g}, as averages of cells do")

    def _describe_target(self) -> tuple[float | None, str]:
        unit = self._shared_unit()
        if unit is not None and abs(unit - 1) <= SAME:
            return None, "not scaled"
        some = (self.status == recovery.PROVEN) & (self.sums > 0)
        totals = self.sums[some] * self.unit[some]
        middle = float(np.median(totals))
        if np.mean(np.abs(totals - middle) <= SAME * middle) > 1 - config.RECOVERY_LEFT_OUT:
            return _neat(middle), f"target {middle:,.6g}"
        if self.target is not None:
            return _neat(self.target), f"target {self.target:,.6g}"
        return None, "target not known, genes were taken out afterwards"

    def _refusal(self, why: str) -> CountsNotFound:
        return CountsNotFound(
            f"The counts behind {self.name} cannot be recovered exactly: {why}.", HINT
        )


def _neat(target: float) -> float:
    return float(f"{target:.6g}")


def _some(names: np.ndarray, cells: np.ndarray) -> list[str]:
    return [str(name) for name in names[cells[:NAMED]]]


def _sentence(facts: dict[str, Any], target_words: str) -> str:
    linear = facts["base"] == LINEAR
    parts = [] if linear else [f"base {facts['base']}"]
    parts.append(target_words)
    if facts["decimals"] is not None:
        parts.append(f"rounded to {facts['decimals']} decimals")
    kind = "normalized" if linear else "log-normalized"
    text = (
        f"Counts recovered from {kind} {facts['matrix']}: {', '.join(parts)}; "
        f"exact for {count(facts['n_recovered'], 'cell')}; largest error "
        f"{facts['largest_error']:.0e}"
    )
    for item in facts["left_out"]:
        text += f"; {count(item['n'], 'cell')} left out because {item['why']}"
    if facts["n_assumed"]:
        text += (
            f"; in {count(facts['n_assumed'], 'cell')} (for example {facts['assumed'][0]}) a "
            "factor common to all counts cannot be excluded, the smallest counts are used"
        )
    if facts["totals_column"]:
        text += f"; the totals in {facts['totals_column']} agree"
    return text + "."
