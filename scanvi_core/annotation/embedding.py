"""The flat map of cells: UMAP, one run at a time."""

import threading
import time
import warnings

import numpy as np

from scanvi_core.config import UMAP_NEIGHBORS

MIN_UMAP_CELLS = 15
LAYOUT_CELLS = 10_000  # laid out in about a quarter of a minute on one core
PLACING_NEIGHBORS = 3
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
    n_neighbors: int = UMAP_NEIGHBORS,
    init: np.ndarray | None = None,
    n_epochs: int = N_EPOCHS,
) -> np.ndarray:
    """Lay out cells in two dimensions (McInnes et al. 2018).

    The same `z` and `seed` give the same map. Below 15 cells the first two principal components
    are returned. Beyond `LAYOUT_CELLS` cells a sample is laid out, and each other cell is put at
    the mean place of its nearest neighbours in the sample, which keeps the time in bounds.

    Parameters
    ----------
    z
        Cell states [n, d]; a row with a NaN gets NaN coordinates.
    seed
        Start of the random draws.
    n_neighbors
        Neighbours per cell; fewer where there are fewer cells.
    init
        Starting coordinates [n, 2], for instance of the map before, so that cells stay where the
        user knows them; rows with a NaN start at the centre.
    n_epochs
        Rounds of the layout; `FAST_EPOCHS` suits a preview.

    Returns
    -------
    Coordinates [n, 2], float32.
    """
    coordinates = np.full((len(z), 2), np.nan, dtype=np.float32)
    known = ~np.isnan(z).any(axis=1)
    cells = np.ascontiguousarray(z[known], dtype=np.float32)
    if len(cells) < MIN_UMAP_CELLS:
        coordinates[known] = _principal_components(cells)
        return coordinates
    start: np.ndarray | str = "spectral"
    if init is not None:
        start = _scaled(np.asarray(init, dtype=np.float32)[known])
    drawn = np.arange(len(cells))
    if len(cells) > LAYOUT_CELLS:
        drawn = np.sort(np.random.default_rng(seed).permutation(len(cells))[:LAYOUT_CELLS])
        start = start if isinstance(start, str) else start[drawn]
    layout = _run(cells[drawn], seed, min(n_neighbors, len(drawn) - 1), start, n_epochs)
    coordinates[known] = _placed(cells, drawn, layout)
    return coordinates


def _placed(cells: np.ndarray, drawn: np.ndarray, layout: np.ndarray) -> np.ndarray:
    """Return places of all cells [n, 2]: drawn ones keep theirs, others join their neighbours."""
    if len(drawn) == len(cells):
        return layout
    others = np.setdiff1d(np.arange(len(cells)), drawn)
    _, nearest = _nearest(cells[drawn], cells[others], PLACING_NEIGHBORS)
    places = np.empty((len(cells), 2), dtype=np.float32)
    places[drawn] = layout
    places[others] = layout[nearest].mean(axis=1)
    return places


def _nearest(cells: np.ndarray, of: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return distances and positions [n, k] of the exact nearest `cells`."""
    from sklearn.neighbors import NearestNeighbors

    return NearestNeighbors(n_neighbors=k, algorithm="brute").fit(cells).kneighbors(of)


def quick_map(z: np.ndarray, *, init: np.ndarray | None = None) -> np.ndarray:
    """Lay out cells [n, d] in a hurry, from the picture before where there is one; [n, 2].

    As long as UMAP is not compiled, these are the first two principal components: training must
    not wait for a compiler.
    """
    if not _compiled.is_set():
        return _principal_components(np.ascontiguousarray(z, dtype=np.float32))
    return umap_of(z, seed=0, init=init, n_epochs=FAST_EPOCHS if init is None else NEXT_EPOCHS)


def warm_up() -> float:
    """Compile UMAP on 50 random points, which takes about 20 s once; return the seconds."""
    started = time.monotonic()
    points = np.random.default_rng(0).normal(size=(50, 5)).astype(np.float32)
    umap_of(points, seed=0, n_epochs=FAST_EPOCHS)
    _compiled.set()
    return time.monotonic() - started


def _run(
    cells: np.ndarray, seed: int, n_neighbors: int, init: np.ndarray | str, n_epochs: int
) -> np.ndarray:
    with _lock, warnings.catch_warnings():
        from umap import UMAP

        # a seed costs UMAP its threads, and it says so each time: the same map is worth it
        warnings.filterwarnings("ignore", message="n_jobs value", category=UserWarning)
        warnings.filterwarnings("ignore", message="precomputed_knn", category=UserWarning)
        warnings.filterwarnings("ignore", message="Spectral initialisation failed")
        # exact neighbours come sooner than UMAP's own search is compiled
        distances, positions = _nearest(cells, cells, n_neighbors)
        return UMAP(
            precomputed_knn=(positions, distances.astype(np.float32), None),
            n_neighbors=n_neighbors,
            min_dist=0.3,
            init=init,
            n_epochs=n_epochs,
            random_state=seed,
            n_jobs=1,
        ).fit_transform(cells)


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
