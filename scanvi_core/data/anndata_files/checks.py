"""What an .h5ad file has to be like before its counts are read: shape, orientation, memory."""

import re

from scanvi_core import config
from scanvi_core.data.anndata_files.tables import Table
from scanvi_core.data.blocks.hdf5 import MatrixSource
from scanvi_core.errors import FileRefused
from scanvi_core.plurals import count, sizes

BARCODE = re.compile(r"[ACGT]{10,}")
BASE_BYTES = 200e6
BYTES_PER_VALUE = 24  # CSR and CSC copies, and the conversion between them: stored by columns
STREAM_BYTES, STREAM_BYTES_PER_NAME = 700e6, 40  # blocks of rows and what turning them takes


def check_orientation(obs: Table, var: Table) -> None:
    """Refuse a file whose cells lie in columns: the genes' table then describes cells."""
    sample = [str(name) for name in var.names[:100]]
    barcodes = sum(bool(BARCODE.search(name)) for name in sample)
    cells = sum(bool(BARCODE.search(str(name))) for name in obs.names[:100])
    if len(var.names) and barcodes > len(sample) / 2 and cells == 0:
        raise FileRefused(
            f"Cells and genes seem to be swapped: the genes are called {sample[0]}, ...",
            "If you were asked which way round it is, choose the other way. Else turn the file "
            "round with adata.T.write_h5ad('name.h5ad') and open that.",
        )


def check_shape(n_obs: int, n_vars: int, name: str) -> None:
    """Refuse a matrix of too few cells or genes for a model; `name` is what to call it."""
    if n_obs == 0:
        raise FileRefused("This file has no cells.", "Check the filters that made it.")
    if n_vars == 0:
        raise FileRefused("This file has no genes.", "Check the filters that made it.")
    if n_obs < config.MIN_CELLS:
        raise FileRefused(
            f"This file has {count(n_obs, 'cell')}; at least {config.MIN_CELLS} are needed.",
            "Choose a file with more cells.",
        )
    if n_vars < config.MIN_GENES:
        raise FileRefused(
            f"{name} has {count(n_vars, 'gene')}; at least {config.MIN_GENES} are needed.",
            "Choose a file with more genes.",
        )


def check_memory(source: MatrixSource, n_values: int, memory_mb: float) -> float:
    """Return the megabytes that loading a matrix takes; refuse when there are fewer."""
    needed = BASE_BYTES + BYTES_PER_VALUE * n_values + 16 * sum(source.shape)
    if source.stored != "csc":
        needed = min(needed, STREAM_BYTES + STREAM_BYTES_PER_NAME * sum(source.shape))
    needed /= 1e6
    if needed > memory_mb:
        asked, free = sizes(needed * 1e6, memory_mb * 1e6)
        raise FileRefused(
            f"Not enough memory: {source.name} needs {asked}, {free} may be used.",
            "Close other programs, use a larger machine, or keep fewer genes in the file.",
        )
    return needed
