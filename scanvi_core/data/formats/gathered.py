"""A collection that ``python -m scanvi_core gather`` made, read in place without annbatch."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from scanvi_core.data.anndata_files.target import (
    Request,
    Tables,
    new_h5ad,
    write_matrix,
    write_tables,
)
from scanvi_core.data.blocks.columns import row_blocks
from scanvi_core.data.blocks.hdf5 import BLOCK_VALUES, SPARSE, Block
from scanvi_core.data.blocks.nodes import array_in, group_in, read
from scanvi_core.data.collection.collection import Collection


def convert(request: Request) -> list[str]:
    """Write the cells of all parts as one .h5ad, in the order of the files; return notices."""
    collection = Collection.open(request.path)
    columns = {name: collection.column(name).array for name in collection.about["obs_columns"]}
    obs = pd.DataFrame(columns, index=pd.Index(collection.obs_names, dtype=object))
    shape = collection.n_obs, collection.n_vars
    with new_h5ad(request.target) as out:
        write_tables(out, Tables(obs, collection.var))
        write_matrix(out, "X", _blocks(collection.parts), shape, np.dtype(np.float32))
    files = collection.about["files"]
    named = ", ".join(file["name"] for file in files[:5]) + (", …" if len(files) > 5 else "")
    return [f"Gathered from {len(files)} files: {named}."]


def _blocks(parts: list[Any]) -> Iterator[Block]:
    first = 0
    for part in parts:
        counts = group_in(part, "X", SPARSE)
        data, indices = array_in(counts, "data"), array_in(counts, "indices")
        indptr = np.asarray(read(array_in(counts, "indptr")), dtype=np.int64)
        for start, stop in row_blocks(indptr, BLOCK_VALUES):
            inside = slice(int(indptr[start]), int(indptr[stop]))
            rows = np.repeat(np.arange(start, stop), np.diff(indptr[start : stop + 1]))
            yield first + rows, read(indices, inside), read(data, inside)
        first += len(indptr) - 1
