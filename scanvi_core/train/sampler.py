"""Which cells come in which minibatch; how they are fetched is the loader's business."""

from functools import lru_cache
from typing import Any

import numpy as np

BLOCK_ROWS = 512  # rows that are read in one run, at least
POOL_ROWS = 2**16  # rows held at a time, and as many are read ahead


class EpochSampler:
    """Every cell once per pass, in a new order each pass.

    The last minibatch of a pass may be short. A lone last cell joins the minibatch before it:
    batch norm has no variance to take from one cell.

    Parameters
    ----------
    n_obs
        Number of cells.
    batch_size
        Cells per minibatch.
    random
        Source of the orders.
    """

    def __init__(self, n_obs: int, batch_size: int, random: np.random.Generator) -> None:
        self.batch_size, self.random = batch_size, random
        self.order = random.permutation(n_obs)
        self.position = 0

    def take(self) -> np.ndarray:
        """Return the row numbers of the next minibatch."""
        n_obs = len(self.order)
        if self.position >= n_obs:
            self.order, self.position = self.random.permutation(n_obs), 0
        start, end = self.position, min(self.position + self.batch_size, n_obs)
        if n_obs - end == 1:
            end = n_obs
        self.position = end
        return self.order[start:end]

    def state(self) -> dict[str, Any]:
        """Return order and position, enough to go on from here."""
        return {"order": self.order.copy(), "position": self.position}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned; `ValueError` if that is of other cells."""
        order = np.asarray(state["order"])
        if not np.array_equal(np.sort(order), np.arange(len(self.order))):
            raise ValueError("the order of the cells is that of others")
        self.order, self.position = order, int(state["position"])


class BlockSampler:
    """Every cell once per pass, in an order that reads a store block by block.

    Blocks are runs of neighboring rows. Each pass deals them out anew to pools of as many blocks
    as a minibatch has cells (fewer where that would be too much to hold), and a minibatch takes
    equally many cells of every block of one pool, drawn at random within the block. So it mixes
    cells of as many places of the store as it can, and what it needs is read once, in runs.

    The rows of a minibatch are sorted: the first half of them comes from the first half of the
    pool's blocks, and so on. A process that takes one part of every minibatch therefore reads
    that part of the blocks only.

    A pass depends on `seed` and its number alone. Its last minibatch may be short; a lone last
    cell joins the one before it, as in `EpochSampler`.

    Parameters
    ----------
    n_obs
        Number of cells.
    batch_size
        Cells per minibatch.
    seed
        Start of the orders.
    """

    def __init__(self, n_obs: int, batch_size: int, seed: int) -> None:
        self.n_obs, self.batch_size, self.seed = n_obs, batch_size, seed
        self.block_rows = batch_size * -(-BLOCK_ROWS // batch_size)
        self.n_blocks = -(-n_obs // self.block_rows)
        per_pool = min(batch_size, max(1, POOL_ROWS // self.block_rows))
        # Only the last block is short, and the last pool always has it, with another: so every
        # minibatch but the last of a pass is full, and none has rows of two pools.
        self.n_pools = max(1, min(-(-self.n_blocks // per_pool), self.n_blocks // 2))
        sizes = [len(part) for part in np.array_split(np.arange(self.n_blocks), self.n_pools)]
        self.first_blocks = np.cumsum([0, *sizes])
        self.ends = np.minimum(self.first_blocks[1:] * self.block_rows, n_obs)
        self.epoch, self.position, self.pool = 0, 0, 0

    def take(self) -> np.ndarray:
        """Return the row numbers of the next minibatch, sorted."""
        if self.position >= self.n_obs:
            self.epoch, self.position = self.epoch + 1, 0
        self.pool = int(np.searchsorted(self.ends, self.position, side="right"))
        before = int(self.ends[self.pool - 1]) if self.pool else 0
        start, end = self.position, min(self.position + self.batch_size, self.n_obs)
        if self.n_obs - end == 1:
            end = self.n_obs
        self.position = end
        return np.sort(self._order(self.epoch, self.pool)[start - before : end - before])

    def blocks(self, ahead: int = 0) -> np.ndarray:
        """Return [n, 2], the first row of each block and the row after its last, in row order.

        Parameters
        ----------
        ahead
            0: the pool of the minibatch taken last; 1: the pool after it, and so on.
        """
        epochs, pool = divmod(self.pool + ahead, self.n_pools)
        return self._blocks(self.epoch + epochs, pool)

    def state(self) -> dict[str, Any]:
        """Return number of the pass and position, enough to go on from here."""
        return {"order": np.array([self.epoch]), "position": self.position}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.epoch, self.position = int(state["order"][0]), int(state["position"])

    @lru_cache(maxsize=2)  # noqa: B019  a sampler lives as long as its run
    def _order(self, epoch: int, pool: int) -> np.ndarray:
        """Return the rows of a pool: of each block a random one, again and again."""
        random = np.random.default_rng([self.seed, epoch, pool + 1])
        rows, turns = [], []
        for first, end in self._blocks(epoch, pool):
            n = end - first
            rows.append(random.permutation(np.arange(first, end)))
            # Turn i of n comes at a random time between i/n and (i + 1)/n.
            turns.append((np.arange(n) + random.random(n)) / n)
        return np.concatenate(rows)[np.argsort(np.concatenate(turns))]

    def _blocks(self, epoch: int, pool: int) -> np.ndarray:
        order = self._dealt(epoch)[self.first_blocks[pool] : self.first_blocks[pool + 1]]
        first = np.sort(order) * self.block_rows
        return np.column_stack([first, np.minimum(first + self.block_rows, self.n_obs)])

    @lru_cache(maxsize=2)  # noqa: B019
    def _dealt(self, epoch: int) -> np.ndarray:
        random = np.random.default_rng([self.seed, epoch, 0])
        return np.append(random.permutation(self.n_blocks - 1), self.n_blocks - 1)


class LabeledSampler:
    """Labeled cells without end, in minibatches of one fixed size.

    Every labeled cell comes once before any comes again; a minibatch may hold the end of one
    pass and the start of the next, so a handful of labeled cells still fills it. With `codes`
    the types come in turn instead, equally often up to one cell in any run of minibatches, and
    each type's cells are gone through, and reshuffled, on their own.

    Parameters
    ----------
    rows
        Row numbers of the labeled cells, at least one, none twice.
    batch_size
        Cells per minibatch.
    random
        Source of the orders.
    codes
        Label code of each of `rows`, to balance by; cells known only as a group count as one more
        type. None: each cell as often as any other.
    """

    def __init__(
        self,
        rows: np.ndarray,
        batch_size: int,
        random: np.random.Generator,
        codes: np.ndarray | None = None,
    ) -> None:
        self.batch_size, self.random = batch_size, random
        self.kinds = [rows] if codes is None else [rows[codes == c] for c in np.unique(codes)]
        self.queues = [rows[:0] for _ in self.kinds]
        self.turn = 0

    def take(self) -> np.ndarray:
        """Return the row numbers of the next minibatch, always `batch_size` of them."""
        n_kinds = len(self.kinds)
        turns = (self.turn + np.arange(self.batch_size)) % n_kinds
        self.turn = (self.turn + self.batch_size) % n_kinds
        sizes = np.bincount(turns, minlength=n_kinds)
        return np.concatenate([self._take_of(kind, size) for kind, size in enumerate(sizes)])

    def _take_of(self, kind: int, size: int) -> np.ndarray:
        queue = self.queues[kind]
        while len(queue) < size:
            queue = np.concatenate([queue, self.random.permutation(self.kinds[kind])])
        self.queues[kind] = queue[size:]
        return queue[:size]

    def state(self) -> dict[str, Any]:
        """Return the cells that wait and whose turn it is, enough to go on from here."""
        return {"order": np.concatenate(self.queues), "position": self.turn}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        order = np.asarray(state["order"])
        self.queues = [order[np.isin(order, rows)] for rows in self.kinds]
        self.turn = int(state["position"])


def choose_validation(
    y: np.ndarray, n_labels: int, fraction: float, random: np.random.Generator
) -> np.ndarray:
    """Choose the labeled cells that are watched instead of trained on.

    Only types with at least 10 labeled cells give some; each gives `fraction` of its cells,
    one at least. Fewer than 15 such cells say too little to choose an epoch or a temperature by,
    so that none are taken and every label is trained on. The same `random` and number of cells
    choose nearly the same cells after labels have changed: a model that goes on from an earlier
    one is not judged by cells that one has learned.

    Parameters
    ----------
    y
        Label codes [n]; below 0 or from `n_labels` on (known only as a group) are never chosen.
    n_labels
        Number of types.
    fraction
        Share of each type, 0 to 0.5.
    random
        Source of the choice.

    Returns
    -------
    Mask of the chosen cells [n].
    """
    chosen = np.zeros(len(y), dtype=bool)
    if fraction <= 0:
        return chosen
    turn = random.permutation(len(y))
    for label in range(n_labels):
        rows = np.flatnonzero(y == label)
        if len(rows) >= MIN_TYPE_CELLS:
            first = rows[np.argsort(turn[rows])]
            chosen[first[: max(1, round(fraction * len(rows)))]] = True
    return chosen if chosen.sum() >= MIN_VALIDATION_CELLS else np.zeros_like(chosen)


MIN_TYPE_CELLS = 10
MIN_VALIDATION_CELLS = 15
