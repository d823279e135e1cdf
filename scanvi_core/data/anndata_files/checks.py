"""What an .h5ad file has to be like before its counts are read: shape, orientation, memory."""

from collections.abc import Mapping

from scanvi_core import config, keys
from scanvi_core.data.anndata_files.tables import Table
from scanvi_core.data.blocks.hdf5 import MatrixSource
from scanvi_core.data.names import BARCODE, cells_in_rows, gene_share
from scanvi_core.data.question import Answers, Option, Question, answer
from scanvi_core.errors import FileRefused
from scanvi_core.hints import SMALLER_FILE
from scanvi_core.plurals import count, sizes

ORIENTATION, ROWS, COLUMNS = "orientation", "cells-in-rows", "cells-in-columns"
SWAPPED = -0.3  # of `cells_in_rows`, below which the sides are taken for swapped
DESCRIBED = 0.3  # what a table that describes cells adds: types, batches, totals
BASE_BYTES = 200e6
BYTES_PER_VALUE = 24  # CSR and CSC copies, and the conversion between them: stored by columns
STREAM_BYTES, STREAM_BYTES_PER_NAME = 700e6, 40  # blocks of rows and what turning them takes


class GenesInRows(Exception):
    """The rows of the matrix are the genes, as its owner says: it has to be turned round."""


def check_orientation(obs: Table, var: Table, answers: Mapping[str, str], name: str) -> None:
    """Ask which way round a file is whose cells seem to lie in columns.

    Raises
    ------
    ChoiceNeeded
        If they seem to, and nobody said.
    GenesInRows
        If its owner said so.
    FileRefused
        If they seem to though its owner was asked, as for a table of text.
    """
    if not _is_swapped(obs, var):
        return
    words = f"Cells and genes seem to be swapped: the genes are called {var.names[0]}, ..."
    if isinstance(answers, Answers) and ORIENTATION in answers.asked:
        raise FileRefused(words, "Choose the other way round.")
    n_rows, n_columns = f"{len(obs.names):,}", f"{len(var.names):,}"
    options = (
        Option(COLUMNS, "Turn it round", f"{n_columns} cells × {n_rows} genes"),
        Option(ROWS, "Leave it as it is", f"{n_rows} cells × {n_columns} genes"),
    )
    why = f"The rows are called {', '.join(map(str, obs.names[:3]))}, …"
    if answer(Question(ORIENTATION, words, options, COLUMNS, why), answers, name) == COLUMNS:
        raise GenesInRows


def _is_swapped(obs: Table, var: Table) -> bool:
    sample = [str(name) for name in var.names[:100]]
    barcodes = sum(bool(BARCODE.search(name)) for name in sample)
    cells = sum(bool(BARCODE.search(str(name))) for name in obs.names[:100])
    if len(var.names) and barcodes > len(sample) / 2 and cells == 0:
        return True
    score = cells_in_rows(obs.names, var.names)
    score += DESCRIBED * (_describes_cells(obs) - _describes_cells(var))
    return score < SWAPPED and gene_share(obs.names) > gene_share(var.names)


def _describes_cells(table: Table) -> bool:
    usual = {*keys.LABEL_COLUMNS, *keys.BATCH_COLUMNS, *keys.TOTAL_COLUMNS} - {"gene", "label"}
    return any(str(name).casefold() in usual for name in table.columns)


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
            SMALLER_FILE,
        )
    return needed
