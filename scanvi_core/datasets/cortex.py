"""The mouse cortex cells of Zeisel et al. 2015, as published in one text file."""

import logging
import os
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import numpy as np

from scanvi_core import runtime
from scanvi_core.datasets.labeled_counts import LabeledCounts
from scanvi_core.errors import InputError

FILE_NAME = "expression_mRNA_17-Aug-2014.txt"
PATH_VARIABLE = "SCANVI_CORTEX"
SOURCES = (
    f"https://storage.googleapis.com/linnarsson-lab-www-blobs/blobs/cortex/{FILE_NAME}",
    f"https://exampledata.scverse.org/scvi-tools/{FILE_NAME}",
)
TIMEOUT_S = 30.0
CHUNK = 1 << 20
# The rows of the file, counted from 0. The first two columns hold names, not cells.
GROUP_ROW, CLASS_ROW, FIRST_GENE_ROW, FIRST_CELL = 1, 8, 11, 2
logger = logging.getLogger(__name__)


class CortexDataset(LabeledCounts):
    """3,005 cells of mouse cortex and hippocampus in seven classes (Zeisel et al. 2015).

    Keeps the genes of largest standard deviation, largest first, and the cells that have counts
    in them, as the data set of that name in scVI 0.6.8 did.

    Parameters
    ----------
    path
        The published text file. None: the file named by ``$SCANVI_CORTEX``, else the copy kept in
        the folder ``datasets`` of the program's home, else it is downloaded there.
    n_genes
        How many genes are kept; None: all of them.

    Attributes
    ----------
    precise_labels : group numbers of the file's second row, as codes [n, 1], int64

    Raises
    ------
    InputError
        If there is no such file and none can be downloaded, or it is not of the published form.

    References
    ----------
    Zeisel et al., Cell types in the mouse cortex and hippocampus revealed by single-cell RNA-seq,
    Science 2015, 10.1126/science.aaa1934.
    """

    def __init__(self, path: Path | str | None = None, n_genes: int | None = 558) -> None:
        groups, classes, genes, counts = _read(_locate(path))
        chosen = np.argsort([-row.std() for row in counts], kind="stable")[:n_genes]
        X = np.array([counts[gene] for gene in chosen]).T
        cells = X.any(axis=1)
        types, labels = np.unique(classes[cells], return_inverse=True)
        super().__init__(
            X[cells],
            labels,
            np.zeros(len(labels), dtype=np.int64),
            gene_names=genes[chosen].tolist(),
            cell_types=types.tolist(),
            n_batches=1,
        )
        self.precise_labels = np.unique(groups[cells], return_inverse=True)[1].reshape(-1, 1)


def _locate(path: Path | str | None) -> Path:
    """Return the file: the one named, else the kept copy, else a download."""
    named = path or os.environ.get(PATH_VARIABLE)
    if named is not None:
        if not Path(named).is_file():
            raise InputError(f"There is no file {named}.", f"Give the path of {FILE_NAME}.")
        return Path(named)
    copy = runtime.home() / "datasets" / FILE_NAME
    if not copy.is_file():
        _download(copy)
    return copy


def _download(target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    causes = []
    for url in SOURCES:
        try:
            with runtime.replacing(target) as temporary:
                _fetch(url, temporary)
                _read(temporary)  # an error page is not kept as data
        except (URLError, OSError, InputError) as error:
            logger.warning("%s could not be downloaded", url, exc_info=error)
            known = error.message if isinstance(error, InputError) else "it is unreachable"
            causes.append(f"{url.split('/')[2]}: {known}")
        else:
            return
    raise InputError(
        f"{FILE_NAME} could not be downloaded ({'; '.join(causes)}).",
        f"Put the file at {target}, or set {PATH_VARIABLE} to where it is.",
    )


def _fetch(url: str, target: Path) -> None:
    with urlopen(url, timeout=TIMEOUT_S) as response, target.open("wb") as file:  # noqa: S310  (our two https addresses)
        while chunk := response.read(CHUNK):
            file.write(chunk)


def _read(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[np.ndarray]]:
    """Return groups and classes [cells], gene names, and the counts [cells] of each gene."""
    groups = classes = np.zeros(0, dtype=str)
    genes: list[str] = []
    rows: list[np.ndarray] = []
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file):
                name, *cells = line.rstrip("\r\n").split("\t", FIRST_CELL)
                if number == GROUP_ROW:
                    groups = np.array(cells[-1].split("\t"))
                elif number == CLASS_ROW:
                    classes = np.array(cells[-1].split("\t"))
                elif number >= FIRST_GENE_ROW and cells:
                    genes.append(name)
                    rows.append(np.fromstring(cells[-1], dtype=np.int32, sep="\t"))
    except (ValueError, IndexError) as error:  # no numbers, bytes that are no text, empty rows
        raise _other_form(path, "not all of it can be read as counts") from error
    widths = {len(groups), len(classes), *map(len, rows)}
    if not rows or len(widths) > 1:
        raise _other_form(path, f"{len(rows)} rows of genes, rows of {sorted(widths)} cells")
    return groups, classes, np.array(genes), rows


def _other_form(path: Path, seen: str) -> InputError:
    return InputError(
        f"{path.name} is not of the published form: {seen}.",
        f"Give {FILE_NAME} as published: row 2 holds group numbers, row 9 the seven classes, "
        "genes follow from row 12 on, separated by tabs.",
    )
