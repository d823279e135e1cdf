"""What a model is trained on: one type from the page that shows it to the network that learns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from scanvi_core.type_tree import Parents, TypeTree

if TYPE_CHECKING:
    from scipy import sparse

    from scanvi_core.data.collection.counts import StoredCounts


def _unsaid() -> np.ndarray:
    return np.zeros(0, dtype=bool)


@dataclass(frozen=True, slots=True)
class Inputs:
    """The cells a model learns from.

    Parameters
    ----------
    counts
        Counts [n, genes], CSR, float32, or those of a store; None before the genes are chosen.
    genes
        Names of the genes.
    y
        Label codes [n]: -1 none, 0 to K - 1 a type, K + g only known to be of the broader type g
        (numbered as in `TypeTree.nodes`).
    label_names
        Names of the K types.
    batch_index, batch_names
        Batch codes [n] and their names.
    parents
        Of types and broader types: the names right above, see `TypeTree`.
    prior
        Type name to the share of cells expected; types left out share what remains evenly.
    rows
        Cells [n] to train on; all of them unless said otherwise.
    holdout
        Cells [n] whose labels are hidden from the model, so that `y` has none; by default no cell.
    soft
        Soft labels [n, K] of all cells, see `soft_labels`; None: the codes are learned.
    seq
        Number of the last label event that is in `y`, where the labels come from a log.
    """

    counts: "sparse.csr_array | StoredCounts | None"
    genes: tuple[str, ...]
    y: np.ndarray
    label_names: tuple[str, ...]
    batch_index: np.ndarray
    batch_names: tuple[str, ...]
    parents: Parents = field(default_factory=dict)
    prior: Mapping[str, float] = field(default_factory=dict)
    rows: np.ndarray = field(default_factory=_unsaid)
    holdout: np.ndarray = field(default_factory=_unsaid)
    soft: np.ndarray | None = None
    seq: int = 0

    def __post_init__(self) -> None:
        for name, value in (("rows", True), ("holdout", False)):
            if not len(getattr(self, name)):
                object.__setattr__(self, name, np.full(len(self.y), value))

    @property
    def tree(self) -> TypeTree:
        """The types, and what they stand under."""
        return TypeTree(self.label_names, self.parents)

    @property
    def code_names(self) -> tuple[str, ...]:
        """What each code of `y` means: the K types, then the broader ones."""
        return self.tree.code_names
