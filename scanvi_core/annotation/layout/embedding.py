"""The flat map of cells: UMAP, one run at a time."""

import threading
import time
import warnings
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from scanvi_core.annotation.layout.thinning import first_of_each, in_turn
from scanvi_core.config import UMAP_NEIGHBORS

if TYPE_CHECKING:
    from sklearn.neighbors import NearestNeighbors

MIN_UMAP_CELLS = 15
LAYOUT_CELLS = 10_000  # laid out in about a quarter of a minute on one core
FEWEST = 100  # cells of a stratum in the sample that is laid out, where it has as many
PLACING_NEIGHBORS = 3
BLOCK_CELLS = 50_000  # placed at a time
N_EPOCHS = 200  # UMAP's own 500 for small data take three times as long for the same picture
FAST_EPOCHS = 100  # for the map drawn during training
NEXT_EPOCHS = 30  # for the next such map, which starts from the one before
# numba's default threading layer aborts the whole process when two threads enter it at once
_lock = threading.Lock()
_compiled = threading.Event()


def umap_of(
    z: np.ndarray,
    *,
    seed: int,
    init: np.ndarray | None = None,
    n_epochs: int = N_EPOCHS,
    strata: np.ndarray | None = None,
    keep: np.ndarray | None = None,
) -> np.ndarray:
    """Lay out cells in two dimensions (McInnes et al. 2018).

    The same arguments give the same map. Below 15 cells the first two principal components are
    returned. Beyond `LAYOUT_CELLS` cells a sample is laid out, and each other cell is put at the
    mean place of its nearest neighbors in the sample, which keeps the time in bounds.

    Parameters
    ----------
    z
        Cell states [n, d]; a row with a NaN gets NaN coordinates.
    seed
        Start of the random draws.
    init
        Coordinates of the map before [n, 2], from which the layout starts and onto which it is
        turned, moved and scaled as a whole, so that cells stay where the user knows them; rows
        with a NaN start at the center.
    n_epochs
        Rounds of the layout; `FAST_EPOCHS` suits a preview.
    strata, keep
        Who is in the sample, see `sample`.

    Returns
    -------
    Coordinates [n, 2], float32.
    """
    coordinates = np.full((len(z), 2), np.nan, dtype=np.float32)
    rows = np.flatnonzero(_known(z))
    if len(rows) < MIN_UMAP_CELLS:
        coordinates[rows] = _principal_components(np.asarray(z[rows], dtype=np.float32))
        return coordinates
    drawn = rows
    if len(rows) > LAYOUT_CELLS:
        groups = np.zeros(len(z), dtype=np.int64) if strata is None else strata
        first = np.zeros(len(z), dtype=bool) if keep is None else keep
        drawn = rows[sample(groups[rows], LAYOUT_CELLS, seed, first[rows])]
    cells = np.ascontiguousarray(z[drawn], dtype=np.float32)
    before = None if init is None else np.asarray(init[drawn], dtype=np.float32)
    layout = _run(cells, seed, "spectral" if before is None else _scaled(before), n_epochs)
    if before is not None:
        layout = _onto(layout, before)
    coordinates[drawn] = layout
    _place_others(coordinates, z, rows, cells, drawn)
    return coordinates


def _known(z: np.ndarray) -> np.ndarray:
    """Tell which rows [n] have no NaN, a block at a time."""
    known = np.empty(len(z), dtype=bool)
    for start in range(0, len(z), BLOCK_CELLS):
        block = slice(start, start + BLOCK_CELLS)
        known[block] = ~np.isnan(z[block]).any(axis=1)
    return known


def sample(strata: np.ndarray, n: int, seed: int, keep: np.ndarray) -> np.ndarray:
    """Return the positions of `n` cells that stand for all, sorted.

    Cells in `keep` come first, for up to half of the places. The others are shared among the
    strata in proportion to their cells, but a rare stratum has `FEWEST` cells or all it has (less
    where the strata are so many that this would take more than half of the places).

    Parameters
    ----------
    strata
        Small integers [cells], such as types: each value is a stratum.
    n
        How many; not more than there are cells.
    seed
        Start of the draw: each cell draws one lot, so samples for other strata overlap much.
    keep
        Cells that matter, such as doubtful ones [cells].
    """
    turn = in_turn(len(strata), seed)
    matter = turn[keep[turn]][: n // 2]
    free = np.ones(len(strata), dtype=bool)
    free[matter] = False
    turn = turn[free[turn]]
    codes = strata[turn] - strata.min()
    codes = codes.astype(np.min_scalar_type(int(codes.max())))
    sizes = np.bincount(codes)
    quota = np.zeros_like(sizes)
    quota[sizes > 0] = _quotas(sizes[sizes > 0], n - len(matter))
    return np.sort(np.r_[matter, first_of_each(turn, codes, quota)])


def _quotas(sizes: np.ndarray, places: int) -> np.ndarray:
    """Return how many of `places` each stratum gets by its size."""
    least = np.minimum(sizes, min(FEWEST, places // (2 * len(sizes))))
    share = (places - least.sum()) * (sizes - least) / max(1, (sizes - least).sum())
    quota = least + share.astype(np.int64)
    quota[np.argsort(quota - least - share, kind="stable")[: places - quota.sum()]] += 1
    return quota


def _onto(layout: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Turn, scale and move a layout [n, 2] as a whole to lie nearest to the one before.

    Orthogonal Procrustes (Schönemann 1966, doi:10.1007/BF02289451) without reflection, which
    UMAP's steps cannot bring about. UMAP itself keeps neither the size nor the place of its start.
    """
    known = np.isfinite(before).all(axis=1)
    if not known.any():
        return layout
    old, new = before[known].astype(np.float64), layout[known].astype(np.float64)
    middle_old, middle_new = old.mean(axis=0), new.mean(axis=0)
    left, size, right = np.linalg.svd((new - middle_new).T @ (old - middle_old))
    sign = np.array([1.0, np.sign(np.linalg.det(left @ right))])
    scale = (size * sign).sum() / max(float(((new - middle_new) ** 2).sum()), 1e-12)
    if not scale > 0:  # all at one place: nothing to hold on to
        return layout
    turned = (layout - middle_new) @ (left * sign) @ right
    return (scale * turned + middle_old).astype(np.float32)


def _place_others(
    coordinates: np.ndarray, z: np.ndarray, rows: np.ndarray, cells: np.ndarray, drawn: np.ndarray
) -> None:
    """Put those of `rows` that are not laid out at the mean place of their nearest in `cells`.

    In blocks: neither the states of all cells nor their distances are held at once. UMAP's own
    transform takes eight times as long and keeps fewer neighbors (``benchmarks/speed/views.py``).
    """
    waiting = np.zeros(len(z), dtype=bool)
    waiting[rows] = True
    waiting[drawn] = False
    others = np.flatnonzero(waiting)
    index = _index(cells, PLACING_NEIGHBORS)
    for start in range(0, len(others), BLOCK_CELLS):
        block = others[start : start + BLOCK_CELLS]
        states = np.ascontiguousarray(z[block], dtype=np.float32)
        nearest = index.kneighbors(states, return_distance=False)
        coordinates[block] = coordinates[drawn[nearest]].mean(axis=1)


def _index(cells: np.ndarray, k: int) -> "NearestNeighbors":
    """Return an index of the exact `k` nearest `cells`."""
    from sklearn.neighbors import NearestNeighbors

    return NearestNeighbors(n_neighbors=k, algorithm="brute").fit(cells)


def quick_map(z: np.ndarray, *, init: np.ndarray | None = None) -> np.ndarray:
    """Lay out cells [n, d] in a hurry, from the picture before where there is one; [n, 2].

    As long as UMAP is not compiled, these are the first two principal components: training must
    not wait for a compiler.
    """
    if not _compiled.is_set():
        return _principal_components(np.ascontiguousarray(z, dtype=np.float32))
    return umap_of(z, seed=0, init=init, n_epochs=FAST_EPOCHS if init is None else NEXT_EPOCHS)


def warm_up() -> float:
    """Load UMAP and compile it, on 50 random points; return the seconds.

    About 20 s the first time; numba keeps most of it on the disk for the next start.
    """
    started = time.monotonic()
    points = np.random.default_rng(0).normal(size=(50, 5)).astype(np.float32)
    umap_of(points, seed=0, n_epochs=FAST_EPOCHS)
    _compiled.set()
    return time.monotonic() - started


def _run(cells: np.ndarray, seed: int, init: np.ndarray | str, n_epochs: int) -> np.ndarray:
    n_neighbors = min(UMAP_NEIGHBORS, len(cells) - 1)
    with _lock, warnings.catch_warnings():
        from umap import UMAP

        _keep_compiled()
        # a seed costs UMAP its threads, and it says so each time: the same map is worth it
        warnings.filterwarnings("ignore", message="n_jobs value", category=UserWarning)
        warnings.filterwarnings("ignore", message="precomputed_knn", category=UserWarning)
        warnings.filterwarnings("ignore", message="Spectral initialization failed")
        # exact neighbors come sooner than UMAP's own search is compiled
        distances, positions = _index(cells, n_neighbors).kneighbors(cells)
        return UMAP(
            precomputed_knn=(positions, distances.astype(np.float32), None),
            n_neighbors=n_neighbors,
            min_dist=0.3,
            init=init,
            n_epochs=n_epochs,
            random_state=seed,
            n_jobs=1,
        ).fit_transform(cells)


@cache
def _keep_compiled() -> None:
    """Let numba keep the machine code of what takes it ten seconds, as UMAP does for the rest."""
    from umap import umap_

    for function in (umap_.smooth_knn_dist, umap_.compute_membership_strengths):
        function.enable_caching()


def _scaled(start: np.ndarray) -> np.ndarray:
    """Bring starting coordinates to the range 0 to 10 that UMAP starts from."""
    low, high = np.nanmin(start, axis=0), np.nanmax(start, axis=0)
    return np.where(np.isnan(start), 5.0, 10.0 * (start - low) / np.maximum(high - low, 1e-6))


def _principal_components(cells: np.ndarray) -> np.ndarray:
    """Return the first two principal components [n, 2], zero where there are fewer."""
    flat = np.zeros((len(cells), 2), dtype=np.float32)
    if len(cells) > 1:
        left, size, _ = np.linalg.svd(cells - cells.mean(axis=0), full_matrices=False)
        scores = left[:, :2] * size[:2]
        flat[:, : scores.shape[1]] = scores
    return flat
