"""What picked cells are: the labels they have, and the genes that mark them."""

from dataclasses import dataclass

import numpy as np

from scanvi_core.services.explore import telling_genes
from scanvi_core.services.explore.rules import Selection
from scanvi_core.services.workspace import Workspace

MARKERS = 5
NAMED = 2  # labels that are listed
FEWEST = 3


@dataclass(frozen=True)
class About:
    """Which labels picked cells have, in words, and the genes that are high in them."""

    labels: str
    markers: tuple[str, ...]


def about(opened: Workspace, picked: Selection) -> About:
    """Describe picked cells."""
    cells, seq = hash(picked.mask.tobytes()), opened.labels().seq
    markers: tuple[str, ...] = opened.cache.get(
        ("picked markers", cells), lambda: _markers(opened, picked.mask)
    )
    labels: str = opened.cache.get(
        ("picked labels", cells, seq), lambda: _labels(opened, picked.mask)
    )
    return About(labels, markers)


def _labels(opened: Workspace, mask: np.ndarray) -> str:
    codes, names = opened.labels().compact()
    counts = np.bincount(codes[mask] + 1, minlength=len(names) + 1)
    order = [code for code in np.argsort(-counts[1:], kind="stable") if counts[1 + code]]
    parts = [f"{names[code]} {counts[1 + code]:,}" for code in order[:NAMED]]
    rest = int(sum(counts[1 + code] for code in order[NAMED:]))
    parts += [f"others {rest:,}"] if rest else []
    parts += [f"no label {counts[0]:,}"] if counts[0] else []
    return ", ".join(parts)


def _markers(opened: Workspace, mask: np.ndarray) -> tuple[str, ...]:
    filled = opened.dataset.totals > 0
    own, rest = (np.flatnonzero(side & filled) for side in (mask, ~mask))
    if min(len(own), len(rest)) < FEWEST:
        return ()
    return telling_genes.high_in(opened, own, rest, MARKERS)
