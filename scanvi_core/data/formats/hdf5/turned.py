"""An AnnData file whose rows are the genes, turned round into a new one."""

from pathlib import Path

from scanvi_core.data.anndata_files.elements import copy_anndata
from scanvi_core.data.anndata_files.hdf5_file import opened
from scanvi_core.data.anndata_files.target import new_h5ad
from scanvi_core.data.guard.hdf5 import check_structure

KIND = "an .h5ad file with genes in its rows"


def turn(source: Path, target: Path, memory_bytes: float) -> list[str]:
    """Write `source` with its cells in rows; return notices.

    ``raw`` is left out: its genes are in no table that could become one of cells.

    Raises
    ------
    Unreadable
        If a part of it cannot be read.
    """
    with opened(source) as (file, _):
        check_structure(file, memory_bytes)
        with new_h5ad(target) as out:
            notes = copy_anndata(file, out, turned=True)
            if "raw" in file:
                notes.append("raw was left aside: it cannot be turned round.")
    return ["The rows were the genes: it was turned round.", *notes]
