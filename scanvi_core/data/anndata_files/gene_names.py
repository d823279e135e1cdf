"""Which column of the table of genes holds their symbols, and which genes are mitochondrial."""

import numpy as np
import pandas as pd

from scanvi_core.data.names import is_gene, is_identifier, leading_symbols, plain, symbol_columns

CHROMOSOME_COLUMNS = frozenset(
    {"chromosome", "chr", "chrom", "seqname", "seqnames", "chromosomename", "contig"}
)
MITOCHONDRION = frozenset(
    {"mt", "chrm", "chrmt", "m", "mito", "mtdna", "mitochondriongenome", "mitochondrion"}
)


def symbol_column(var: pd.DataFrame) -> str | None:
    """Return the column with gene symbols when the names are identifiers or numbers, else None.

    Parameters
    ----------
    var
        The table of genes; its index holds their names.
    """
    unreadable = sum(is_identifier(name) or str(name).isdigit() for name in var.index)
    if symbols := leading_symbols(var.index):
        columns = [
            name for name in symbol_columns(var) if var[name].astype(str).tolist() == symbols
        ]
        return next(iter(columns), None)
    if unreadable * 2 < max(1, len(var)):
        return None
    return next((name for name in symbol_columns(var) if _holds_symbols(var[name])), None)


def on_mitochondrion(var: pd.DataFrame) -> np.ndarray:
    """Return which genes a column of chromosomes puts on the mitochondrion, bool [genes]."""
    for name in var:
        if plain(name) in CHROMOSOME_COLUMNS and var[name].dtype.kind not in "biuf":
            return np.array([plain(value) in MITOCHONDRION for value in var[name]], dtype=bool)
    return np.zeros(len(var), dtype=bool)


def _holds_symbols(column: pd.Series) -> bool:
    """Tell whether a column of text holds something better than identifiers."""
    if column.dtype.kind in "biuf":
        return False
    texts = [str(value) for value in column.dropna()]
    better = [text for text in texts if text and not text.isdigit() and not is_identifier(text)]
    return bool(better) and (len(better) * 2 >= len(texts) or any(map(is_gene, better)))
