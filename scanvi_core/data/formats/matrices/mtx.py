"""Matrix Market: a matrix, its genes and its cells, as many programs write and GEO keeps them.

The matrix is known by its banner, which side is which by what the lists hold. Layouts known:

- Cell Ranger ``filtered_feature_bc_matrix``, ``outs`` (10x Genomics, "Feature-barcode matrices")
- STARsolo ``Solo.out/{Gene,GeneFull,Velocyto}/{raw,filtered}`` (STAR, docs/STARsolo.md)
- kb-python ``cells_x_genes.mtx`` and the mature, nascent and ambiguous parts of ``--workflow nac``
- alevin-fry ``alevin/quants_mat.mtx``, also in USA mode (fishpond::loadFry: "scRNA" is S + A)
- Parse ``DGE_filtered/{count_matrix.mtx,all_genes.csv,cell_metadata.csv}``
- BD Rhapsody ``*_MolsPerCell_MEX.zip``; ``Matrix::writeMM`` of R with tables beside it
"""

import logging
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp

from scanvi_core.data.anndata_files.target import (
    Request,
    Tables,
    in_rows,
    new_h5ad,
    write_matrix,
    write_tables,
)
from scanvi_core.data.formats.matrices import lists, molecules
from scanvi_core.data.formats.matrices.folders import choose_matrix
from scanvi_core.data.formats.text.annotations import (
    described,
    joined_but_for_endings,
    joined_by_name,
    names_some,
    read_table,
)
from scanvi_core.data.guard.mtx_lines import open_mtx
from scanvi_core.data.guard.text import MTX_BANNER, MtxHeader, check_mtx
from scanvi_core.errors import FileRefused
from scanvi_core.hints import FETCH_AGAIN

logger = logging.getLogger(__name__)
BRING_ALL = (
    "Put the matrix, the list of genes (features) and the list of cells (barcodes) into one "
    "folder and open the folder, or upload the three together."
)


@dataclass(frozen=True, slots=True)
class Triple:
    """A matrix and the lists of its two sides.

    Attributes
    ----------
    genes, cells
        One list or more of either side.
    cells_in_rows
        Whether the rows of the matrix are cells; 10x puts them into columns.
    others
        Tables of another length that may describe some of the cells or genes.
    beside
        Texts named unlike the matrix, which may describe the cells.
    unread
        Names of texts that cannot be read.
    """

    matrix: Path
    genes: list[lists.List]
    cells: list[lists.List]
    cells_in_rows: bool
    header: MtxHeader
    others: list[lists.List] = field(default_factory=list)
    beside: list[lists.List] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    @property
    def shape(self) -> tuple[int, int]:
        """Cells and genes."""
        sides = self.header.n_rows, self.header.n_columns
        return sides if self.cells_in_rows else sides[::-1]

    @property
    def paths(self) -> set[Path]:
        """The files it is made of, the matrix aside."""
        return {one.path for one in (*self.genes, *self.cells, *self.others, *self.beside)}


def is_mtx(head: bytes) -> bool:
    """Tell whether a file that begins like this is a Matrix Market table."""
    return head.startswith(MTX_BANNER)


def convert(matrices: list[Path], texts: list[Path], request: Request) -> list[str]:
    """Write one matrix with its lists as .h5ad; return notices.

    Parameters
    ----------
    matrices
        Files with a Matrix Market banner.
    texts
        Other text files that may be their lists.
    """
    chosen, notes = choose_matrix(matrices, request)
    triple = find_lists(chosen.path, texts, request.memory_bytes)
    n_cells, n_genes = triple.shape
    genes = lists.genes_of(
        [read_table(one.path, one.seen, n_genes, notes) for one in triple.genes]
    )
    tables = {
        one.path.name: read_table(one.path, one.seen, n_cells, notes) for one in triple.cells
    }
    cells = lists.cells_of(tables, notes)
    cells, genes = _with_others(triple, cells, genes, notes)
    notes += [f"{name} cannot be read as a table: it was left aside." for name in triple.unread]
    parts = {name: _read(path, triple) for name, path in chosen.parts.items()}
    if not parts:
        counts = _read(triple.matrix, triple)
        genes, parts = molecules.split(counts, genes)
    layers = molecules.added_up(parts) if parts else {"X": counts}
    notes += molecules.notes(parts)
    with new_h5ad(request.target) as out:
        write_tables(out, Tables(cells, genes))
        for name, matrix in layers.items():
            key = name if name == "X" else f"layers/{name}"
            write_matrix(out, key, in_rows(matrix), matrix.shape, matrix.dtype)
    if triple.cells_in_rows:
        notes.append("The rows of the matrix are the cells.")
    return notes + _about_columns(cells)


def _about_columns(cells: pd.DataFrame) -> list[str]:
    if not cells.shape[1]:
        return []
    listed = ", ".join(list(cells)[:5]) + (", …" if cells.shape[1] > 5 else "")
    return [f"The list of cells describes them: {listed}."]


def find_lists(matrix: Path, texts: list[Path], memory_bytes: float) -> Triple:
    """Return a matrix with its lists.

    Raises
    ------
    FileRefused
        If one is missing or none has the right length.
    """
    header = check_mtx(matrix, memory_bytes)
    mine = [path for path in texts if path.parent == matrix.parent]
    prefix = re.match(r"(.*?)(matrix|counts|\.mtx)", matrix.name, re.IGNORECASE)
    if prefix and prefix[1]:
        mine = [path for path in mine if path.name.startswith(prefix[1])] or mine
    here = [path for path in texts if path.parent == matrix.parent]
    for near in (mine, texts):
        seen, unread = _looked_at(near, matrix)
        found = _sides(matrix, header, seen)
        if found is not None:
            beside, more = _looked_at([path for path in here if path not in near], matrix)
            return replace(found, beside=beside, unread=unread + more)
    listed = ", ".join(f"{one.path.name} ({one.seen.n_lines:,} lines)" for one in seen) or "none"
    raise FileRefused(
        f"{matrix.name} is {header.n_rows:,} × {header.n_columns:,}, but lists of genes and cells "
        f"of these lengths are not beside it (found: {listed}).",
        BRING_ALL,
    )


def _looked_at(texts: list[Path], matrix: Path) -> tuple[list[lists.List], list[str]]:
    """Return what texts show, and the names of those that cannot be read."""
    seen, unread = [], []
    for path in texts:
        try:
            seen.append(lists.look_at(path, matrix))
        except FileRefused as error:
            logger.warning("%s cannot be read", path.name, exc_info=error)
            unread.append(path.name)
    return seen, unread


def _sides(matrix: Path, header: MtxHeader, seen: list[lists.List]) -> Triple | None:
    """Return the matrix with its lists, turned as these say; None where one is missing."""
    best, most = None, -np.inf
    for cells_in_rows in (False, True):
        n_cells, n_genes = header.n_columns, header.n_rows
        if cells_in_rows:
            n_cells, n_genes = n_genes, n_cells
        cells = [one for one in seen if one.fits(n_cells) and (
            not one.fits(n_genes) or one.cell_like > 0)]  # fmt: skip
        genes = [one for one in seen if one.fits(n_genes) and one not in cells]
        score = sum(one.cell_like for one in cells) - sum(one.cell_like for one in genes)
        if cells and genes and score > most:
            others = [one for one in seen if one not in cells and one not in genes]
            best, most = Triple(matrix, genes, cells, cells_in_rows, header, others), score
    return best


def _with_others(
    triple: Triple, cells: pd.DataFrame, genes: pd.DataFrame, notes: list[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return both tables with the columns of others that name their rows; note what is left."""
    for other in (*triple.others, *triple.beside):
        table = _table(other)
        in_cells, said = (
            (None, "") if table is None else joined_but_for_endings(table, cells.index)
        )
        own = table is not None and other in triple.others  # genes are the same in other samples
        in_genes = joined_by_name(table, genes.index) if own and table is not None else None
        cells, genes = _joined(in_cells, cells), _joined(in_genes, genes)
        notes += [f"{other.path.name} describes the cells. {said}"] if said else []
        if in_cells is not None or in_genes is not None:
            continue
        if other in triple.others and other.is_list(triple.matrix):
            notes.append(
                f"{other.path.name} fits neither the cells nor the genes, with "
                f"{other.seen.n_lines:,} lines: it was left aside."
            )
        elif table is not None and names_some(table.to_numpy().ravel(), cells.index):
            notes.append(f"{other.path.name} names few of the cells: it was left aside.")
    return cells, genes


def _table(other: lists.List) -> pd.DataFrame | None:
    """Return a text as a table with titles; None where it is none."""
    width = {len(line) for line in other.seen.lines[1:]}
    if len(width) != 1 or width == {1}:
        return None
    return read_table(other.path, other.seen, other.seen.n_lines - 1)


def _joined(beside: pd.DataFrame | None, frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table with the new columns of one that was joined to it."""
    if beside is None:
        return frame
    new = beside[[name for name in beside if name not in frame]]
    return pd.concat([frame, described(new)], axis=1)


def _read(path: Path, triple: Triple) -> sp.csr_matrix:
    """Return the counts [cells, genes]; values keep their type."""
    from scipy.io import mmread

    with open_mtx(path) as stream:
        try:
            matrix = mmread(stream)
        except (ValueError, OverflowError) as error:
            line = re.match(r"Line (\d+)", str(error))
            where = f"line {line[1]} of it" if line else "it"
            raise FileRefused(
                f"{path.name} is damaged: {where} cannot be read as counts.",
                FETCH_AGAIN,
            ) from error
    if matrix.dtype == np.int64 and (not matrix.nnz or abs(matrix.data).max() < 2**31):
        matrix = matrix.astype(np.int32)
    matrix = (matrix if triple.cells_in_rows else matrix.T).tocsr()
    if matrix.shape != triple.shape:
        raise FileRefused(f"{path.name} has another shape than {triple.matrix.name}.", BRING_ALL)
    return matrix
