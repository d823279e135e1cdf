"""A look at a model while it trains: a small map and a small confusion matrix."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse

from scanvi_core.annotation.layout import embedding
from scanvi_core.config import PREVIEW_CELLS
from scanvi_core.data.blocks.rows import filled_rows, take_rows
from scanvi_core.metrics.classification import confusion_matrix
from scanvi_core.module import SCANVI
from scanvi_core.train.loader import rows_of


@dataclass(frozen=True)
class Preview:
    """What a model in training says about a sample of m cells.

    Attributes
    ----------
    rows
        Positions of the cells in the data set [m].
    xy
        Map of z1 [m, 2].
    predicted
        Likeliest type per cell [m].
    confusion
        Known (rows) against predicted (columns) types of the sample's labeled cells [K, K].
    """

    rows: np.ndarray
    xy: np.ndarray
    predicted: np.ndarray
    confusion: np.ndarray


class Previewer:
    """Draws previews of always the same cells, so that the pictures can be compared.

    Up to half of the sample are labeled cells, for the confusion matrix.
    """

    def __init__(self, counts: sparse.csr_matrix, y: np.ndarray, n_labels: int, seed: int) -> None:
        random = np.random.default_rng(seed)
        filled = filled_rows(counts)
        labeled = random.permutation(np.flatnonzero(filled & (y >= 0)))[: PREVIEW_CELLS // 2]
        others = random.permutation(np.setdiff1d(np.flatnonzero(filled), labeled))
        self.rows = np.sort(np.r_[labeled, others[: PREVIEW_CELLS - labeled.size]])
        self.counts = take_rows(counts, self.rows)
        self.y = y[self.rows]
        self.n_labels = n_labels
        self._last: np.ndarray | None = None

    @torch.no_grad()
    def draw(self, module: SCANVI) -> Preview:
        """Return the preview of the module as it is now."""
        source = rows_of(self.counts, module.device)
        x = source.fetch(np.arange(self.rows.size))
        z1 = module.get_latents(x)[0].cpu().numpy()
        predicted = module.classify(x).argmax(1).cpu().numpy()
        self._last = embedding.quick_map(z1, init=self._last)
        types = np.where(self.y < self.n_labels, self.y, -1)
        confusion = confusion_matrix(types, predicted, self.n_labels)
        return Preview(self.rows, self._last, predicted, confusion)
