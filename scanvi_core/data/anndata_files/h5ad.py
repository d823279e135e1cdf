"""Read one .h5ad file: guard, tables, choice of the count matrix, mends, numbers per cell.

Runs in the child process only.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scanvi_core.data import repairs
from scanvi_core.data.anndata_files import features, findings
from scanvi_core.data.anndata_files.checks import check_memory, check_orientation, check_shape
from scanvi_core.data.anndata_files.gene_names import symbol_column
from scanvi_core.data.anndata_files.hdf5_file import opened
from scanvi_core.data.anndata_files.rounding import choose_or_round
from scanvi_core.data.anndata_files.tables import Table, read_table
from scanvi_core.data.blocks.hdf5 import MatrixSource, find_matrices, raw_genes_key
from scanvi_core.data.blocks.nodes import (
    NUMBERS,
    Unreadable,
    dtype_of,
    is_group,
    names_in,
    read,
    shape_of,
)
from scanvi_core.data.blocks.progress import COPYING, LOOKING, watched
from scanvi_core.data.counts import choose
from scanvi_core.data.counts.convert import CountsConverter, converted_blocks
from scanvi_core.data.guard import signatures
from scanvi_core.data.guard.hdf5 import check_structure
from scanvi_core.errors import CountsNotFound, FileRefused

MAX_EMBEDDING = 512  # wider tables in obsm are measurements, not embeddings
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pending:
    """Counts that are still in their file.

    Attributes
    ----------
    path, facts
        The file, and its size and time of change when the rest of it was read.
    report
        What was found about the matrix.
    keep
        Which of its genes are taken, bool.
    shape
        Cells and genes of the file, which are not always those of the matrix.
    memory_mb
        Memory that may be used.
    n_notes
        Notices that the manifest had before the counts were read.
    """

    path: Path
    facts: dict[str, Any]
    report: choose.MatrixReport
    keep: np.ndarray
    shape: tuple[int, int]
    memory_mb: float
    n_notes: int


@dataclass(frozen=True, slots=True)
class Content:
    """What a file holds, mended and ready to write; its counts are yet to be copied.

    Attributes
    ----------
    pending
        What :func:`scanvi_core.data.intake.store.store` copies; None when counts were not asked
        for.
    obs, var, obsm, manifest
        As :func:`scanvi_core.data.dataset.write_dataset` takes them.
    symbols
        The genes' display names.
    """

    pending: Pending | None
    obs: pd.DataFrame
    var: pd.DataFrame
    obsm: dict[str, np.ndarray]
    symbols: np.ndarray | None
    manifest: dict[str, Any]


def read_file(
    path: Path,
    matrix: str | None,
    memory_mb: float,
    *,
    whole: bool,
    answers: Mapping[str, str] | None = None,
) -> Content:
    """Read a file; with `whole` off, everything but the counts themselves.

    Parameters
    ----------
    path
        The user's file; opened for reading only.
    matrix
        Matrix to take as counts, or None to find it.
    memory_mb
        Memory that may be used.
    whole
        Whether the counts are wanted.
    answers
        Answers to questions about the file, by `Question.key`.

    Raises
    ------
    InputError
        If the file cannot be used; see :mod:`scanvi_core.errors`.
    GenesInRows
        If its owner says that it has to be turned round.
    """
    answers = answers or {}
    with opened(path) as (file, facts):
        obs_table, var_table = _checked_tables(file, path.name, memory_mb, answers)
        shape = len(obs_table.names), len(var_table.names)
        sources, notes = _find_matrices(file, shape)
        genes = _Genes(file, path.name, var_table, answers)
        obs, cell_notes, obs_notes = _cells(obs_table)
        columns = findings.about_columns(obs)
        reports = _judge_all(sources, obs, columns, genes, memory_mb)
        chosen = choose_or_round(reports, matrix, answers, path.name)
        table, keep, gene_notes = genes.of(chosen.name)
        source = next(item for item in sources if item.name == chosen.name).only(keep)
        needed_mb = check_memory(source, chosen.n_values, memory_mb)
        check_shape(*chosen.shape, chosen.name)
        var, name_notes = _named_genes(table)
        table_notes = gene_notes + cell_notes + name_notes + obs_notes
        obsm, obsm_notes = _embeddings(file, len(obs))
        recovery_notes, recovery = _tried_recovery(source, chosen, obs, var, needed=not whole)
    symbol = symbol_column(var)
    notes = [*recovery_notes, *notes, *table_notes, *repairs.symbol_note(var, symbol), *obsm_notes]
    about = {"name": path.stem, "source": facts | {"sha256": ""}, "needed_mb": round(needed_mb)}
    about |= {"n_obs": len(obs), "n_vars": len(var), "obsm": list(obsm), "symbol_column": symbol}
    manifest: dict[str, Any] = about | {"repairs": notes, "recovery": recovery} | columns
    findings.add_findings(manifest, reports, chosen)
    manifest["warnings"] += findings.speaks_against(chosen, obs, columns)
    pending = Pending(path, facts, chosen, keep, shape, memory_mb, len(manifest["repairs"]))
    symbols = var[symbol].astype(str).to_numpy() if symbol else var.index.to_numpy()
    return Content(pending if whole else None, obs, var, obsm, symbols, manifest)


def _checked_tables(
    file: Any, name: str, memory_mb: float, answers: Mapping[str, str]
) -> tuple[Table, Table]:
    """Return obs and var of a file whose structure is sound."""
    check_structure(file, memory_mb * 1e6)
    signatures.check_is_anndata(file, name)
    obs, var = read_table(file, "obs"), read_table(file, "var")
    check_shape(len(obs.names), len(var.names), "This file")
    check_orientation(obs, var, answers, name)
    return obs, var


@dataclass(slots=True)
class _Genes:
    """The tables of genes of a file, ``raw`` having its own, and which of them are worked with."""

    file: Any
    name: str
    var: Table
    answers: Mapping[str, str]
    known: dict[str, tuple[Table, np.ndarray, list[str]]] = field(default_factory=dict)

    def of(self, matrix: str) -> tuple[Table, np.ndarray, list[str]]:
        """Return the table of the genes taken of a matrix, which they are, and notices."""
        key = raw_genes_key(self.file) if matrix == "raw.X" else "var"
        if key not in self.known:
            table = self.whole(matrix)
            keep, notes = features.choose(table.columns, table.names, self.answers, self.name)
            self.known[key] = table.rows(keep), keep, notes
        return self.known[key]

    def whole(self, matrix: str) -> Table:
        """Return the table of all the genes of a matrix."""
        return read_table(self.file, raw_genes_key(self.file)) if matrix == "raw.X" else self.var


def _find_matrices(file: Any, shape: tuple[int, int]) -> tuple[list[MatrixSource], list[str]]:
    sources, notes = find_matrices(file, *shape)
    if notes and not sources:
        raise CountsNotFound(" ".join(notes), choose.NEED_COUNTS)
    return sources, notes


def _tried_recovery(
    source: MatrixSource,
    chosen: choose.MatrixReport,
    obs: pd.DataFrame,
    var: pd.DataFrame,
    *,
    needed: bool,
) -> tuple[list[str], dict[str, Any] | None]:
    """Return notices and facts of recovered counts: that it works is known once it was done."""
    if not (needed and chosen.recoverable):
        return [], None
    converter = CountsConverter(chosen, obs, var.index.to_numpy(dtype=object))
    for _ in converted_blocks(watched(source, COPYING), converter):
        pass
    return converter.finish()


def _judge_all(
    sources: list[MatrixSource],
    obs: pd.DataFrame,
    columns: dict[str, Any],
    genes: _Genes,
    memory_mb: float,
) -> list[choose.MatrixReport]:
    reports = []
    batches = findings.batches_of(obs, columns)
    names = obs.index.to_numpy(dtype=object)
    for at, source in enumerate(sources):
        n_named = len(genes.whole(source.name).names)
        if n_named != source.shape[1]:
            raise FileRefused(
                f"{source.name} has {source.shape[1]:,} genes but {n_named:,} gene names.",
                "The file is damaged: save it again where it was made.",
            )
        if source.stored != "dense" and len(sources) == 1:
            check_memory(source, source.n_stored, memory_mb)
        stage = LOOKING.part(at, len(sources))
        table, keep, _ = genes.of(source.name)
        taken, several = watched(source.only(keep), stage), len(sources) > 1
        report = choose.judge(taken, names, table.names, batches, compare=several)
        reports.append(choose.with_scales(report, obs))
    return reports


def _cells(table: Table) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Return obs, and notices about the names and about the columns."""
    names, notes = repairs.unique_names(table.names, "cell")
    obs, more = repairs.tidy_columns(table.columns, names)
    return obs, notes, table.notes + more


def _named_genes(table: Table) -> tuple[pd.DataFrame, list[str]]:
    names, notes = repairs.unique_names(table.names, "gene")
    return repairs.tidy_columns(table.columns, names)[0], notes


def _embeddings(file: Any, n_obs: int) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return the plain numeric tables of obsm as float32, and notes about the others."""
    embeddings: dict[str, np.ndarray] = {}
    notes: list[str] = []
    group = file.get("obsm")
    if is_group(group):
        try:
            names = names_in(group)
        except Unreadable as error:
            logger.warning("obsm cannot be read", exc_info=error)
            return {}, [f"obsm cannot be read and was left out ({error})."]
    else:  # one table of all, as anndata wrote before 0.7
        kind = None if group is None else dtype_of(group)
        names = list((kind and kind.names) or ())
    for name in names:
        try:
            node = read(group, name)
            shape, kind = shape_of(node) or (), dtype_of(node)
            fits = len(shape) == 2 and shape[0] == n_obs and 0 < shape[1] <= MAX_EMBEDDING
            if not fits or kind is None or kind.kind not in NUMBERS:
                notes.append(f"obsm['{name}'] is not an embedding; it was left aside.")
                continue
            embeddings[name] = np.asarray(read(node), dtype=np.float32)
        except Unreadable as error:
            logger.warning("obsm['%s'] cannot be read", name, exc_info=error)
            notes.append(f"obsm['{name}'] cannot be read and was left out ({error}).")
    return embeddings, notes
