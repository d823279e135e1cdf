"""Differential expression between two groups of cells, by the model's own uncertainty.

Pairs of cells, one from each group, are drawn with their states; a gene differs in a pair when
the log2 ratio of its decoded shares is beyond delta (Boyeau et al. 2019, "Deep generative models
for detecting differential expression in single cells"). Cells are drawn first, and only those
are decoded.

Another question than that of `annotation.genes.marker_tests`, which tests the counts: here
the decoder takes out depth and batch, small differences do not count however many cells there are,
and probabilities under the model are reported, not p-values. What is counted in the cells comes
from `annotation.genes.comparison`.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from scanvi_core.annotation.genes.comparison import moments
from scanvi_core.annotation.genes.expression import sampled_scales
from scanvi_core.data.blocks.rows import filled_rows
from scanvi_core.errors import InputError, SettingInvalid
from scanvi_core.module import SCANVI

SILENT_QUANTILE = 0.9  # of the mean shares decoded for genes without a count in a group
GENES_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class DifferentialSettings:
    """How two groups are compared.

    Parameters
    ----------
    n_samples
        Pairs of cells drawn.
    delta
        Smallest log2 fold change that counts as a difference; above 0.
    fdr
        Share of false discoveries expected among the genes that are marked.
    pseudocount
        Added to both shares before their ratio; None: what the model decodes for genes that are
        silent in a group, and at least one count in all the cells of the smaller group.
    same_batch
        Decode both cells of a pair as if they came from the same batch, which takes the batch
        effect out; else each as of its own.
    seed
        Start of the draws.
    """

    n_samples: int = 5_000
    delta: float = 0.25
    fdr: float = 0.05
    pseudocount: float | None = None
    same_batch: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low, high in (("n_samples", 1, 1e7), ("delta", 1e-6, 100.0), ("fdr", 0.0, 1.0)):
            value = getattr(self, name)
            if not low <= value <= high:
                raise SettingInvalid(f"{name} is {value}.", f"Choose {low:g} to {high:g}.")


def compare(
    module: SCANVI,
    counts: sparse.csr_array,
    groups: tuple[np.ndarray, np.ndarray],
    batch_index: np.ndarray,
    settings: DifferentialSettings,
) -> pd.DataFrame:
    """Compare the expression of two groups of cells; one row per gene, in the order of `counts`.

    Parameters
    ----------
    module
        The network.
    counts
        Counts [n, genes] of its genes.
    groups
        Positions of the cells of either group; cells without counts are left out.
    batch_index
        Batch of every cell [n].
    settings
        How they are compared.

    Returns
    -------
    DataFrame with the columns

    p_de
        The larger of the probabilities that the log2 fold change is at least delta, and at most
        minus delta: the same for both orders of the groups.
    log_bayes
        log(p_de / (1 − p_de)).
    lfc_mean, lfc_median, lfc_sd, lfc_low, lfc_high
        Of the log2 fold change, first group over second; the last two bound its middle 95 %.
    scale_a, scale_b
        Mean decoded share of the gene.
    mean_a, mean_b, detected_a, detected_b
        Mean count, and share of cells with a count.
    different
        Whether the gene is among those marked at the expected rate of false discoveries; never
        where neither group has a count.

    Raises
    ------
    InputError
        If a group has no cell with counts.
    """
    a, b = (_usable(counts, rows, name) for rows, name in zip(groups, "AB", strict=True))
    scale_a, scale_b = _decoded_pairs(module, counts, (a, b), batch_index, settings)
    side = np.repeat([0, 1], [len(a), len(b)])
    n, mean, _, detected = moments(counts[np.concatenate([a, b])], side, 2)
    table = {"scale_a": scale_a.mean(0), "scale_b": scale_b.mean(0)}
    table |= {"mean_a": mean[0], "mean_b": mean[1]}
    table |= {"detected_a": detected[0], "detected_b": detected[1]}
    offset = settings.pseudocount
    if offset is None:
        totals = zip((scale_a, scale_b), n[:, None] * mean, strict=True)
        offset = max(_pseudocount(scale, total) for scale, total in totals)
    table |= _fold_changes(scale_a, scale_b, offset, settings.delta)
    frame = pd.DataFrame(table)
    # What the model infers of a gene without a single count is no finding.
    seen = (frame["mean_a"] + frame["mean_b"]).to_numpy() > 0
    frame["different"] = marked(np.where(seen, frame["p_de"], 0.0), settings.fdr)
    columns = ["p_de", "log_bayes", *SUMMARIES, "scale_a", "scale_b"]
    return frame[[*columns, "mean_a", "mean_b", "detected_a", "detected_b", "different"]]


def _decoded_pairs(
    module: SCANVI,
    counts: sparse.csr_array,
    groups: tuple[np.ndarray, np.ndarray],
    batch_index: np.ndarray,
    settings: DifferentialSettings,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the decoded shares of pairs of cells, one of each group, [n_samples, genes] each."""
    random = np.random.default_rng(settings.seed)
    drawn = [random.choice(rows, settings.n_samples) for rows in groups]
    batches = [batch_index[rows] for rows in drawn]
    if settings.same_batch:
        seen = np.unique(batch_index[np.concatenate(groups)])
        batches = [random.choice(seen, settings.n_samples)] * 2
    scale_a, scale_b = (
        sampled_scales(module, counts, rows, batch, int(random.integers(2**31)))
        for rows, batch in zip(drawn, batches, strict=True)
    )
    return scale_a, scale_b


def marked(p_de: np.ndarray, fdr: float) -> np.ndarray:
    """Return which genes to report: the most whose mean probability of being equal is ≤ `fdr`."""
    order = np.argsort(-p_de, kind="stable")
    expected = np.cumsum(1.0 - p_de[order]) / np.arange(1, len(p_de) + 1)
    chosen = np.zeros(len(p_de), dtype=bool)
    chosen[order[: np.count_nonzero(expected <= fdr)]] = True
    return chosen


SUMMARIES = ("lfc_mean", "lfc_median", "lfc_sd", "lfc_low", "lfc_high")


def _fold_changes(
    scale_a: np.ndarray, scale_b: np.ndarray, offset: float, delta: float
) -> dict[str, np.ndarray]:
    parts = []
    for start in range(0, scale_a.shape[1], GENES_AT_ONCE):
        own = slice(start, start + GENES_AT_ONCE)
        lfc = np.log2(scale_a[:, own] + offset) - np.log2(scale_b[:, own] + offset)
        p_de = np.maximum((lfc >= delta).mean(0), (lfc <= -delta).mean(0))
        low, median, high = np.quantile(lfc, (0.025, 0.5, 0.975), axis=0)
        parts.append((p_de, lfc.mean(0), median, lfc.std(0), low, high))
    whole = (np.concatenate(values) for values in zip(*parts, strict=True))
    values = dict(zip(("p_de", *SUMMARIES), whole, strict=True))
    # As many pairs as were drawn can tell p_de from 1 only so well.
    least = 0.5 / len(scale_a)
    p = np.clip(values["p_de"], least, 1.0 - least)
    return values | {"log_bayes": np.log(p) - np.log1p(-p)}


def _pseudocount(scales: np.ndarray, totals: np.ndarray) -> float:
    """Return the share below which a fold change is noise, from a group's counts per gene."""
    least, silent = 1.0 / float(totals.sum()), totals == 0
    if not silent.any():
        return least
    return max(least, float(np.quantile(scales[:, silent].mean(axis=0), SILENT_QUANTILE)))


def _usable(counts: sparse.csr_array, rows: np.ndarray, name: str) -> np.ndarray:
    rows = np.asarray(rows)
    rows = np.unique(np.flatnonzero(rows) if rows.dtype == bool else rows)
    usable = rows[filled_rows(counts[rows])]
    if not usable.size:
        raise InputError(
            f"Group {name} has {rows.size} cells, none of them with counts.",
            "Choose cells for both groups.",
        )
    return usable.astype(np.int64)
