"""Genes of a query are matched to those of a model by name, never by position."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import sparse

from scanvi_core.data.blocks.columns import BLOCK, cut_blocks, row_starts
from scanvi_core.errors import InputError

MIN_SHARED = 0.5  # share of the model's genes a query must have
VERSION = re.compile(r"^(ENS[A-Z]*\d{11})\.\d+$")  # ENSG00000141510.16 is ENSG00000141510


def match_genes(genes: Sequence[str], model_genes: Sequence[str]) -> np.ndarray:
    """Return where each gene of the model stands in `genes`, or -1, [len(model_genes)].

    Version suffixes of Ensembl ids are ignored on both sides when more genes match that way.

    Raises
    ------
    InputError
        If fewer than half of the model's genes are there, or one of them is there twice.
    """
    positions = _positions(list(genes), list(model_genes))
    if (positions < 0).any():
        bare = _positions(_without_versions(genes), _without_versions(model_genes))
        positions = max(positions, bare, key=lambda found: np.count_nonzero(found >= 0))
    n_shared, n_model = np.count_nonzero(positions >= 0), len(model_genes)
    if n_shared < MIN_SHARED * n_model:
        theirs, ours = (", ".join(map(str, names[:3])) for names in (genes, model_genes))
        raise InputError(
            f"{n_shared} of the model's {n_model} genes are among the {len(genes)} given; "
            f"{MIN_SHARED:.0%} are needed.",
            f"Give the genes by the names the model knows ({ours}, ...), not as {theirs}, ...",
        )
    return positions


def select_columns(counts: sparse.csr_array, positions: np.ndarray) -> sparse.csr_array:
    """Return the columns `positions` [g] of `counts`, in that order; -1 gives a column of zeros.

    The result has sorted indices and no stored zeros, so that equal counts are equal bytes,
    however the columns stood before. Beside it only a block of rows is held at a time.
    """
    wanted = np.zeros(counts.shape[1], dtype=bool)
    wanted[positions[positions >= 0]] = True
    spans = (slice(at, at + BLOCK) for at in range(0, counts.nnz, BLOCK))
    most = sum(np.count_nonzero(wanted[counts.indices[span]]) for span in spans)
    # Memory that zeros and doubles leave unused at the end is never touched, so it costs nothing.
    data, indices = np.empty(most, counts.dtype), np.empty(most, np.int32)
    lengths, at = list[np.ndarray](), 0
    for block in cut_blocks(counts, positions):
        data[at : at + block.nnz], indices[at : at + block.nnz] = block.data, block.indices
        lengths.append(np.diff(block.indptr))
        at += block.nnz
    shape = (counts.shape[0], len(positions))
    return sparse.csr_array((data[:at], indices[:at], row_starts(lengths)), shape=shape)


def align(
    counts: sparse.csr_array, genes: Sequence[str], model_genes: Sequence[str]
) -> sparse.csr_array:
    """Return the counts of the model's genes in its order, [n, len(model_genes)], float32.

    Genes of the model that are missing get zeros: the model then reads them as not expressed.

    Raises
    ------
    InputError
        If there is not one name per column, or `match_genes` refuses the genes.
    """
    if len(genes) != counts.shape[1]:
        raise InputError(
            f"There are {len(genes)} gene names for {counts.shape[1]} columns of counts.",
            "Give one name per column.",
        )
    rows = sparse.csr_array(counts, dtype=np.float32)
    return select_columns(rows, match_genes(genes, model_genes))


def _positions(genes: list[str], model_genes: list[str]) -> np.ndarray:
    names = pd.Index(genes)
    twice = names.duplicated(keep=False) & names.isin(model_genes)
    if twice.any():
        some = ", ".join(names[twice].unique()[:3])
        raise InputError(
            f"{names[twice].nunique()} genes of the model have more than one column: {some}.",
            "Add up the columns of each of these genes, or leave one of them.",
        )
    first = ~names.duplicated()
    positions = np.flatnonzero(first)
    at = names[first].get_indexer(model_genes)
    return np.where(at >= 0, positions[at], -1)


def _without_versions(genes: Sequence[str]) -> list[str]:
    return [VERSION.sub(r"\1", name) for name in genes]
