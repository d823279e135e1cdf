"""Witnesses as members of the prediction, each with the say that labels show it to deserve.

A witness that says s of a cell changes the model's calibrated probabilities p by how much oftener
it says s of a type than of any cell::

    p_pooled(t) ∝ p(t) · (P(s | t) / P(s))^weight

``P(s | t)`` is learned from labeled cells, shrunk to P(s) by a Dirichlet prior whose strength is
the one under which the counts of all types are likeliest (empirical Bayes, Minka 2000, "Estimating
a Dirichlet distribution"). One that does not gain `SHOWN` in log-likelihood on a witness that says
the same whatever the cell is has a ratio of 1: it changes nothing. One that mixes two types up
tells as much as one that is right, since s is its own name and need mean nothing here.

The weight, 0 to 1, makes up for a witness that errs where the model does. It is the likeliest one
by the labels of cells that neither the model nor the witness's P(s | t) had seen, with a prior
around a half: where a model is sure and right of all cells that were named, as of the clear groups
that are named first, labels tell nothing of the weight, and from 0 it would never rise.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln, logsumexp

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.integer]

STRENGTHS = 2.0 ** np.arange(0.0, 12.01, 0.5)
USUAL, SPREAD = 5.0, 3.0  # log2 of the strength, before looking
SHOWN = 3.0  # of the log-likelihood, that a witness has to gain to tell anything
LEAST = 10.0  # labeled cells, decisions counted once, below which no witness has a say
WEIGHT, WEIGHT_SPREAD = 0.5, 0.2  # the prior of a weight: its mean and deviation
FLOOR = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """What is known of the cells, for learning what witnesses are worth.

    Attributes
    ----------
    truth
        Type codes [n], -1 where nothing is known.
    judged
        Calibrated probabilities [n, K] of models that did not know the cell's label; NaN where
        there are none.
    weight
        How many cells each counts as [n].
    """

    truth: Codes
    judged: Floats
    weight: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Say:
    """What a witness's names tell: log ratios [names, K], and its weight."""

    ratio: Floats
    weight: float

    def apply(self, logs: Floats, said: Codes) -> None:
        """Change log probabilities [n, K] in place, by what it says of these cells [n]."""
        spoke = said >= 0
        if self.weight:
            logs[spoke] += self.weight * self.ratio[said[spoke]]


def learn(said: Sequence[Codes], n_names: Sequence[int], labels: Labels) -> list[Say]:
    """Learn what each witness is worth beside the model and the others.

    Parameters
    ----------
    said
        Per witness the code of the name it uses of each cell [n], -1 where it says nothing, or
        where the label of the cell cannot judge it: it learned from that, or that from it.
    n_names
        Per witness how many names it uses.
    labels
        What is known of the cells.
    """
    n_types = labels.judged.shape[1]
    counts = [_counts(own, n, labels, n_types) for own, n in zip(said, n_names, strict=True)]
    shares = [_shares(own, n) for own, n in zip(said, n_names, strict=True)]
    strengths = [_strength(*pair) for pair in zip(counts, shares, strict=True)]
    weights = _weights(said, list(zip(counts, shares, strengths, strict=True)), labels)
    ratios = (_ratio(*one) for one in zip(counts, shares, strengths, strict=True))
    return [
        Say(ratio, weight if ratio.any() else 0.0)
        for ratio, weight in zip(ratios, weights, strict=True)
    ]


def pool(probabilities: Floats, said: Sequence[Codes], says: Sequence[Say]) -> Floats:
    """Return probabilities [n, K] with the word of the witnesses in them; NaN stays."""
    logs = np.log(np.maximum(probabilities, FLOOR))  # keeps NaN
    for own, say in zip(said, says, strict=True):
        say.apply(logs, own)
    return np.asarray(np.exp(logs - logsumexp(logs, axis=1, keepdims=True)))


def _counts(said: Codes, n_names: int, labels: Labels, n_types: int) -> Floats:
    """Return how many labeled cells of each type are called by each name [K, names]."""
    both = (said >= 0) & (labels.truth >= 0)
    counts = np.zeros((n_types, n_names))
    np.add.at(counts, (labels.truth[both], said[both]), labels.weight[both])
    return counts


def _shares(said: Codes, n_names: int) -> Floats:
    """Return how often the witness uses each name, of all cells."""
    cells = np.bincount(said[said >= 0], minlength=n_names) + 0.5
    return np.asarray(cells / cells.sum())


def _strength(counts: Floats, shares: Floats) -> float:
    """Return how many cells of a type its shares stand for: those under which all is likeliest.

    Endless where that is hardly likelier than a witness that says the same of every type.
    """
    best, most = np.inf, float((counts * np.log(shares)).sum()) + SHOWN
    total = counts.sum(axis=1)
    for strength in STRENGTHS:
        prior = strength * shares
        told = (gammaln(counts + prior) - gammaln(prior)).sum()
        told += (gammaln(strength) - gammaln(total + strength)).sum()
        told -= 0.5 * ((np.log2(strength) - USUAL) / SPREAD) ** 2
        if told > most:
            best, most = strength, told
    return float(best)


def _ratio(counts: Floats, shares: Floats, strength: float) -> Floats:
    """Return log P(s | t) / P(s) as [names, K]."""
    if strength == np.inf:
        return np.zeros(counts.T.shape)
    total = counts.sum(axis=1, keepdims=True)
    return np.asarray(np.log((counts + strength * shares) / (total + strength) / shares).T)


def _weights(
    said: Sequence[Codes], learned: list[tuple[Floats, Floats, float]], labels: Labels
) -> Floats:
    """Fit the weights on cells, each of which is taken out of what was learned before it judges.

    Of cells that count as less than one, which were named together, all are taken out.
    """
    from scipy.optimize import minimize

    rows = np.flatnonzero((labels.truth >= 0) & np.isfinite(labels.judged).all(axis=1))
    truth, cells = labels.truth[rows], labels.weight[rows]
    none = np.zeros(len(learned))
    if not learned or cells.sum() < LEAST:
        return none
    logs = np.log(np.maximum(labels.judged[rows], FLOOR))
    tells = np.zeros((len(learned), *logs.shape))
    for w, (counts, shares, strength) in enumerate(learned):
        tells[w] = _left_out(said[w][rows], truth, cells, (counts, shares, strength))

    def cost(weights: Floats) -> tuple[float, Floats]:
        now = logs + np.tensordot(weights, tells, 1)
        p = np.exp(now - logsumexp(now, axis=1, keepdims=True))
        at = np.arange(len(rows))
        slope = [(cells * (tell[at, truth] - (p * tell).sum(axis=1))).sum() for tell in tells]
        told = (cells * np.log(np.maximum(p[at, truth], 1e-300))).sum()
        far = (weights - WEIGHT) / WEIGHT_SPREAD
        return float(0.5 * (far**2).sum() - told), far / WEIGHT_SPREAD - np.array(slope)

    best = minimize(
        cost, none + WEIGHT, jac=True, method="L-BFGS-B", bounds=[(0, 1)] * len(learned)
    )
    return np.asarray(best.x)


def _left_out(
    said: Codes, truth: Codes, cells: Floats, learned: tuple[Floats, Floats, float]
) -> Floats:
    """Return the log ratios [n, K] of what is said, learned without the cell they are of."""
    counts, shares, strength = learned
    tell = np.zeros((len(said), len(counts)))
    spoke = np.flatnonzero(said >= 0)
    if strength == np.inf:
        return tell
    s, t, own = said[spoke], truth[spoke], cells[spoke]
    tell[spoke] = _ratio(counts, shares, strength)[s]
    taken = np.minimum(counts[t, s], 1.0)  # a whole decision, not the cell's part of it
    taken = np.where(own < 1.0, taken, np.minimum(own, taken))
    total = counts.sum(axis=1)[t] - taken
    without = (counts[t, s] - taken + strength * shares[s]) / (total + strength)
    tell[spoke, t] = np.log(without / shares[s])
    return tell
