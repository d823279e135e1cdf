"""Genes that tell groups of cells apart, and cells that a marker rule names.

Values are log1p of counts per 10,000 throughout; nothing is made dense but blocks of genes.
"""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.stats import rankdata

from scanvi_core.data.dataset import TARGET_SUM
from scanvi_core.errors import InputError

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

MAX_SIDE_CELLS = 2_000
MIN_FRACTION = 0.1  # a gene seen in fewer cells of either side marks nothing
TEST_CANDIDATES = 4  # per gene asked for, ranked by AUC after Welch's t has chosen them


@dataclass(frozen=True, slots=True)
class MarkerGene:
    """How one gene differs between the cells A and B.

    Parameters
    ----------
    gene
        Column of the matrix.
    mean_a, mean_b
        Mean log1p(CP10k).
    score
        Welch's t; positive: higher in A.
    auc
        Chance that a cell of A has a higher value than one of B (0.5: no difference).
    """

    gene: int
    mean_a: float
    mean_b: float
    score: float
    auc: float


def log_normalized(counts: sp.csr_matrix, totals: Floats | None = None) -> sp.csr_matrix:
    """Return log1p of counts per 10,000, float32; cells without counts stay zero.

    Only the values are new: positions and row pointers are those of `counts`.

    Parameters
    ----------
    counts
        Non-negative counts [n, genes].
    totals
        Counts per cell over all genes [n]; None: the row sums of `counts`.
    """
    rows = sp.csr_matrix(counts)
    sums = np.asarray(rows.sum(axis=1)).ravel() if totals is None else np.asarray(totals)
    scale = np.divide(TARGET_SUM, sums, out=np.zeros(len(sums)), where=sums > 0)
    values = np.repeat(scale.astype(np.float32), np.diff(rows.indptr))
    values *= rows.data
    np.log1p(values, out=values)
    return sp.csr_matrix((values, rows.indices, rows.indptr), shape=rows.shape)


def contrast(
    matrix: sp.csr_matrix,
    rows_a: Rows,
    rows_b: Rows,
    n: int = 8,
    *,
    counts: bool = True,
    seed: int = 0,
) -> list[MarkerGene]:
    """Return the genes that separate cells A from cells B best, in either direction.

    Candidates are the genes with the largest absolute Welch's t; the best by AUC are returned,
    because AUC does not reward a few extreme cells. Of more than 2,000 cells a side, 2,000 are
    drawn.

    Parameters
    ----------
    matrix
        Counts [cells, genes], or log1p(CP10k) values when `counts` is False.
    rows_a, rows_b
        Positions of trusted cells.
    n
        Number of genes.
    counts
        True: `matrix` holds counts, and the drawn cells are log-normalised here.
    seed
        Start of the draw.

    Returns
    -------
    Genes with the clearest first; empty when a side has no cells.
    """
    rng = np.random.default_rng(seed)
    sides = [_draw(np.asarray(rows), rng) for rows in (rows_a, rows_b)]
    if not all(len(rows) for rows in sides):
        return []
    a, b = (_values(matrix, rows, counts=counts) for rows in sides)
    return _ranked(a, b, n, upwards=False)


def one_vs_rest(
    matrix: sp.csr_matrix,
    codes: npt.NDArray[Any],
    names: Sequence[str],
    n: int = 5,
    *,
    counts: bool = True,
    seed: int = 0,
) -> dict[str, list[MarkerGene]]:
    """Return, for each named code, the genes that are higher in its cells than in the others.

    Parameters
    ----------
    matrix
        Counts [cells, genes], or log1p(CP10k) values when `counts` is False.
    codes
        Label code per cell [cells]; -1 for cells that are on neither side.
    names
        Label names by code; a label without cells, or alone, gets an empty list.
    n
        Genes per label.
    counts, seed
        As in `contrast`. Of each label at most 2,000 cells are drawn, once.
    """
    rng = np.random.default_rng(seed)
    drawn = [_draw(np.flatnonzero(codes == code), rng) for code in range(len(names))]
    rows = np.concatenate([*drawn, np.empty(0, dtype=np.int64)]).astype(np.int64)
    owner = np.repeat(np.arange(len(names)), [len(part) for part in drawn])
    values = _values(matrix, rows, counts=counts)
    found = {}
    for code, name in enumerate(names):
        own = np.flatnonzero(owner == code)
        rest = _draw(np.flatnonzero(owner != code), rng)
        both = len(own) and len(rest)
        found[name] = _ranked(values[own], values[rest], n, upwards=True) if both else []
    return found


def _draw(rows: npt.NDArray[Any], rng: np.random.Generator) -> npt.NDArray[Any]:
    if len(rows) <= MAX_SIDE_CELLS:
        return rows
    return np.sort(rng.choice(rows, MAX_SIDE_CELLS, replace=False))


def _values(matrix: sp.csr_matrix, rows: Rows, *, counts: bool) -> sp.csr_matrix:
    part = sp.csr_matrix(matrix[rows])
    return log_normalized(part) if counts else part


def _moments(values: sp.csr_matrix) -> tuple[Floats, Floats, Floats]:
    """Return mean, variance / n and share of non-zeros per gene."""
    n = values.shape[0]
    genes = values.indices
    data = values.data.astype(np.float64)
    mean = np.bincount(genes, data, values.shape[1]) / n
    square = np.bincount(genes, data * data, values.shape[1]) / n
    seen = np.bincount(genes, data > 0, values.shape[1]) / n
    variance = np.maximum(square - mean**2, 0.0) * n / max(n - 1, 1)
    return mean, variance / n, seen


def _ranked(a: sp.csr_matrix, b: sp.csr_matrix, n: int, *, upwards: bool) -> list[MarkerGene]:
    (mean_a, error_a, seen_a), (mean_b, error_b, seen_b) = _moments(a), _moments(b)
    # The floor keeps a gene that is constant on both sides, or one cell a side, finite.
    welch = (mean_a - mean_b) / np.sqrt(error_a + error_b + 1e-6)
    welch[np.maximum(seen_a, seen_b) < MIN_FRACTION] = 0.0
    strength = welch if upwards else np.abs(welch)
    best = np.argsort(-strength, kind="stable")[: TEST_CANDIDATES * n]
    best = best[strength[best] > 0]
    aucs = _auc(a[:, best].toarray(), b[:, best].toarray())
    order = np.argsort(-(aucs if upwards else np.abs(aucs - 0.5)), kind="stable")[:n]
    return [
        MarkerGene(
            gene=int(gene),
            mean_a=float(mean_a[gene]),
            mean_b=float(mean_b[gene]),
            score=float(welch[gene]),
            auc=float(auc),
        )
        for gene, auc in zip(best[order], aucs[order], strict=True)
    ]


def _auc(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> Floats:
    """Return per column the chance that a value of `a` exceeds one of `b` (ties: half)."""
    ranks = rankdata(np.concatenate([a, b]), axis=0)[: len(a)].sum(axis=0)
    return (ranks / len(a) - (len(a) + 1) / 2) / len(b)


@dataclass(frozen=True, slots=True)
class Marker:
    """One term of a marker rule: a gene whose value must be above, or not above, a threshold."""

    gene: str
    positive: bool
    threshold: float


# A name may hold dots and dashes (HLA-DRA, RP11-34.2), so the sign is the last character.
_SIGNED = re.compile(r"(?P<gene>.+?)\s*(?P<sign>[+\-\u2212\u2013])")
_COMPARED = re.compile(r"(?P<gene>.+?)\s*(?P<sign>[<>])\s*(?P<value>\d+(\.\d*)?|\.\d+)")


def parse_rule(text: str) -> list[Marker]:
    """Read a rule such as ``MS4A1+, CD79A+, CD3D-, CD8A>1.5, NKG7<2``.

    ``+`` and a bare name: more than 0 counts; ``-``: none; ``>`` and ``<``: log1p(CP10k) units.

    Raises
    ------
    InputError
        If the rule is empty, or a term is not a gene name with a sign.
    """
    markers = []
    for term in filter(None, (part.strip() for part in re.split(r"[,;\n]", text))):
        if found := _COMPARED.fullmatch(term):
            gene, above, value = found["gene"], found["sign"] == ">", float(found["value"])
        elif found := _SIGNED.fullmatch(term):
            gene, above, value = found["gene"], found["sign"] == "+", 0.0
        elif re.search(r"[<>]", term):
            raise InputError(
                f"{term!r} is not a marker.", "Write for example CD3D+, MS4A1- or CD3D>1.5."
            )
        else:
            gene, above, value = term, True, 0.0
        markers.append(Marker(gene, above, value))
    if not markers:
        raise InputError("The marker rule is empty.", "Write for example MS4A1+, CD79A+, CD3D-.")
    return markers


def known_markers(text: str, genes: Sequence[str]) -> list[Marker]:
    """Return the terms of a rule with the genes as the data call them.

    Parameters
    ----------
    text
        See `parse_rule`. Names match exactly, else without regard to case when that is unique.
    genes
        All gene names of the data.

    Raises
    ------
    InputError
        If the rule cannot be read or a gene is not in the data; the hint names close matches.
    """
    return [_known(marker, genes) for marker in parse_rule(text)]


def _known(marker: Marker, genes: Sequence[str]) -> Marker:
    folded = marker.gene.casefold()
    matches = [g for g in genes if g == marker.gene] or [
        g for g in genes if g.casefold() == folded
    ]
    if len(set(matches)) == 1:
        return Marker(str(matches[0]), marker.positive, marker.threshold)
    raise InputError(
        f"Gene {marker.gene} is not in the data."
        if not matches
        else f"Gene {marker.gene} could be {' or '.join(sorted(set(matches)))}.",
        _suggestion(marker.gene, genes),
    )


def _suggestion(gene: str, genes: Sequence[str]) -> str:
    by_folded = {str(name).casefold(): str(name) for name in genes}
    begin = [name for folded, name in by_folded.items() if folded.startswith(gene.casefold())]
    close = difflib.get_close_matches(gene.casefold(), by_folded, n=5, cutoff=0.7)
    names = list(dict.fromkeys([*sorted(begin, key=len)[:3], *(by_folded[c] for c in close)]))[:5]
    if names:
        return f"Did you mean {', '.join(names)}?"
    return "Check the spelling, and whether the data use gene symbols or identifiers."
