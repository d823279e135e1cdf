"""Technical reasons for doubt: too few counts, or two cells in one droplet."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from scanvi_core.annotation.model.linear_models import principal_components
from scanvi_core.data.normalization import log_normalized
from scanvi_core.data.qc import limits

PER_CELL = 1.0  # simulated doublets for each cell
MAX_SIMULATED = 20_000
RECALL = 0.82  # share of the simulated doublets that the threshold finds
MAX_DOUBLETS = 0.3  # share of the cells that may be called doublets
MIN_NEIGHBOURS = 10


@dataclass(frozen=True, slots=True, eq=False)
class DoubletCheck:
    """How much each cell looks like two; `score` [n] from 0 to 1, `flagged` [n]."""

    score: np.ndarray
    flagged: np.ndarray
    threshold: float


def low_counts(totals: np.ndarray, batch_index: np.ndarray) -> np.ndarray:
    """Return which cells have far fewer counts than their batch, bool [n]; see `qc.low_limits`.

    Parameters
    ----------
    totals
        Counts of each cell over all genes, not only those of the model [n].
    batch_index
        Batch codes [n]; batches of fewer than 20 cells are compared with all cells.
    """
    n_batch = int(batch_index.max(initial=-1)) + 1
    spread = limits.Spread.of(totals, batch_index, n_batch, upper=False, log=True)
    return totals < limits.low_limits(spread)[batch_index]


def find_doublets(
    counts: sparse.csr_array, codes: np.ndarray, random: np.random.Generator
) -> DoubletCheck:
    """Score cells by how many of their neighbours are simulated doublets.

    As Wolock et al. 2019 (10.1016/j.cels.2018.11.005): add up random pairs of cells, and look at
    the nearest neighbours of every cell in the principal components of the real cells. The score
    is the share of simulated cells among them, a cell's own simulations being as many as all. A
    cell is flagged where its score is that of the upper 82 % of the simulated doublets of two
    types, but never more than 30 % of the cells: doublets of one type cannot be told from cells.

    Parameters
    ----------
    counts
        Counts [n, genes], CSR, of whole numbers; cells without counts are not scored (0).
    codes
        Predicted types [n], -1 for none: they tell which simulated doublets are of two types.
    random
        Chooses the pairs.
    """
    full = np.flatnonzero(np.asarray(counts.sum(axis=1)).ravel() > 0)
    score, flagged = np.zeros(counts.shape[0], np.float32), np.zeros(counts.shape[0], dtype=bool)
    if len(full) < 2 * MIN_NEIGHBOURS:
        return DoubletCheck(score, flagged, 1.0)
    n_pairs = min(round(PER_CELL * len(full)), MAX_SIMULATED)
    first, second = full[random.integers(0, len(full), (2, n_pairs))]
    shares, simulated = _shares(counts[full], counts[first] + counts[second], random)
    mixed = codes[first] != codes[second]
    if not mixed.any():
        return DoubletCheck(score, flagged, 1.0)
    threshold = max(
        float(np.quantile(simulated[mixed], 1.0 - RECALL)),
        float(np.quantile(shares, 1.0 - MAX_DOUBLETS)),
    )
    score[full], flagged[full] = shares, shares >= threshold
    return DoubletCheck(score, flagged, threshold)


def _shares(
    real: sparse.csr_array, simulated: sparse.csr_array, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the share of simulated cells among the neighbours of both, corrected for numbers."""
    from sklearn.neighbors import NearestNeighbors

    logs = log_normalized(real)
    center, components = principal_components(logs, random)
    shift = center @ components
    both = [logs @ components - shift, log_normalized(simulated) @ components - shift]
    points = np.concatenate(both).astype(np.float32)
    n = len(both[0])
    ratio = len(both[1]) / n
    k = max(MIN_NEIGHBOURS, round(0.5 * np.sqrt(n) * (1.0 + ratio)))
    k = min(k, len(points) - 1)
    near = NearestNeighbors(n_neighbors=k).fit(points).kneighbors(return_distance=False)
    share = (near >= n).mean(axis=1)
    share = share / (share + ratio * (1.0 - share))  # as if there were as many of both
    return share[:n], share[n:]
