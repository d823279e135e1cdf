"""Minibatches of counts that stay in a store: a pool of blocks is held, the next read ahead."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from scanvi_core.data.collection.counts import StoredCounts
from scanvi_core.nn.sparse import Counts, SparseRows
from scanvi_core.train.sampler import BLOCK_ROWS

NO_BLOCKS = np.zeros((0, 2), dtype=np.int64)
KEPT_ROWS = 200_000  # labeled cells in memory; a run with more learns its types from so many
KEPT_OF_TYPE = 1_000  # of each type, if it has them, before its share decides


def on_device(cells: sparse.csr_array, device: torch.device) -> Counts:
    """Return counts as the networks read them: sparse on a CPU, dense on a device."""
    if device.type == "cpu":
        return SparseRows.of_csr(cells)
    dense = np.asarray(cells.toarray(), dtype=np.float32)
    return torch.from_numpy(dense).to(device)


class Held:
    """Some rows in memory."""

    def __init__(self, rows: np.ndarray, cells: sparse.csr_array) -> None:
        self.rows, self.cells = rows, cells

    def find(self, rows: np.ndarray) -> np.ndarray:
        """Return where each of `rows` is, -1 for those that are not here."""
        place = np.searchsorted(self.rows, rows)
        place[place == len(self.rows)] = -1
        if len(self.rows):
            place[self.rows[place] != rows] = -1
        return place


class StoredRows:
    """Rows of counts in a store.

    Any rows can be fetched at any time; whole blocks around those that are not in memory are read
    then. What the sampler is about to ask for is read before, in another thread, by `follow`.

    Parameters
    ----------
    counts
        The counts.
    device
        Where minibatches go.
    """

    def __init__(self, counts: StoredCounts, device: torch.device) -> None:
        self.counts, self.device = counts, device
        self.kept: Held | None = None
        self.held: list[Held] = []
        self._blocks: Callable[[int], np.ndarray] | None = None
        self._part = (0, 1)
        self._pool = NO_BLOCKS
        self._reader = ThreadPoolExecutor(1, "rows")
        self._ahead: tuple[np.ndarray, Future[Held] | None] = (NO_BLOCKS, None)

    def keep(self, rows: np.ndarray) -> None:
        """Read some rows once and keep them in memory: those that are asked for in any order."""
        rows = np.unique(rows)
        self.kept = Held(rows, self.counts[rows])

    def follow(self, blocks: Callable[[int], np.ndarray], part: tuple[int, int] = (0, 1)) -> None:
        """Read the pools of a sampler before they are needed.

        Parameters
        ----------
        blocks
            :meth:`scanvi_core.train.sampler.BlockSampler.blocks`.
        part
            Which of how many equal parts of every minibatch are fetched here.
        """
        self._blocks, self._part = blocks, part

    def fetch(self, rows: np.ndarray | Tensor) -> Counts:
        """Return the counts [len(rows), genes], float32: sparse on a CPU, dense on a device."""
        return on_device(self.take(np.asarray(rows)), self.device)

    def take(self, rows: np.ndarray) -> sparse.csr_array:
        """Return the counts [len(rows), genes], CSR, in the order of `rows`."""
        if self.kept is not None:
            place = self.kept.find(rows)
            if (place >= 0).all():
                return self.kept.cells[place]
        self._turn()
        missing = self._missing(rows)
        if len(missing):
            if self._blocks is None:
                self.held = []  # nobody says that what is here will be asked for again
                missing = rows
            self.held.append(self._read(around(missing, self.counts.shape[0])))
        return self._gather(rows)

    def _turn(self) -> None:
        """Take up the sampler's next pool when it has come to it, and read the one after it."""
        if self._blocks is None:
            return
        pool = self._own(self._blocks(0))
        if same(pool, self._pool):
            return
        self._pool = pool
        blocks, future = self._ahead
        self.held = []  # before another is read
        here = same(blocks, self._pool) and future is not None
        self.held.append(future.result() if here and future else self._read(self._pool))
        after = self._own(self._blocks(1))
        again = same(after, self._pool)  # all there is fits into one pool
        self._ahead = (after, None if again else self._reader.submit(self._read, after))

    def _own(self, blocks: np.ndarray) -> np.ndarray:
        """Return those blocks of a pool from which this part of its minibatches comes."""
        at, of = self._part
        return blocks[len(blocks) * at // of : -(-len(blocks) * (at + 1) // of)]

    def _read(self, blocks: np.ndarray) -> Held:
        rows = np.concatenate([np.arange(first, end) for first, end in blocks])
        return Held(rows, self.counts[rows])

    def _missing(self, rows: np.ndarray) -> np.ndarray:
        for held in self.held:
            rows = rows[held.find(rows) < 0]
        return rows

    def _gather(self, rows: np.ndarray) -> sparse.csr_array:
        place, pieces = np.zeros(len(rows), np.int64), list[sparse.csr_array]()
        first = 0
        for held in self.held:
            at = held.find(rows)
            here = at >= 0
            if here.all():
                return held.cells[at]
            place[here] = np.arange(first, first + here.sum())
            pieces.append(held.cells[at[here]])
            first += int(here.sum())
        return sparse.csr_array(sparse.vstack(pieces, format="csr"))[place]


def around(rows: np.ndarray, n_obs: int) -> np.ndarray:
    """Return the blocks [n, 2] that rows lie in: the first row of each, and the row after it."""
    first = np.unique(rows // BLOCK_ROWS) * BLOCK_ROWS
    return np.column_stack([first, np.minimum(first + BLOCK_ROWS, n_obs)])


def same(some: np.ndarray, others: np.ndarray) -> bool:
    """Tell whether two lists of blocks are the same."""
    return np.array_equal(some, others)


def few_enough(rows: np.ndarray, codes: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return as many labeled cells as are kept in memory: all, or a share of every type.

    Parameters
    ----------
    rows
        Row numbers of the labeled cells, ascending.
    codes
        Their label codes.
    random
        Source of the choice.
    """
    if len(rows) <= KEPT_ROWS:
        return rows
    turn = random.permutation(len(rows))
    order = np.lexsort((turn, codes))
    starts = np.searchsorted(codes[order], codes[order])
    rank = np.empty(len(rows), dtype=np.int64)
    rank[order] = np.arange(len(rows)) - starts
    chosen = np.lexsort((turn, rank >= KEPT_OF_TYPE))[:KEPT_ROWS]
    return rows[np.sort(chosen)]
