"""Simulated counts whose types can be learned."""

import numpy as np

from scanvi_core.datasets.labeled_counts import LabeledCounts

DISPERSION = 3.0  # inverse dispersion of every gene: variance = mean + mean² / 3
MEAN_TOTAL, TOTAL_SD = 1_500.0, 0.4  # library sizes: median, and standard deviation of their log
GENE_SD = 1.2  # spread of the log mean expression over genes


def simulate(
    n_obs: int = 600,
    n_genes: int = 200,
    n_batches: int = 2,
    n_labels: int = 4,
    *,
    marker_fold: float = 4.0,
    random: np.random.Generator,
) -> LabeledCounts:
    """Draw counts of cell types with marker programs, batches with shifts, library sizes.

    Counts of a cell of type y in batch s are negative binomial around its library size times the
    softmax of ``base + log(marker_fold) · marker[y] + shift[s]``. Every type has a program of a
    tenth of the genes (at least three), half of which it shares with the type before it, so that
    neighboring types look alike. Shares of the types fall from first to last by a factor of two.

    Parameters
    ----------
    n_obs, n_genes, n_batches, n_labels
        Number of cells, genes, batches and types.
    marker_fold
        How much more of a marker its type expresses; 1: nothing to learn.
    random
        Source of all draws.
    """
    shares = np.linspace(2.0, 1.0, n_labels)
    labels = random.choice(n_labels, n_obs, p=shares / shares.sum())
    labels[:n_labels] = np.arange(n_labels)  # no type is left without a cell
    batch = random.integers(0, n_batches, n_obs)
    log_scale = random.normal(0.0, GENE_SD, n_genes) + np.log(marker_fold) * _programs(
        n_labels, n_genes, random
    )
    shift = random.normal(0.0, 0.3, (n_batches, n_genes))
    scale = np.exp(log_scale[labels] + shift[batch])
    scale /= scale.sum(axis=1, keepdims=True)
    totals = MEAN_TOTAL * np.exp(random.normal(0.0, TOTAL_SD, (n_obs, 1)))
    rate = random.gamma(DISPERSION, totals * scale / DISPERSION)
    return LabeledCounts(
        random.poisson(rate),
        labels,
        batch,
        gene_names=[f"gene_{i}" for i in range(n_genes)],
        cell_types=[f"type_{i}" for i in range(n_labels)],
        n_batches=n_batches,
    )


def _programs(n_labels: int, n_genes: int, random: np.random.Generator) -> np.ndarray:
    """Return which genes are markers of which type, bool [types, genes]."""
    size = max(3, n_genes // 10)
    order = random.permutation(n_genes)
    starts = np.arange(n_labels)[:, None] * ((size + 1) // 2)
    markers = np.zeros((n_labels, n_genes), dtype=bool)
    np.put_along_axis(markers, order[(starts + np.arange(size)) % n_genes], values=True, axis=1)
    return markers
