"""Turn the chosen matrix into counts: sorted, summed, recovered where it is normalized."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from scanvi_core import keys
from scanvi_core.data.blocks.hdf5 import MatrixSource, read_counts
from scanvi_core.data.blocks.write import csr_blocks, regrouped
from scanvi_core.data.counts.choose import MatrixReport
from scanvi_core.data.counts.evidence import contradiction
from scanvi_core.data.counts.recovery_proof import Recovery, Totals
from scanvi_core.data.repairs import summary_rows
from scanvi_core.plurals import count

BLOCK_VALUES = 4_000_000


def converted_blocks(
    source: MatrixSource, converter: "CountsConverter"
) -> Iterator[sp.csr_matrix]:
    """Yield a matrix as counts: tidy blocks of whole rows, in order.

    A matrix stored by columns is held in memory for that.
    """
    for block in regrouped(_blocks(source, converter.report), BLOCK_VALUES):
        converter.convert(block)
        block.eliminate_zeros()
        yield block


def _blocks(source: MatrixSource, report: MatrixReport) -> Iterator[sp.csr_matrix]:
    if source.stored == "csc":
        yield read_counts(source, report.n_values)
    else:
        yield from csr_blocks(source)


@dataclass(slots=True)
class CountsConverter:
    """Turns a matrix into counts block by block; every block has whole rows, in order.

    Attributes
    ----------
    report
        What :func:`~scanvi_core.data.counts.choose.judge` found in the matrix.
    obs
        Table of cells; a column of totals in it settles what normalized values leave open.
    genes
        Names of the genes.
    """

    report: MatrixReport
    obs: pd.DataFrame
    genes: np.ndarray
    n_values: int = 0
    n_rounded: int = 0
    first: int = 0
    recovery: Recovery | None = field(init=False, default=None)
    summaries: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.summaries = summary_rows(self.genes)
        if self.report.scale is not None:
            n_obs = self.report.shape[0]
            self.recovery = Recovery(
                self.report.name, self.report.scale, n_obs, totals_of(self.obs)
            )

    def convert(self, block: sp.csr_matrix) -> None:
        """Change the values of the next block in place; some become zero, none is taken out.

        Raises
        ------
        CountsNotFound
            If a value cannot come from counts.
        """
        self.n_values += block.nnz
        if self.report.rounded:
            whole = np.rint(block.data)
            self.n_rounded += int(np.count_nonzero(whole != block.data))
            block.data[:] = whole
        if self.recovery is not None:
            self.recovery.feed(block, self.first)
        if self.summaries.any():
            block.data[self.summaries[block.indices]] = 0
        self.first += block.shape[0]

    def finish(self) -> tuple[list[str], dict[str, Any] | None]:
        """Return notices, and the facts about recovered counts or None.

        Raises
        ------
        CountsNotFound
            If the matrix as a whole does not stand the proof.
        """
        notes = self._about_storage()
        if self.report.rounded:
            share = self.n_rounded / max(1, self.n_values)
            notes.append(
                f"{self.report.name}: {self.n_rounded:,} of {self.n_values:,} values "
                f"({share:.1%}) were rounded to whole numbers, as you agreed."
            )
        if (n := int(self.summaries.sum())) > 0:
            named = ", ".join(self.genes[self.summaries][:3])
            notes.append(
                f"{count(n, 'gene')} called {named}{'...' if n > 3 else ''}: summaries of "
                "read counting, no genes. Their values are not used."
            )
        if self.recovery is None:
            return notes, None
        facts = self.recovery.finish(self.obs.index.to_numpy(dtype=object), self.obs)
        if against := contradiction(self.recovery.sums, self.obs):
            notes.append(f"The counts recovered from {self.report.name}: {against}.")
        return [facts["text"], *notes], facts

    def _about_storage(self) -> list[str]:
        notes, name = [], self.report.name
        if self.report.n_unsorted:
            notes.append(
                f"{name}: {count(self.report.n_unsorted, 'value')} stored out of order; sorted "
                "here."
            )
        zeros = self.report.n_zeros
        twice = 0 if zeros is None else self.report.n_values - zeros - self.n_values
        if twice > 0:
            notes.append(
                f"{name}: {count(twice, 'value')} stored twice for the same cell and gene; "
                "added up here."
            )
        return notes


def totals_of(obs: pd.DataFrame) -> Totals | None:
    """Return the column that may hold the counts per cell before normalization, or None.

    Whole numbers under a usual name, not the same in all cells.
    """
    usual = {name.casefold(): name for name in reversed(obs.columns)}
    for name in keys.TOTAL_COLUMNS:
        if name not in usual or obs[usual[name]].dtype.kind not in "iuf":
            continue
        values = obs[usual[name]].to_numpy(dtype=np.float64)
        whole = np.isfinite(values).all() and (values == np.rint(values)).all()
        if whole and values.min() >= 0 and np.unique(values).size > 1:
            return Totals(usual[name], values)
    return None
