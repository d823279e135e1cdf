"""A data set that was opened the wrong way round: noticing it, and turning it."""

from dataclasses import dataclass
from pathlib import Path

from scanvi_core.errors import InputError
from scanvi_core.project.folder import Project
from scanvi_core.services.projects import library
from scanvi_core.services.projects.open_file import start
from scanvi_core.services.workspace import Workspace

LOOKED_AT = 2_000  # names of each side
SHARE = 0.02  # of the names of cells that must be usual genes: wells and barcodes never are


@dataclass(frozen=True, slots=True)
class Turned:
    """Why a data set seems to be turned.

    Attributes
    ----------
    gene
        A gene that is called a cell.
    cell
        What is called a gene.
    """

    gene: str
    cell: str


def looks_turned(opened: Workspace) -> Turned | None:
    """Tell whether the cells have names of genes, and the genes have none; None: all is well."""
    return opened.cache.get(("turned",), lambda: _looks_turned(opened))


def _looks_turned(opened: Workspace) -> Turned | None:
    from scanvi_core.data.names import GENE

    dataset = opened.dataset
    cells, genes = dataset.obs_names[:LOOKED_AT], dataset.symbols[:LOOKED_AT]
    called = [name for name in cells if GENE.fullmatch(str(name))]
    if len(called) < SHARE * len(cells) or any(GENE.fullmatch(str(name)) for name in genes):
        return None
    return Turned(str(called[0]), str(genes[0])) if called else None


def turn(opened: Workspace) -> str:
    """Start opening the data set turned round, from its own copy; return the new project.

    The project of the unturned one is put away. Columns that described the cells describe the
    genes afterwards. The file stays as it is.

    Raises
    ------
    InputError
        If labels were already given: they would be lost.
    """
    if opened.labels().seq:
        raise InputError(
            "Labels were already chosen for this data set.",
            "Open the file again to start over the other way round.",
        )
    turned = start(opened.project.name, lambda project: _write_turned(opened, project))
    library.archive(opened.id, away=True)
    return turned


def _write_turned(opened: Workspace, project: Project) -> Path:
    from scanvi_core.data.anndata_files.target import (
        Tables,
        in_rows,
        new_h5ad,
        write_matrix,
        write_tables,
    )

    dataset = opened.dataset
    counts = dataset.counts_by_gene.T  # CSR: rows of genes become rows of cells
    path = project.source / f"{dataset.manifest['name']}-turned.h5ad"
    with new_h5ad(path) as out:
        write_tables(out, Tables(obs=dataset.var, var=dataset.obs))
        write_matrix(out, "X", in_rows(counts), counts.shape, counts.dtype)
    return path
