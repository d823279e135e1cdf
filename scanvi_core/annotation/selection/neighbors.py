"""The nearest cells of some cells, without a graph of all: for selections that grow."""

from typing import Any

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

EXACT_CELLS = 20_000
PROBES = 24  # lists that are searched for each cell
BLOCK_CELLS = 4_096


class Neighbors:
    """Nearest cells by Euclidean distance; a cell is its own neighbor.

    Up to `EXACT_CELLS` cells every distance is worked out. Beyond, each cell belongs to the
    nearest of sqrt(n) cells drawn at random, and is sought in the 24 lists nearest to its own:
    an inverted file (Jégou et al. 2011, doi:10.1109/TPAMI.2010.57, without its codes).

    Parameters
    ----------
    z
        Cells [n, d] in a space where near means similar; one with a value that is not finite is
        nobody's neighbor.
    k
        Neighbors per cell.
    seed
        Start of the draw; equal inputs give equal neighbors.
    """

    def __init__(self, z: npt.NDArray[Any], k: int = 15, seed: int = 0) -> None:
        self._z = np.ascontiguousarray(z, dtype=np.float32)
        self._squares = np.einsum("nd,nd->n", self._z, self._z)
        self._k = min(k + 1, len(z))
        self._finite = np.isfinite(self._squares)
        usable, n = np.flatnonzero(self._finite), len(self._z)
        m = 1 if n <= EXACT_CELLS else round(n**0.5)
        drawn = np.sort(np.random.default_rng(seed).permutation(usable)[:m])
        m = len(drawn)
        middles = self._z[drawn]
        self._owner = np.concatenate(
            [
                self._distances(slice(at, at + BLOCK_CELLS), middles, self._squares[drawn]).argmin(
                    axis=1
                )
                for at in range(0, n, BLOCK_CELLS)
            ]
        )
        self._order = np.argsort(self._owner, kind="stable")
        self._starts = np.searchsorted(self._owner[self._order], np.arange(m + 1))
        near = self._squares[drawn] - 2 * middles @ middles.T
        self._lists = np.argsort(near, axis=1)[:, :PROBES]

    def of(self, rows: Rows) -> Rows:
        """Return the nearest cells of any of `rows`, each once, in order."""
        rows = rows[self._finite[rows]]
        if not rows.size:
            return rows
        rows = rows[np.argsort(self._owner[rows], kind="stable")]
        owners, starts = np.unique(self._owner[rows], return_index=True)
        is_near = np.zeros(len(self._z), dtype=bool)
        for owner, own in zip(owners, np.split(rows, starts[1:]), strict=True):
            parts = [
                self._order[self._starts[at] : self._starts[at + 1]] for at in self._lists[owner]
            ]
            among = np.concatenate(parts)
            points, squares = self._z[among], self._squares[among]
            for at in range(0, len(own), BLOCK_CELLS // 16):
                far = self._distances(own[at : at + BLOCK_CELLS // 16], points, squares)
                k = min(self._k, len(among))
                is_near[among[np.argpartition(far, k - 1, axis=1)[:, :k]]] = True
        return np.flatnonzero(is_near & self._finite)

    def grown(self, mask: npt.NDArray[np.bool_], steps: int) -> npt.NDArray[np.bool_]:
        """Return the cells of `mask` and their neighbors, theirs, and so on, `steps` times."""
        grown = mask.copy()
        rim = np.flatnonzero(mask)
        for _ in range(steps):
            if not rim.size:
                break
            near = self.of(rim)
            rim = near[~grown[near]]
            grown[rim] = True
        return grown

    def _distances(self, rows: Any, points: Floats, squares: Floats) -> Floats:
        """Return squared distances, less what is the same for all `points` of a row."""
        return np.asarray(squares - 2 * (self._z[rows] @ points.T), dtype=np.float32)
