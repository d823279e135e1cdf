"""Genes that mark types, and genes that differ between two groups: jobs, their tables kept."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scanvi_core import runtime
from scanvi_core.errors import InputError
from scanvi_core.services import derived, jobs
from scanvi_core.services.explore import gene_groups, gene_search, maps, telling_genes
from scanvi_core.services.explore.gene_groups import Groups
from scanvi_core.services.formatting import percent
from scanvi_core.services.workspace import IO_LANE, Workspace

if TYPE_CHECKING:
    from scanvi_core.project.runs import Run

GENE_TEST = "genes"
TEST, MODEL = "Wilcoxon test", "The model"
PER_TYPE, PER_PAIR = 25, 60  # genes kept
MODEL_CELLS = 2_000  # drawn per side
MIN_CELLS = 3
FIRST = 6  # markers of a cluster in sight
VERSION = 1


@dataclass(frozen=True)
class GeneTest:
    """What is asked: the markers of every group, or, of `two` groups, what differs.

    Attributes
    ----------
    method
        `TEST` (scanpy) or `MODEL` (the model's own uncertainty, freed of batches; two groups).
    """

    groups: Groups
    two: bool = False
    method: str = TEST

    def key(self, opened: Workspace) -> str:
        """Return the name under which the answer is kept."""
        run = opened.project.settings.get("current_run") if self.method == MODEL else ""
        counts = opened.dataset.manifest["counts_sha256"][:12]
        about = f"{VERSION}/{self.two}/{self.method}/{run}/{self.groups.digest}"
        return f"genes-{counts}-{zlib.crc32(about.encode()):08x}"


def answer(opened: Workspace, question: GeneTest) -> pd.DataFrame | None:
    """Return the table that answers a question; None before `start` has.

    Of markers: ``group``, ``gene``, ``score``, ``log2 change``, ``adjusted p``, ``seen in group``,
    ``seen in others``. Of two groups, positive scores and changes: higher in the first.
    """
    path = _path(opened, question)
    if not path.is_file():
        return None
    return opened.cache.get((path.name,), lambda: derived.table(path))


def cluster_markers(opened: Workspace) -> pd.DataFrame | None:
    """Return per cluster of the counts its cells and first markers; None before they are known.

    Columns ``cluster`` (from 1), ``cells``, ``named`` (what most of its cells are called by now,
    empty while most have no label), ``markers`` (in the order of
    `telling_genes.ordered`).
    """
    question = of_clusters(opened)
    table = answer(opened, question)
    if table is None:
        return None
    table = telling_genes.ordered(opened, table)
    first = table.groupby("group")["gene"].apply(lambda genes: ", ".join(genes[:FIRST]))
    sizes = np.bincount(question.groups.codes, minlength=len(question.groups.names))
    return pd.DataFrame(
        {
            "cluster": np.arange(1, len(sizes) + 1),
            "cells": sizes,
            "named": opened.cache.get(
                ("names of clusters", opened.labels().seq, question.groups.digest),
                lambda: _names(opened, question.groups.codes, len(sizes)),
            ),
            "markers": [first.get(name, "") for name in question.groups.names],
        }
    )


def _names(opened: Workspace, clusters: np.ndarray, n_clusters: int) -> list[str]:
    """Return what more than half of the cells of each cluster are called, '' for no name."""
    codes, names = opened.labels().compact()
    width, inside = len(names) + 1, clusters >= 0
    place = clusters[inside].astype(np.int64) * width + codes[inside] + 1
    table = np.bincount(place, minlength=n_clusters * width).reshape(n_clusters, width)
    words = ["", *names]
    return [words[code] if 2 * row[code] > row.sum() else "" for row, code in
            zip(table, table.argmax(axis=1), strict=True)]  # fmt: skip


def of_clusters(opened: Workspace) -> GeneTest:
    """Return the question which genes mark each cluster of the counts."""
    return GeneTest(gene_groups.groups(opened, maps.CLUSTER))


def start(opened: Workspace, question: GeneTest) -> str:
    """Answer a question in the background; return the job id.

    Raises
    ------
    InputError
        If a group has too few cells.
    JobRefused
        If another question is being answered.
    """
    groups = question.groups
    sizes = np.bincount(groups.codes[groups.codes >= 0], minlength=len(groups.names))
    few = [name for name, n in zip(groups.names, sizes, strict=True) if n < MIN_CELLS]
    if (question.two and few) or (sizes >= MIN_CELLS).sum() < 2:
        where = f" {few[0]} has fewer." if few else ""
        raise InputError(
            f"A comparison needs two groups of at least {MIN_CELLS} cells.{where}",
            "Choose other groups, or pick more cells.",
        )
    return jobs.submit(
        jobs.JobRequest(
            opened.id,
            GENE_TEST,
            IO_LANE,
            lambda job: _work(opened, question, job),
            changes=False,
        )
    )


def _work(opened: Workspace, question: GeneTest, job: jobs.Job) -> None:
    job.report(0.05, "Reading the cells")
    if question.method == MODEL:
        table = _by_model(opened, question.groups)
    else:
        table = _by_test(opened, question, job)
    path = _path(opened, question)
    path.parent.mkdir(exist_ok=True)
    job.step(0.9, "Keeping the table")
    with runtime.replacing(path) as temporary:
        derived.write_table(temporary, table)


def _by_test(opened: Workspace, question: GeneTest, job: jobs.Job) -> pd.DataFrame:
    def report(share: float) -> None:
        job.step(0.1 + 0.8 * share, f"Testing genes, {percent(share)} done")

    n = PER_PAIR if question.two else PER_TYPE
    return ranked(opened, question.groups, n, two=question.two, report=report)


def ranked(
    opened: Workspace, groups: Groups, n: int, *, two: bool = False,
    report: Callable[[float], None] = lambda _: None,
) -> pd.DataFrame:  # fmt: skip
    """Return `n` genes per group that a test ranks first, as `answer` tells them.

    Of `two` groups the first is held against the second, else each against all other cells.
    """
    from scanvi_core.annotation.genes.marker_tests import REST, rank_genes

    dataset = opened.dataset
    table = rank_genes(
        dataset.counts, groups.codes, groups.names, n, totals=dataset.totals,
        reference=1 if two else REST, report=report,
    )  # fmt: skip
    names = gene_search.index(opened).names
    columns = {
        "log2_change": "log2 change", "p_adjusted": "adjusted p", "share": "seen in group",
        "share_others": "seen in others",
    }  # fmt: skip
    return table.assign(gene=[names[at] for at in table["gene"]]).rename(columns=columns)


def _by_model(opened: Workspace, groups: Groups) -> pd.DataFrame:
    """Compare two groups by the current model; see `annotation.genes.differential.compare`."""
    from scanvi_core.annotation.genes.comparison import draw_per_group
    from scanvi_core.annotation.model.annotator import Annotator
    from scanvi_core.services.diagnostics.baselines import model_counts

    run = opened.current_run()
    if run is None:
        raise InputError("There is no model yet.", "Train one, or use the test.")
    model = Annotator.load(run.paths.model)
    rows = draw_per_group(groups.codes, 2, MODEL_CELLS)
    division = opened.batches(run.settings.batch_key)
    batches = np.array(division.names, dtype=object)[division.index[rows]]
    sides = groups.codes[rows] == 0, groups.codes[rows] == 1
    several = len(model.batch_names) > 1
    table = model.differential_expression(
        model_counts(opened, run, rows), sides, batches=batches if several else None
    )
    table = table.assign(at=_positions(opened, run)).sort_values(
        "log_bayes", ascending=False, kind="stable"
    )[:PER_PAIR]
    names = gene_search.index(opened).names
    return pd.DataFrame(
        {
            "group": groups.names[0],
            "gene": [names[at] for at in table["at"]],
            "score": table["log_bayes"].to_numpy(),
            "log2 change": table["lfc_median"].to_numpy(),
            "likely different": table["different"].to_numpy(),
            "seen in group": table["detected_a"].to_numpy(),
            "seen in others": table["detected_b"].to_numpy(),
        }
    )


def _positions(opened: Workspace, run: "Run") -> np.ndarray:
    """Return where the genes of a run's model are among all genes."""
    return np.asarray(pd.Index(opened.dataset.var_names).get_indexer(run.settings.genes))


def _path(opened: Workspace, question: GeneTest) -> Path:
    return opened.project.derived / f"{question.key(opened)}.parquet"
