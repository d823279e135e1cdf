"""Scores of marker genes: how much more of its markers than others cells show, type by type.

The score is that of ScType (Ianevski et al. 2022, 10.1038/s41467-022-28803-w), written from its
equations: genes on the log scale are brought to mean 0 and deviation 1; a type's score is the sum
of its positive genes, each weighted by how few other types share it, over the root of their
number, less the sum of its negative genes over the root of theirs. Two things differ. Mean and
deviation count every part of the data (Louvain cluster) alike, so that a type which is most of the
cells is not its own background. And a score is that of a tight cluster of similar cells, over
which single cells are averaged. ``python -m benchmarks.quality.markers`` compares it with others.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Codes = npt.NDArray[np.integer[Any]]
LEAST_DEVIATION = 1e-6
FULL_PART = 20  # cells; parts of fewer count less
# Scores are means over several cells, less noisy than of one. Of 1, 1.5, 2 and 3 (on the four sets
# of benchmarks/quality/markers.py), 2 finds most types at strengths near how often they are right.
SHARPNESS = 2.0
NOTHING = 0.5  # score of no type at all
SAID = 0.5  # the least strength of an opinion: as likely as all other types and none together


@dataclass(frozen=True)
class GeneSet:
    """Positions of the genes that a type shows, and of those that it does not."""

    positive: tuple[int, ...]
    negative: tuple[int, ...] = ()


def cluster_scores(
    gene: Callable[[int], Floats],
    sets: Sequence[GeneSet],
    clusters: Codes,
    parts: Codes,
    step: Callable[[float], None] = lambda _done: None,
) -> Floats:
    """Return the score of each type in each tight cluster, [clusters, types].

    One gene of all cells is in memory at a time.

    Parameters
    ----------
    gene
        Returns a gene's values on the log scale [n].
    sets
        Genes of each type.
    clusters, parts
        Tight cluster and part of the data of each cell [n], -1: none.
    step
        Told how much is done, 0 to 1.
    """
    weights = _weights(sets)
    scores = np.zeros((int(clusters.max(initial=-1)) + 1, len(sets)))
    for done, (place, own) in enumerate(weights.items()):
        means = _standardized_means(gene(place), clusters, parts)
        for code, weight in own:
            scores[:, code] += weight * means
        step((done + 1) / len(weights))
    return scores


def strengths(scores: Floats) -> tuple[Codes, Floats]:
    """Return the best type of each row, and how sure it is: its share of e to twice the scores.

    No type at all takes part with a score of its own, so that low scores are not sure of
    anything.
    """
    sharp = SHARPNESS * scores
    best, top = sharp.argmax(axis=1), sharp.max(axis=1)
    everything = np.exp(sharp - top[:, None]).sum(axis=1) + np.exp(SHARPNESS * NOTHING - top)
    return best, 1 / everything


def _weights(sets: Sequence[GeneSet]) -> dict[int, list[tuple[int, float]]]:
    """Return per gene the types it speaks for or against, and how much."""
    shared: dict[int, int] = {}
    for own in sets:
        for place in own.positive:
            shared[place] = shared.get(place, 0) + 1
    most, least = max(shared.values(), default=1), min(shared.values(), default=1)
    weights: dict[int, list[tuple[int, float]]] = {}
    for code, own in enumerate(sets):
        for place in own.positive:
            special = 1 - (shared[place] - least) / max(1, most - least)
            weight = special / np.sqrt(len(own.positive))
            weights.setdefault(place, []).append((code, weight))
        for place in own.negative:
            weights.setdefault(place, []).append((code, -1 / np.sqrt(len(own.negative))))
    return weights


def _standardized_means(values: Floats, clusters: Codes, parts: Codes) -> Floats:
    """Return the mean of a gene in each cluster, in deviations from its mean over the parts."""
    alike = np.minimum(np.bincount(parts[parts >= 0]), FULL_PART)
    mean = np.average(_means(values, parts), weights=alike)
    deviation = np.sqrt(np.average(_means((values - mean) ** 2, parts), weights=alike))
    return (_means(values, clusters) - mean) / max(float(deviation), LEAST_DEVIATION)


def _means(values: Floats, codes: Codes) -> Floats:
    inside = codes >= 0
    sums = np.bincount(codes[inside], weights=values[inside])
    return sums / np.maximum(1, np.bincount(codes[inside]))
