"""What a map of cells keeps (types apart) and mixes (batches), by scikit-learn's measures.

Both widths are those of Luecken et al. 2022 (doi:10.1038/s41592-021-01336-8), on a scale from 0
to 1; 1 is best in every score.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Latent = npt.NDArray[np.floating]
Codes = npt.NDArray[np.integer]

N_NEIGHBORS = 15
MIN_CELLS = 10  # of a type, before the mixing of its batches is measured
NAN = float("nan")


class Conservation(NamedTuple):
    """How far types lie apart; NaN with one type.

    `width` is the silhouette of the types, (s + 1) / 2: at 0.5 they overlap. `neighbors` is the
    share of a cell's 15 nearest neighbors that are of its type, mean over the types; for a type
    with fewer other cells, that of so many neighbors, so that 1 can always be reached.
    """

    width: float
    neighbors: float


class Mixing(NamedTuple):
    """How well batches are mixed within the types; NaN with one batch.

    `width` is 1 - |silhouette of the batches|, mean over the types. `neighbors` is how many of a
    cell's nearest neighbors within its type come from other batches, over how many would by
    chance (at most 1), mean over the types.
    """

    width: float
    neighbors: float


def conservation(latent: Latent, types: Codes) -> Conservation:
    """Measure how far types lie apart.

    Parameters
    ----------
    latent
        Cells in the space [n, d].
    types
        Type of each cell [n].
    """
    from sklearn.metrics import silhouette_score

    present = np.unique(types)
    if not 1 < present.size < len(types):
        return Conservation(NAN, NAN)
    same = types[_neighbors(latent)] == types[:, None]
    others = {code: int((types == code).sum()) - 1 for code in present}
    purity = [float(same[types == code, :n].mean()) for code, n in others.items() if n]
    return Conservation(float((silhouette_score(latent, types) + 1) / 2), _mean(purity))


def mixing(latent: Latent, types: Codes, batches: Codes) -> Mixing:
    """Measure how well batches are mixed within the types.

    Parameters
    ----------
    latent
        Cells in the space [n, d].
    types, batches
        Type and batch of each cell [n]; a negative type leaves the cell out.
    """
    inside = [types == code for code in np.unique(types[types >= 0])]
    usable = [
        (latent[cells], batches[cells])
        for cells in inside
        if cells.sum() >= MIN_CELLS and 1 < np.unique(batches[cells]).size < cells.sum()
    ]
    return Mixing(
        _mean([_overlap(*of_type) for of_type in usable]),
        _mean([_mixed_neighbors(*of_type) for of_type in usable]),
    )


def _overlap(latent: Latent, batches: Codes) -> float:
    from sklearn.metrics import silhouette_samples

    return float((1 - np.abs(silhouette_samples(latent, batches))).mean())


def _mixed_neighbors(latent: Latent, batches: Codes) -> float:
    other = (batches[_neighbors(latent)] != batches[:, None]).mean(axis=1)
    n, sizes = len(batches), np.bincount(batches)[batches]
    return float(min(1.0, other.mean() / ((n - sizes) / (n - 1)).mean()))


def _neighbors(latent: Latent) -> npt.NDArray[np.int64]:
    """Return the rows of each cell's nearest neighbors, without the cell itself."""
    from sklearn.neighbors import NearestNeighbors

    k = min(N_NEIGHBORS, len(latent) - 1)
    nearest = NearestNeighbors(n_neighbors=k).fit(latent).kneighbors(return_distance=False)
    return np.asarray(nearest, dtype=np.int64)


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else NAN
