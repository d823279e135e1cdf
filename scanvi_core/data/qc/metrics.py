"""Three numbers per cell: total counts, genes seen, share of mitochondrial counts."""

import re
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

# MT-ND1, mt-Nd1, mt:ND1 (flies), MT.ND1 (as R writes it), and with a genome in front:
# GRCh38_MT-ND1. Worms and thale cress have names of their own: nduo-1, ctc-1, MTCE.3, ATMG00160.
_SYMBOL = re.compile(
    r"(?:[a-z0-9.]+_+)?(?:mt[-.:].+|ATMG\d{5}(?:\.\d+)?|MTCE\.\d+|nduo-\d|ndfl-4|ctc-[123]|ctb-1)|"
    r"atp-6",
    re.IGNORECASE,
)
# the 13 genes of the mitochondrion that are translated: ND1 to ND6, CO1 to CO3, ATP6, ATP8, CYTB
_HUMAN = (
    "198888 198763 198804 198712 228253 198899 198938 198840 212907 198886 198786 198695 198727"
)
_MOUSE = "64341 64345 64351 64354 64356 64357 64358 64360 65947 64363 64367 64368 64370"
# the same 13 of FlyBase, mt:ND1 to mt:Cyt-b
_FLY = "13672 13673 13674 13675 13676 13678 13679 13680 13681 262952 13683 13684 13685"
FLYBASE_MT = frozenset(f"FBgn{int(number):07d}" for number in _FLY.split())
ENSEMBL_MT = frozenset(
    [f"ENSG00000{number}" for number in _HUMAN.split()]
    + [f"ENSMUSG000000{number}" for number in _MOUSE.split()]
)


@dataclass(frozen=True, slots=True)
class Quality:
    """Per-cell numbers, each of shape [n_obs].

    Attributes
    ----------
    totals
        Sum of counts, float64.
    n_genes
        Genes with at least one count, int64.
    pct_mt
        Percent of the counts in mitochondrial genes, float64; 0 for empty cells.
    n_mt_genes
        How many mitochondrial genes there are; with none, `pct_mt` says nothing.
    """

    totals: np.ndarray
    n_genes: np.ndarray
    pct_mt: np.ndarray
    n_mt_genes: int


def is_mitochondrial(names: np.ndarray) -> np.ndarray:
    """Return which genes lie on the mitochondrial genome, bool [genes].

    Known by symbol (human ``MT-``, mouse ``mt-``, fly ``mt:``, also with a genome in front) or by
    identifier, with or without its version: of man, mouse and fly the 13 that are translated.
    """
    texts = [str(name).strip() for name in names]
    known = ENSEMBL_MT | FLYBASE_MT
    flags = [text.split(".")[0] in known or bool(_SYMBOL.fullmatch(text)) for text in texts]
    return np.array(flags, dtype=bool)


class Meter:
    """Measures blocks of whole rows that come in order.

    Parameters
    ----------
    n_obs
        Number of cells.
    symbols
        The genes' display names.
    var_names
        Their other names, if any: a gene without a symbol may still have an identifier.
    known_mt
        Genes known to be mitochondrial by something else than their name, bool [genes].
    """

    def __init__(
        self,
        n_obs: int,
        symbols: np.ndarray,
        var_names: np.ndarray | None = None,
        known_mt: np.ndarray | None = None,
    ) -> None:
        self.is_mt = is_mitochondrial(symbols)
        if known_mt is not None:
            self.is_mt |= known_mt
        if var_names is not None:
            self.is_mt |= is_mitochondrial(var_names)
        self.totals, self.in_mt = np.zeros((2, n_obs))
        self.n_genes = np.zeros(n_obs, dtype=np.int64)
        self.first = 0

    def add(self, block: sp.csr_matrix) -> None:
        """Measure the next rows."""
        n = block.shape[0]
        here = slice(self.first, self.first + n)
        rows = np.repeat(np.arange(n), np.diff(block.indptr))
        values, mt = block.data, self.is_mt[block.indices]
        self.totals[here] = np.bincount(rows, values, n)
        self.in_mt[here] = np.bincount(rows[mt], values[mt], n)
        self.n_genes[here] = np.bincount(rows[values > 0], minlength=n)
        self.first += n

    def finish(self) -> Quality:
        """Return the numbers of all cells."""
        pct = np.zeros_like(self.totals)
        np.divide(100 * self.in_mt, self.totals, out=pct, where=self.totals > 0)
        return Quality(self.totals, self.n_genes, pct, int(self.is_mt.sum()))
