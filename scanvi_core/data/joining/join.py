"""Write several data sets as one .h5ad file, a block of rows at a time."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scanvi_core.data.anndata_files.target import (
    Tables,
    new_h5ad,
    write_matrix,
    write_tables,
)
from scanvi_core.data.blocks.columns import cut_blocks
from scanvi_core.data.blocks.hdf5 import Block
from scanvi_core.data.blocks.progress import JOINING
from scanvi_core.data.dataset import Dataset
from scanvi_core.data.joining.genes import SharedGenes, Source, shared_genes
from scanvi_core.data.joining.tables import all_cells, all_genes
from scanvi_core.plurals import count


def join(request: dict[str, Any]) -> dict[str, Any]:
    """Write the cells of all data sets with the genes they share.

    Parameters
    ----------
    request
        ``parts`` (of each its ``name`` and the ``folder`` of the data set), ``target`` (the new
        file) and ``batch_key`` (see `all_cells`).

    Returns
    -------
    dict
        ``n_obs``, ``n_vars``; ``separator`` and ``batch_key`` as in `JoinedCells`; ``notes``:
        what was joined and what was left out.

    Raises
    ------
    FileRefused
        If they share too few genes.
    ProjectError
        If the disk refuses.
    """
    sources = [
        Source(part["name"], Dataset.open(Path(part["folder"]))) for part in request["parts"]
    ]
    shared = shared_genes(sources)
    cells = all_cells(sources, request["batch_key"])
    target, shape = Path(request["target"]), (len(cells.obs), len(shared))
    with new_h5ad(target) as file:
        write_tables(file, Tables(cells.obs, all_genes(sources, shared)))
        write_matrix(file, "X", _blocks(sources, shared), shape, np.dtype(np.float32))
    notes = [_joined(sources, shared), *_lost(sources, shared)]
    about = {"separator": cells.separator, "batch_key": cells.batch_key, "notes": notes}
    return about | {"n_obs": shape[0], "n_vars": shape[1]}


def _blocks(sources: Sequence[Source], shared: SharedGenes) -> Iterator[Block]:
    first, n_obs = 0, sum(source.dataset.n_obs for source in sources)
    for source, positions in zip(sources, shared.positions, strict=True):
        for block in cut_blocks(source.dataset.counts, positions):
            JOINING.tell(first / n_obs)
            rows = np.repeat(np.arange(block.shape[0]), np.diff(block.indptr))
            yield first + rows, block.indices, block.data
            first += block.shape[0]


def _joined(sources: Sequence[Source], shared: SharedGenes) -> str:
    cells = ", ".join(f"{each.name} ({count(each.dataset.n_obs, 'cell')})" for each in sources)
    return f"The files were joined: {cells}. They share {count(len(shared), 'gene')}."


def _lost(sources: Sequence[Source], shared: SharedGenes) -> Iterator[str]:
    for source in sources:
        n = source.dataset.n_vars - len(shared)
        if n:
            yield f"{count(n, 'gene')} of {source.name} are not in all files and were left out."
