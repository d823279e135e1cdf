"""Which cells a map draws when they are too many to draw them all."""

from dataclasses import dataclass

import numpy as np

from scanvi_core import config
from scanvi_core.services.explore import maps
from scanvi_core.services.runs import results
from scanvi_core.services.workspace import Workspace

LABELS = "labels_key"  # of the settings: the column of the file that holds labels


@dataclass(frozen=True, eq=False)
class Drawn:
    """The cells of a map that are drawn.

    Attributes
    ----------
    rows
        Their positions, sorted.
    n_placed
        Cells that have a place on the map, drawn or not.
    n_unsure, n_unsure_drawn
        Cells the model is unsure of, and how many of them are drawn; 0 without a model.
    """

    rows: np.ndarray
    n_placed: int
    n_unsure: int
    n_unsure_drawn: int

    @property
    def note(self) -> str:
        """What became of the unsure cells, in words that follow a count of the drawn ones."""
        if not self.n_unsure:
            return ""
        if self.n_unsure == self.n_unsure_drawn:
            return "all unsure ones among them"
        return f"{self.n_unsure_drawn:,} of {self.n_unsure:,} unsure ones among them"

    def with_cells(self, rows: np.ndarray) -> "Drawn":
        """Return the same with more cells, each given once, unless they are too many to draw."""
        rows = np.sort(rows)
        at = np.searchsorted(self.rows, rows)
        missing = np.r_[self.rows, -1][at] != rows
        if not missing.any() or missing.sum() > config.DRAWN_CELLS:
            return self
        more = np.insert(self.rows, at[missing], rows[missing])
        return Drawn(more, self.n_placed, self.n_unsure, self.n_unsure_drawn)


def drawn(opened: Workspace, embedding: str) -> Drawn | None:
    """Return the cells that a map draws; None where it draws all.

    Crowded places lose cells; sparse places, rare types and cells the model is unsure of keep
    theirs, see `scanvi_core.annotation.layout.thinning.thinned`. The same cells are drawn until
    the map or the model is another one: neither labels, nor colors, nor a selection change them.
    """
    if opened.dataset.n_obs <= config.DRAWN_CELLS:
        return None
    run = opened.project.settings.get("current_run")
    by = run or (maps.clusters_of(opened) is None, opened.project.settings.get(LABELS))
    key = ("drawn", maps.map_revision(opened, embedding), by, config.DRAWN_CELLS)
    return opened.cache.get(key, lambda: _thinned(opened, embedding))


def _thinned(opened: Workspace, embedding: str) -> Drawn:
    from scanvi_core.annotation.layout.thinning import thinned

    predictions = results.current(opened)
    chosen = thinned(
        maps.coordinates(opened, embedding),
        config.DRAWN_CELLS,
        keep=None if predictions is None else predictions.confidence < config.LOW_CONFIDENCE,
        types=_types(opened) if predictions is None else predictions.prediction,
    )
    return Drawn(chosen.rows, chosen.n_placed, chosen.n_keep, chosen.n_kept)


def _types(opened: Workspace) -> np.ndarray | None:
    """Return what comes nearest to types without a model: clusters, or the file's labels."""
    clusters, key = maps.clusters_of(opened), opened.project.settings.get(LABELS)
    if clusters is not None:
        return clusters
    known = key if key in opened.dataset.manifest["obs_columns"] else None
    return None if known is None else opened.categories(known)[0]
