"""Find which names of two halves of a data set mean the same cells, and which a part of others'.

``python -m benchmarks.quality.vocabularies [--seeds N]`` divides every data set in halves, whole
batches to each where there are some. Each half has names of its own. In the second, types that
belong together have one broader name, and each half lacks a type that the other has. The table is
``benchmarks/results/vocabularies.json``.
"""

import argparse
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import data_sets
from benchmarks.accuracy.cells import Cells, load
from benchmarks.results_file import Cell, Result, write
from scanvi_core.annotation.vocabularies import cross_predictions as crossed
from scanvi_core.annotation.vocabularies.relations import PART, SAME, Relation, relations
from scanvi_core.data.blocks.rows import take_rows

BROADER = {  # types that one person would call by one name
    "kang_ifnb_2800": (
        ("CD4 Naive T", "CD4 Memory T", "CD8 T", "T activated"), ("CD14 Mono", "CD16 Mono"),
        ("B", "B Activated"),
    ),
    "onek1k_40donors": (("monoc", "mononc"),),
    "pancreas_endo_1k": (("Beta", "Alpha", "Epsilon", "Delta"), ("Ngn3 low EP", "Ngn3 high EP")),
    "pbmc68k_reduced_counts": (
        ("CD4+/CD25 T Reg", "CD8+ Cytotoxic T", "CD8+/CD45RA+ Naive Cytotoxic",
         "CD4+/CD45RO+ Memory", "CD4+/CD45RA+/CD25- Naive T"),
    ),
    "scmixology": (("A549", "H838"),),
    "tms_liver": (("T cell", "B cell"),),
    "zheng_facs_pbmc": (
        ("CD8+ Cytotoxic T", "CD8+/CD45RA+ Naive Cytotoxic"),
        ("CD4+ T Helper2", "CD4+/CD45RO+ Memory", "CD4+/CD25 T Reg",
         "CD4+/CD45RA+/CD25- Naive T"),
    ),
}  # fmt: skip
COLUMNS = ("data set", "pairs that are the same", "found", "wrong", "parts of others", "found",
           "wrong")  # fmt: skip


@dataclass(frozen=True)
class Halves:
    """Names of two halves: codes [n], the half of each cell [n], what truly relates."""

    y: np.ndarray
    source: np.ndarray
    truth: frozenset[Relation]


def halves(cells: Cells, groups: Iterable[Iterable[str]], seed: int) -> Halves:
    """Give each half names: of the first those of the types, of the second some broader ones."""
    random, k = np.random.default_rng(seed), len(cells.type_names)
    batches = np.unique(cells.batch)
    if len(batches) > 1:
        second = np.isin(cells.batch, random.permutation(batches)[: len(batches) // 2])
    else:
        second = random.random(len(cells.batch)) < 0.5
    lacking = random.permutation(k)[:2]  # a type that the first half lacks, and one of the second
    y = np.where(cells.types == lacking[second.astype(int)], -1, cells.types)
    name = np.arange(k)
    for codes in ([cells.type_names.index(t) for t in group] for group in groups):
        name[codes] = codes[0]
    y = np.where(second & (y >= 0), k + name[y], y)
    there = [_enough(y[second == half]) for half in (False, True)]
    truth = set()
    for whole in there[1]:
        parts = [code for code in there[0] if name[code] == whole - k]
        how = SAME if np.count_nonzero(name == whole - k) == 1 else PART
        truth |= {Relation(code, whole, how) for code in parts}
    return Halves(y, second.astype(np.int64), frozenset(truth))


def _enough(y: np.ndarray) -> list[int]:
    codes, n = np.unique(y[y >= 0], return_counts=True)
    return [int(code) for code in codes[n >= crossed.LEAST_CELLS]]


def found_in(cells: Cells, named: Halves, seed: int) -> frozenset[Relation]:
    """Return what the program finds."""
    random = np.random.default_rng(seed)
    rows = crossed.drawn(named.y, random)
    y, source = named.y[rows], named.source[rows]
    shares = crossed.cross_predictions(take_rows(cells.counts, rows), y, source, random)
    return frozenset(relations(shares, crossed.apart(crossed.uses(y, source))))


def measure(name: str, cells: Cells, n_seeds: int) -> list[Cell]:
    """Return the row of a data set, counted over the draws."""
    counted = np.zeros(6, dtype=int)
    for seed in range(n_seeds):
        named = halves(cells, BROADER[name], seed)
        found = found_in(cells, named, seed)
        for at, how in enumerate((SAME, PART)):
            true = {pair for pair in named.truth if pair.how == how}
            said = {pair for pair in found if pair.how == how}
            counted[3 * at : 3 * at + 3] += (len(true), len(true & said), len(said - true))
    return [name, *map(int, counted)]


def main() -> None:
    """Ask all data sets, and write the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality.vocabularies")
    parser.add_argument("--seeds", type=int, default=5)
    data_sets.add_option(parser)
    asked = parser.parse_args()
    rows: list[list[Cell]] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in BROADER:
            rows.append(measure(name, load(data_sets.path(name), Path(folder)), asked.seeds))
            print(*rows[-1], flush=True)
    sums = np.array([row[1:] for row in rows], dtype=int).sum(axis=0)
    rows.append(["**all**", *map(int, sums)])
    write(
        "vocabularies",
        Result(
            "Names of two halves that mean the same cells, or a part of others'",
            "python -m benchmarks.quality.vocabularies",
            COLUMNS,
            rows,
            (
                f"Counted over {asked.seeds} draws; whole batches to a half where there are some.",
                "Each half lacks a type; types that belong together have one name in the second.",
                "A broader name counts as one even if the other half has one of its types only.",
            ),
        ),
    )


if __name__ == "__main__":
    main()
