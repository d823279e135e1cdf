"""What is written into a file for CELLxGENE Discover."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from scanvi_core import keys
from scanvi_core.data.blocks.mapped import entries
from scanvi_core.errors import InputError
from scanvi_core.export import cellxgene, terms
from scanvi_core.export.request import Column, ExportRequest, OwnCopy
from scanvi_core.services.export.cellxgene.fields import CELL_LINE, FIELDS
from scanvi_core.services.export.cellxgene.form import (
    Submission,
    cell_type_term,
    draft,
    gene_ids,
    term_of,
)
from scanvi_core.services.export.columns import words_column
from scanvi_core.services.workspace import Workspace


def adapted(
    opened: Workspace, request: ExportRequest, own: OwnCopy, labels: np.ndarray
) -> ExportRequest:
    """Return the request for a file that CELLxGENE takes: our columns, and those it asks for."""
    made = draft(opened)
    _refuse_reserved(set(request.obs) - {keys.TERM})
    genes, ids, _ = gene_ids(opened)
    rows = np.flatnonzero(_has_counts(opened, genes))
    obs = dict(request.obs) | _columns(opened, made, labels)
    maps = [name for name in (keys.UMAP_Z1, *opened.dataset.obsm_keys) if name.startswith("X_")]
    embedding = next(n for n in maps if n in request.obsm or n in opened.dataset.obsm_keys)
    about: dict[str, Any] = {
        cellxgene.TITLE: made.title.strip(),
        cellxgene.ORGANISM: made.organism,
        cellxgene.EMBEDDING: embedding,
    }
    return replace(
        request,
        obs={name: _rows(column, rows) for name, column in obs.items()},
        obsm={name: np.asarray(array)[rows] for name, array in request.obsm.items()},
        uns=dict(request.uns) | about,
        counts=None,
        own_copy=replace(
            own,
            obsm={name: path for name, path in own.obsm.items() if name not in request.obsm},
            rows=rows,
            genes=genes,
            gene_ids=ids,
            submission=True,
        ),
        replace=True,  # the user's columns of these names have got others
    )


def _refuse_reserved(names: Iterable[str]) -> None:
    """Raise `InputError` for a column whose name is CELLxGENE's own."""
    reserved = cellxgene.RESERVED & set(names)
    if reserved:
        raise InputError(
            f"CELLxGENE keeps the name {min(reserved)} for itself.",
            "Choose another name for the column of the final labels.",
        )


def _rows(column: Column, rows: np.ndarray) -> Column:
    """Return a column for some cells, without categories that none of them has."""
    if not isinstance(column, tuple):
        return np.asarray(column)[rows]
    codes = np.asarray(column[0])[rows]
    used = np.unique(codes[codes >= 0])
    table_ = np.full(len(column[1]) + 1, -1, dtype=np.int32)
    table_[used] = np.arange(used.size)
    return table_[codes], [column[1][code] for code in used]


def _columns(opened: Workspace, made: Submission, labels: np.ndarray) -> dict[str, Column]:
    """Return the columns CELLxGENE asks for, for all cells."""
    n_obs = opened.dataset.n_obs
    types, codes = np.unique(labels.astype(str), return_inverse=True)
    chosen = [cell_type_term(made, name) if name else "" for name in types]
    obs: dict[str, Column] = {
        keys.TERM: words_column(codes, [term or terms.UNKNOWN for term in chosen]),
        "tissue_type": (np.zeros(n_obs, dtype=np.int32), [made.kind]),
        "is_primary_data": np.full(n_obs, made.primary),
    }
    for item in FIELDS:
        column = made.columns.get(item.key, "")
        if item.scope is None and made.kind == CELL_LINE:
            obs[item.key] = (np.zeros(n_obs, dtype=np.int32), [terms.NOT_APPLICABLE])
        elif column:
            codes, names = opened.categories(column)
            ids = [term_of(made, item, value) for value in (*names, "")]
            obs[item.key] = words_column(np.where(codes < 0, len(names), codes), ids)
        else:
            obs[item.key] = (np.zeros(n_obs, dtype=np.int32), [term_of(made, item, "")])
    return obs


def _has_counts(opened: Workspace, genes: np.ndarray) -> np.ndarray:
    """Tell, per cell, whether it has a count in some genes: CELLxGENE takes no empty cells."""
    counts, by_gene = opened.dataset.counts, opened.dataset.counts_by_gene
    left = np.diff(counts.indptr).astype(np.int64)
    for gene in np.setdiff1d(np.arange(opened.dataset.n_vars), genes):
        left[entries(by_gene, gene, gene + 1)[1]] -= 1
    return left > 0
