"""How right is a start from marker genes? Built-in markers against labels never shown.

``python -m benchmarks.quality.markers FOLDER`` needs some minutes of one processor; FOLDER
keeps the program's copies of the data and what was measured. For four labeled sets of
`benchmarks.data_sets` whose tissue is built in (the others are kept aside; `ACCEPTED` says by hand
which built-in types each label may be called):

- Each method of `benchmarks.quality.marker_methods` names every cell by its best type.
- What the program would offer: the cells it says something of, and how often that is right.
- The review without a model, where a user says yes (A) to every offer and skips all else, two
  cards from each part of the data, without a look: how many keys, how many cells get a name, how
  many rightly.
- A ``quick`` SCANVI trained on these names, and one on the true names of the same cells: how often
  each is right on all cells, mean over types beside it. Types that were never offered cannot be
  named by either.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import data_sets
from benchmarks.accuracy.cells import BATCH, LABELS, N_GENES
from benchmarks.quality.marker_methods import METHODS, Given, by_cluster
from benchmarks.results_file import Cell, Result, write
from scanvi_core.annotation.layout.louvain import louvain_clusters, pca_of
from scanvi_core.annotation.markers.cluster_scores import SAID, GeneSet, strengths
from scanvi_core.annotation.review.card_clusters import Clusters, make_clusters
from scanvi_core.annotation.review.first_cards import discovery_cards
from scanvi_core.data.dataset import Dataset
from scanvi_core.data.genes.choose import variable_genes
from scanvi_core.data.intake.import_file import import_file
from scanvi_core.data.markers.collection import HUMAN, MOUSE, markers_of
from scanvi_core.data.markers.matching import GeneNames
from scanvi_core.data.normalization import log_normalized

CARDS = 2  # from each part of the data
CD4, CD8 = "CD4-positive, alpha-beta T cell", "CD8-positive, alpha-beta T cell"
REGULATORY, NK, B = "regulatory T cell", "natural killer cell", "B cell"
CLASSICAL, NON_CLASSICAL = "classical monocyte", "non-classical monocyte"
DC, PDC = "conventional dendritic cell", "plasmacytoid dendritic cell"
PROGENITOR, DUCTAL = "pancreatic endocrine progenitor cell", "pancreatic ductal cell"
BLOOD = ("blood", HUMAN)
ACCEPTED: dict[str, tuple[tuple[str, str], dict[str, tuple[str, ...]]]] = {
    "kang_ifnb_2800": (BLOOD, {
        "CD14 Mono": (CLASSICAL,), "CD16 Mono": (NON_CLASSICAL,), "CD4 Naive T": (CD4,),
        "CD4 Memory T": (CD4, REGULATORY), "T activated": (CD4, CD8, REGULATORY),
        "CD8 T": (CD8,), "NK": (NK,), "B": (B,), "B Activated": (B,), "DC": (DC,), "pDC": (PDC,),
        "Mk": ("megakaryocyte",), "Eryth": ("erythrocyte",),
    }),
    "pbmc68k_reduced_counts": (BLOOD, {
        "Dendritic": (DC, PDC), "CD14+ Monocyte": (CLASSICAL, NON_CLASSICAL),
        "CD19+ B": (B, "plasma cell"), "CD4+/CD25 T Reg": (REGULATORY, CD4),
        "CD8+ Cytotoxic T": (CD8,), "CD8+/CD45RA+ Naive Cytotoxic": (CD8,), "CD56+ NK": (NK,),
        "CD4+/CD45RO+ Memory": (CD4,), "CD4+/CD45RA+/CD25- Naive T": (CD4,),
        "CD34+": ("hematopoietic stem cell",),
    }),
    "pancreas_endo_1k": (("pancreas", MOUSE), {
        "Ductal": (DUCTAL,), "Ngn3 low EP": (PROGENITOR, DUCTAL), "Ngn3 high EP": (PROGENITOR,),
        "Pre-endocrine": (PROGENITOR,), "Alpha": ("pancreatic A cell",),
        "Beta": ("type B pancreatic cell",), "Delta": ("pancreatic D cell",),
        "Epsilon": ("pancreatic epsilon cell",),
    }),
    "tms_liver": (("liver", MOUSE), {
        "endothelial cell of hepatic sinusoid": ("endothelial cell of hepatic sinusoid",),
        "myeloid leukocyte": ("Kupffer cell", "monocyte", DC, "neutrophil"),
        "hepatocyte": ("hepatocyte",), "B cell": (B,), "T cell": ("T cell",),
    }),
}  # fmt: skip


@dataclass(frozen=True)
class Start:
    """A data set as it is before anything is named, and what markers say of it.

    Attributes
    ----------
    dataset
        The program's copy.
    names
        Types that are scored.
    sets
        Positions of their genes.
    small, parts
        Tight clusters and parts of the data.
    types, right
        True name of each cell, and whether each type would be right for it [n, types].
    """

    dataset: Dataset
    names: tuple[str, ...]
    sets: tuple[GeneSet, ...]
    small: Clusters
    parts: np.ndarray
    types: np.ndarray
    right: np.ndarray

    def score(self, chosen: np.ndarray) -> tuple[float, float]:
        """Return how often types [n] are right (-1: not), of all cells and as mean over types."""
        good = self.right_of(chosen)
        return float(good.mean()), float(np.mean([good[self.types == one].mean()
                                                  for one in np.unique(self.types)]))  # fmt: skip

    def right_of(self, chosen: np.ndarray) -> np.ndarray:
        """Tell of each cell whether its type [n] is right; -1 is not."""
        return (chosen >= 0) & self.right[np.arange(len(chosen)), chosen]


def begin(name: str, folder: Path) -> Start:
    """Read a set, find its clusters as the program does, and its markers."""
    home = folder / name
    if not home.exists():
        import_file(data_sets.path(name), home)
    dataset = Dataset.open(home)
    (tissue, species), accepted = ACCEPTED[name]
    found = GeneNames(dataset.var_names.tolist(), dataset.symbols.tolist())
    scored = found.match(markers_of(tissue, species)).scored
    logs = log_normalized(dataset.genes_matrix(chosen_genes(dataset)), dataset.totals)
    pca = pca_of(logs)
    small = make_clusters(np.zeros((len(pca), 1)), lambda rows: pca[rows])
    names = tuple(one.name for one in scored)
    types = dataset.values(LABELS).astype(str).to_numpy()
    right = np.array([[own in accepted[one] for own in names] for one in types])
    sets = tuple(GeneSet(one.positive, one.negative) for one in scored)
    return Start(dataset, names, sets, small, louvain_clusters(pca), types, right)


def chosen_genes(dataset: Dataset) -> np.ndarray:
    """Return the variable genes."""
    return variable_genes(dataset.folder, N_GENES, batch_key(dataset))


def batch_key(dataset: Dataset) -> str | None:
    """Return the column of the batches, if there is one."""
    return BATCH if BATCH in dataset.manifest["obs_columns"] else None


def compared(start: Start) -> dict[str, tuple[float, float]]:
    """Return per method how often the best type of each cell is right."""
    counts = start.dataset.counts[:]
    logs = log_normalized(counts, start.dataset.totals).tocsc()
    given = Given(counts, logs, start.sets, start.small.codes, start.parts)
    return {name: start.score(way(given).argmax(axis=1)) for name, way in METHODS.items()}


def opinion(start: Start) -> np.ndarray:
    """Return what the program says of each cell [n], -1 for nothing."""
    logs = log_normalized(start.dataset.counts[:], start.dataset.totals).tocsc()
    best, sure = strengths(by_cluster(logs, start.sets, start.small.codes, start.parts))
    return np.where(sure >= SAID, best, -1)[start.small.codes]


def accepted_offers(
    said: np.ndarray, small: Clusters, parts: np.ndarray
) -> tuple[np.ndarray, int]:
    """Say yes to the offers of the first cards; return the names [n], -1 for none, and the keys.

    An offer names the cells of a card, and those of the same part of which the same is said.
    """
    named, keys = np.full(len(said), -1), 0
    asked: dict[int, int] = {}
    waiting = np.ones(len(said), dtype=bool)
    while cards := discovery_cards(small, parts, named, waiting):
        part = int(np.bincount(parts[cards[0].rows]).argmax())
        rows = cards[0].rows
        waiting[rows] = False
        if asked.get(part, 0) >= CARDS:
            waiting[parts == part] = False
            continue
        keys += 1  # A, or S to skip
        asked[part] = asked.get(part, 0) + 1
        heard = said[rows][said[rows] >= 0]
        if 2 * heard.size > rows.size:
            name = int(np.bincount(heard).argmax())
            chosen = (parts == part) & (said == name)
            chosen[rows] = True
            chosen &= named < 0
            named[chosen], waiting[chosen] = name, False
    return named, keys


def trained(start: Start, labels: np.ndarray, seed: int = 0) -> np.ndarray:
    """Train on labels [n] (codes of `names`, -1: none); return the predicted codes [n]."""
    from scanvi_core.annotation.model.annotator import Annotator
    from scanvi_core.annotation.model.inputs import Inputs
    from scanvi_core.config import ModelConfig, TrainConfig

    dataset, genes = start.dataset, chosen_genes(start.dataset)
    counts = dataset.genes_matrix(genes)
    key = batch_key(dataset)
    column = dataset.values(key).astype(str) if key else np.repeat("all", dataset.n_obs)
    batches, batch = np.unique(column, return_inverse=True)
    seen = np.unique(labels[labels >= 0])
    y = np.where(labels >= 0, np.searchsorted(seen, labels), -1)
    names = tuple(start.names[code] for code in seen)
    genes_here = tuple(map(str, dataset.var_names[genes]))
    shown = Inputs(counts, genes_here, y, names, batch, tuple(map(str, batches)))
    config = TrainConfig(preset="quick", seed=seed, device="cpu")
    told = Annotator.fit(shown, ModelConfig(), config).predict(counts)
    return seen[told.probabilities.argmax(axis=1)]


def true_names(start: Start, labels: np.ndarray) -> np.ndarray:
    """Return the right built-in type of each named cell [n]: its own where that is right."""
    usual = start.right.argmax(axis=1)
    right = np.where(start.right_of(labels), labels, usual)
    return np.where((labels >= 0) & start.right.any(axis=1), right, -1)


def measured(name: str, folder: Path) -> dict[str, Any]:
    """Measure one set."""
    start = begin(name, folder)
    said = opinion(start)
    named, keys = accepted_offers(said, start.small, start.parts)
    speaks = said >= 0
    majority = [start.right_of(said)[(start.small.codes == code) & speaks].mean() > 0.5
                for code in np.unique(start.small.codes[speaks])]  # fmt: skip
    return {
        "set": name, "methods": compared(start), "said": float(speaks.mean()),
        "said right": float(start.right_of(said)[speaks].mean()),
        "clusters right": float(np.mean(majority)), "keys": keys,
        "named": int((named >= 0).sum()), "cells": len(said),
        "named right": float(start.right_of(named)[named >= 0].mean()),
        "trained": start.score(trained(start, named)),
        "trained on the truth": start.score(trained(start, true_names(start, named))),
    }  # fmt: skip


def methods_table(done: Sequence[dict[str, Any]]) -> Result:
    """Return the comparison of methods."""
    rows: list[list[Cell]] = []
    for method in METHODS:
        scores = [one["methods"][method] for one in done]
        own = [f"{all_cells:.3f} / {by_type:.3f}" for all_cells, by_type in scores]
        mean = np.mean(scores, axis=0)
        rows.append([method, *own, f"{mean[0]:.3f} / {mean[1]:.3f}"])
    about = [
        "Share of all cells named rightly / mean over the true types, each cell by its best type.",
        "All scores are means over the same clusters of about ten similar cells.",
    ]
    columns = ("score", *(one["set"] for one in done), "mean")
    return Result("Scores of built-in marker genes", COMMAND, columns, rows, about)


def start_table(done: Sequence[dict[str, Any]]) -> Result:
    """Return how right a start from marker genes is."""
    rows: list[list[Cell]] = [
        [
            one["set"], f"{one['said']:.0%}", f"{one['said right']:.0%}",
            f"{one['clusters right']:.0%}", one["keys"],
            f"{one['named']:,} of {one['cells']:,}", f"{one['named right']:.0%}",
            *(f"{a:.3f} / {b:.3f}" for a, b in (one["trained"], one["trained on the truth"])),
        ]
        for one in done
    ]  # fmt: skip
    about = [
        "A user who says yes to every offer without a look, two cards from each part of the data.",
        "Trained: quick SCANVI, one seed; right of all cells / mean over types.",
        "Score, weights of parts, sharpness and the score of no type were chosen on these sets.",
        "The names of their labels, not their genes, were known when the collection was written.",
        "Expect less elsewhere; zheng and onek1k are kept aside.",
    ]
    columns = ("set", "cells of which something is said", "of these right",
               "clusters mostly right", "keys", "cells named", "of these right",
               "trained on these", "trained on the true names of these")  # fmt: skip
    return Result("From no labels to a model by built-in marker genes", COMMAND, columns, rows,
                  about)  # fmt: skip


COMMAND = "python -m benchmarks.quality.markers FOLDER"


def main() -> None:
    """Measure, print, write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    data_sets.add_option(parser)
    asked = parser.parse_args()
    data_sets.paths(tuple(ACCEPTED))
    asked.folder.mkdir(parents=True, exist_ok=True)
    done = []
    for name in ACCEPTED:
        kept = asked.folder / f"{name}.json"
        if not kept.exists():
            kept.write_text(json.dumps(measured(name, asked.folder)))
        done.append(json.loads(kept.read_text()))
        sys.stdout.write(f"{name}: {done[-1]['said right']:.2f} of what is said\n")
        sys.stdout.flush()
    write("marker_methods", methods_table(done))
    write("markers", start_table(done))


if __name__ == "__main__":
    main()
