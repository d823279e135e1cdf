"""Matrix Market triples: a matrix, its genes and its cells, as 10x writes them and GEO keeps them.

The three are told apart by content: the matrix by its banner, the lists by their lengths, which
must be those of the matrix; names decide only where lengths cannot.
"""

import re
from dataclasses import dataclass
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
from scanvi_core.data.formats.question import Option, Question, answer
from scanvi_core.data.formats.tenx import choose_features
from scanvi_core.data.formats.texts import count_lines, glimpse
from scanvi_core.data.guard.text import MTX_BANNER, MtxHeader, check_mtx, open_text
from scanvi_core.errors import FileRefused

CELLS_NAMED = re.compile(r"barcode|cell|obs", re.IGNORECASE)
GENES_NAMED = re.compile(r"gene|feature|var", re.IGNORECASE)
BRING_ALL = (
    "Put the matrix, the list of genes (features) and the list of cells (barcodes) into one "
    "folder and open the folder, or upload the three together."
)


@dataclass(frozen=True, slots=True)
class Triple:
    """A matrix and the lists of its two sides.

    Attributes
    ----------
    cells_in_rows
        Whether the rows of the matrix are cells; 10x puts them into columns.
    """

    matrix: Path
    genes: Path
    cells: Path
    cells_in_rows: bool
    header: MtxHeader


def is_mtx(head: bytes) -> bool:
    """Tell whether a file that begins like this is a Matrix Market table."""
    return head.startswith(MTX_BANNER)


def convert(matrices: list[Path], texts: list[Path], request: Request) -> list[str]:
    """Write one triple as .h5ad; return notices.

    Parameters
    ----------
    matrices
        Files with a Matrix Market banner.
    texts
        Other text files that may be their lists.
    """
    named = {sample_name(path): path for path in matrices}
    if len(named) < len(matrices):
        named = {str(path.relative_to(request.path)): path for path in matrices}
    options = tuple(Option(name, name) for name in named)
    question = Question("sample", "It holds several samples. Which one do you want?", options)
    matrix = named[answer(question, request.answers, request.path.name)]
    triple = find_lists(matrix, texts, request.memory_bytes)
    features = _features(triple)
    keep, notes = choose_features(features, request)
    counts = _read(triple)[:, np.flatnonzero(keep)] if not keep.all() else _read(triple)
    cells = _listed(triple.cells, counts.shape[0])
    tables = Tables(pd.DataFrame(index=pd.Index(cells[0], dtype=object)), features[keep])
    with new_h5ad(request.target) as out:
        write_tables(out, tables)
        write_matrix(out, "X", in_rows(counts), counts.shape, counts.dtype)
    if triple.cells_in_rows:
        notes.append("The rows of the matrix are the cells.")
    return notes


def sample_name(path: Path) -> str:
    """Return what a matrix file is called apart from being one."""
    name = re.sub(r"\.mtx(\.gz)?$", "", path.name, flags=re.IGNORECASE)
    name = re.sub(r"[._-]*(matrix|counts?)$", "", name, flags=re.IGNORECASE)
    return name or path.parent.name


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
    lengths = {path: count_lines(path, memory_bytes) for path in mine}
    for cells_in_rows in (False, True):
        n_genes, n_cells = header.n_rows, header.n_columns
        if cells_in_rows:
            n_genes, n_cells = n_cells, n_genes
        genes = _best(lengths, n_genes, GENES_NAMED, CELLS_NAMED)
        cells = _best({k: v for k, v in lengths.items() if k != genes}, n_cells, CELLS_NAMED,
                      GENES_NAMED)  # fmt: skip
        if genes and cells:
            return Triple(matrix, genes, cells, cells_in_rows, header)
    listed = ", ".join(f"{path.name} ({n:,} lines)" for path, n in lengths.items()) or "none"
    raise FileRefused(
        f"{matrix.name} is {header.n_rows:,} × {header.n_columns:,}, but lists of genes and cells "
        f"of these lengths are not beside it (found: {listed}).",
        BRING_ALL,
    )


def _best(
    lengths: dict[Path, int], wanted: int, named: re.Pattern[str], other: re.Pattern[str]
) -> Path | None:
    """Return the list of a length, with a header or without; names break ties."""
    fitting = [path for path, n in lengths.items() if n in {wanted, wanted + 1}]
    fitting = [path for path in fitting if named.search(path.name)] or [
        path for path in fitting if not other.search(path.name)
    ]
    return min(fitting, key=lambda path: lengths[path] - wanted, default=None)


def _read(triple: Triple) -> sp.csr_matrix:
    """Return the counts [cells, genes]; values keep their type."""
    from scipy.io import mmread

    with open_text(triple.matrix, np.inf) as stream:
        try:
            matrix = mmread(stream)
        except (ValueError, OverflowError) as error:
            line = re.match(r"Line (\d+)", str(error))
            where = f"line {line[1]} of it" if line else "it"
            raise FileRefused(
                f"{triple.matrix.name} is damaged: {where} cannot be read as counts.",
                "Download or copy the file again and compare its size with the source.",
            ) from error
    if matrix.dtype == np.int64 and (not matrix.nnz or abs(matrix.data).max() < 2**31):
        matrix = matrix.astype(np.int32)
    return (matrix if triple.cells_in_rows else matrix.T).tocsr()


def _features(triple: Triple) -> pd.DataFrame:
    n = triple.header.n_columns if triple.cells_in_rows else triple.header.n_rows
    listed = _listed(triple.genes, n)
    names = ["gene_ids", "name", "feature_types"]
    if listed.shape[1] == 1:
        return pd.DataFrame(index=pd.Index(listed[0], dtype=object))
    columns = {key: listed[at].to_numpy() for at, key in enumerate(names) if at < listed.shape[1]}
    return pd.DataFrame(columns).set_index("name").rename_axis(None)


def _listed(path: Path, n: int) -> pd.DataFrame:
    """Return the first three columns of a list as text; a header line is left out."""
    seen = glimpse(path, np.inf)
    separator = seen.separator if len(seen.lines[0]) > 1 else "\t"
    with open_text(path, np.inf) as stream:
        frame = pd.read_csv(
            stream, sep=separator, header=None, dtype=str, keep_default_na=False,
            skip_blank_lines=True, usecols=range(min(3, len(seen.lines[-1]))),
        )  # fmt: skip
    return frame.iloc[len(frame) - n :].reset_index(drop=True)
