"""How a pack goes with the data of a project: which of its genes are there, and what is said."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from scanvi_core.data.joining.genes import IDS, NAMES, SYMBOLS, Found, find_genes
from scanvi_core.errors import FileRefused, ProjectError
from scanvi_core.plurals import count
from scanvi_core.project import pack
from scanvi_core.project.files import read_record
from scanvi_core.project.records import ModelRecord
from scanvi_core.services.workspace import Workspace

# Least share of the pack's genes. With half of them names were right 5 points less often on kang
# and as often on scmixology; with three in ten 13 and 0, with a tenth 33 and 5 points less often:
# python -m benchmarks.quality.packs
LEAST_SHARE = 0.3
DOUBTED_SHARE = 0.6  # below, it is said that names are worth less


@dataclass(frozen=True, eq=False)
class Fit:
    """What is to be known before a project begins from a pack.

    Attributes
    ----------
    name, made
        Of the pack, and when and by what it was made.
    types
        Its types with the cells they were learned from.
    positions
        Of the data's genes that are the pack's [genes of the pack], -1 where missing.
    notes
        What is told, in sentences.
    problem
        Why it cannot begin; empty where it can.
    """

    name: str
    made: str
    types: pd.DataFrame
    positions: np.ndarray
    notes: tuple[str, ...]
    problem: str = ""

    @property
    def n_shared(self) -> int:
        """How many genes of the pack are there."""
        return int(np.count_nonzero(self.positions >= 0))

    @property
    def share(self) -> float:
        """Their share."""
        return self.n_shared / len(self.positions)


def fit(opened: Workspace) -> Fit | None:
    """Return how the pack that was looked at goes with a project; None where none was.

    Raises
    ------
    ProjectError
        If it is damaged.
    """
    record = pack.read(opened.project)
    annotator = pack.folder_of(opened.project) / pack.ANNOTATOR
    if record is None or not annotator.is_file():
        return None
    genes = read_record(annotator, ModelRecord)["genes"]
    key = ("fit of pack", tuple(sorted(record["sha256"].items())), opened.batch_key)
    return opened.cache.get(key, lambda: _fit(opened, record, genes))


def _fit(opened: Workspace, record: dict[str, Any], genes: list[str]) -> Fit:
    named = {NAMES: genes, SYMBOLS: record["symbols"], IDS: record["ids"]}
    found = find_genes(named, opened.dataset)
    types = pd.DataFrame(record["types"])[["name", "labeled", "predicted"]]
    made = f"{record['program']}, {record['created'][:10]}"
    sparse_ = found.n_found < LEAST_SHARE * len(genes)
    problem = _too_few(found, genes, opened) if sparse_ else ""
    notes = () if problem else _notes(opened, found, len(genes))
    return Fit(record["name"], made, types, found.positions, notes, problem)


def _notes(opened: Workspace, found: Found, n_genes: int) -> tuple[str, ...]:
    share, missing = found.n_found / n_genes, n_genes - found.n_found
    notes = [f"{found.n_found:,} of the pack's {count(n_genes, 'gene')} are here ({share:.0%})."]
    if missing:
        notes.append(f"The {missing:,} others are filled in from what genes are like together.")
    if share < DOUBTED_SHARE:
        notes.append("So few genes make names less sure: check some of each type.")
    if found.named_by[0] != found.named_by[1]:
        by, here = found.named_by
        notes.append(f"Genes were found by {by} of the pack, {here} here.")
    n = len(opened.batches(opened.batch_key).names)
    if opened.batch_key is not None and n > 1:
        notes.append(f"{count(n, 'batch', 'batches')} here that the pack has not seen.")
    return tuple(notes)


def _too_few(found: Found, genes: list[str], opened: Workspace) -> str:
    theirs, ours = genes[len(genes) // 2], opened.dataset.var_names[opened.dataset.n_vars // 2]
    said = (
        f"{found.n_found:,} of the pack's {count(len(genes), 'gene')} are here; "
        f"{LEAST_SHARE:.0%} are needed."
    )
    if found.n_but_for_capitals >= LEAST_SHARE * len(genes):
        return (
            f"{said} But for capitals {found.n_but_for_capitals:,} are: the pack is of another "
            f"species ({theirs}, here {ours}), and what it learned is not known to hold here."
        )
    return f"{said} The pack calls a gene {theirs}, these data {ours}."


def checked(opened: Workspace) -> Fit:
    """Return how the pack goes with a project that can begin from it.

    Raises
    ------
    ProjectError
        If there is none.
    FileRefused
        If it has too few of its genes here.
    """
    found = fit(opened)
    if found is None:
        raise ProjectError("There is no pack to begin from.", "Choose a pack first.")
    if found.problem:
        raise FileRefused(
            found.problem,
            "Use a pack of the same species, or data with the other kind of gene names in var.",
        )
    return found
