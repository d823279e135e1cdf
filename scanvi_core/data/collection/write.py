"""Write a collection: the project's own copies of files, part by part, with annbatch."""

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from scanvi_core.data.blocks.columns import cut_blocks
from scanvi_core.data.blocks.write import regrouped
from scanvi_core.data.collection.annbatch import annbatch, unpacking
from scanvi_core.data.collection.collection import ABOUT, FORMAT
from scanvi_core.data.collection.counts import GAP
from scanvi_core.data.dataset import Dataset
from scanvi_core.data.joining.genes import SharedGenes, Source, shared_genes
from scanvi_core.data.joining.origin import SOURCE_COLUMN
from scanvi_core.data.joining.tables import cells_of, kinds_of_columns
from scanvi_core.errors import ProjectError, reason_of

PART_VALUES = 2**24  # counts of one part, held in memory while it is written: some 1 GB in all
SHARD = "128MB"  # one file of the store before packing
# How annbatch marks its own; its DatasetCollection opens the store by it.
MARK = {"encoding-type": "annbatch-preshuffled", "encoding-version": "0.1.0"}


def write_collection(
    folder: Path, sources: Sequence[Source], tell: Callable[[float], None] = lambda _: None
) -> dict[str, Any]:
    """Write a sharded zarr store of the genes that all files have; see `shared_genes`.

    Cells stay in the order of the files and of their rows; genes in that of the first file.

    Parameters
    ----------
    folder
        A new folder.
    sources
        At least one.
    tell
        Told which share of the cells is written.

    Returns
    -------
    dict
        `Collection.about`.

    Raises
    ------
    InputError
        If annbatch is missing, or the files have too few genes in common (`FileRefused`).
    ProjectError
        If the store cannot be written, for example on a full disk.
    """
    import zarr

    annbatch()
    shared = shared_genes(sources)
    n_obs = sum(source.dataset.n_obs for source in sources)
    var, numbers = _var(sources[0].dataset, shared), kinds_of_columns(sources, _is_storable)
    done, n_parts = 0, 0
    with _disk_explained(), zarr.config.set(unpacking()):
        root = zarr.open_group(folder, mode="w-", zarr_format=3)
        for source, positions in zip(sources, shared.positions, strict=True):
            start, obs = 0, cells_of(source, numbers)
            counts = source.dataset.counts
            for part in regrouped(cut_blocks(counts, positions), PART_VALUES):
                stop = start + part.shape[0]
                _write_part(folder / f"dataset_{n_parts}", part, obs.iloc[start:stop], var)
                done, n_parts, start = done + part.shape[0], n_parts + 1, stop
                tell(done / n_obs)
        about = {
            "format": FORMAT,
            "n_obs": n_obs,
            "n_vars": len(shared),
            "n_parts": n_parts,
            "obs_columns": [*numbers, SOURCE_COLUMN],
            "files": [_about(source) for source in sources],
        }
        root.update_attributes({**MARK, ABOUT: about})
    return about


def _var(dataset: Dataset, shared: SharedGenes) -> pd.DataFrame:
    """Return the table of the genes of a store: their names and symbols, as in the first file."""
    positions = shared.positions[0]
    symbols = np.array([str(name) for name in dataset.symbols[positions]], dtype=object)
    return dataset.var.iloc[positions, []].assign(symbol=symbols)


def _write_part(folder: Path, counts: sp.csr_array, obs: pd.DataFrame, var: pd.DataFrame) -> None:
    import anndata
    import zarr

    part = anndata.AnnData(sp.csr_matrix(counts), obs=obs, var=var)
    # A store of its own within the other: annbatch describes the whole store anew at every call.
    group = zarr.open_group(folder, mode="w-", zarr_format=3)
    with warnings.catch_warnings():
        # annbatch keeps a summary of the part that only some readers of zarr know.
        warnings.filterwarnings("ignore", "Consolidated metadata", UserWarning)
        annbatch().write_sharded(group, part, n_obs_per_chunk=min(GAP, len(obs)), shard_size=SHARD)


def _is_storable(name: str) -> bool:
    """Tell whether a column can keep its name: a store makes it the name of a folder."""
    taken = name in {".", "..", "_index", SOURCE_COLUMN} or name.startswith("__")
    return not taken and not re.search(r"[/\\\x00-\x1f]", name) and 0 < len(name.encode()) < 256


def _about(source: Source) -> dict[str, Any]:
    manifest = source.dataset.manifest
    odd = [name for name in manifest["obs_columns"] if not _is_storable(name)]
    names = ", ".join(repr(name[:40]) for name in odd)
    notes = [f"Columns whose names a store cannot have were left out: {names}."] if odd else []
    return {
        "name": source.name,
        "n_obs": source.dataset.n_obs,
        "n_vars": source.dataset.n_vars,
        "counts_source": manifest["counts_source"],
        "notes": [*manifest["repairs"], *notes],
    }


@contextmanager
def _disk_explained() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ProjectError(
            f"The store could not be written: {reason_of(error)}.",
            "Check the free space and the permissions of the folder.",
        ) from error
