"""The markers of a report: a few genes of each type, and their levels in all types."""

import re

import numpy as np
import pandas as pd

from scanvi_core.export.figures.write import SVG
from scanvi_core.services.explore import colors, gene_search
from scanvi_core.services.export import columns, figures
from scanvi_core.services.export.columns import ExportChoice
from scanvi_core.services.export.figures import figure_file
from scanvi_core.services.report.parts import Picture, Section, Text
from scanvi_core.services.workspace import Workspace

PER_TYPE = 3  # genes of a type
MOST_TYPES = 40  # of more, a figure shows nothing
MIN_CELLS = 10  # of a type; a few cells mark nothing
CANDIDATES = 200  # ranked per type, since ribosomal genes may lead them
EVERYWHERE = re.compile(r"^(RP[LS]\d|RPLP\d|RPSA$|MRP[LS]\d|MT-)", re.IGNORECASE)


def markers(opened: Workspace, choice: ExportChoice) -> list[Section]:
    """Return the section of the markers of the final labels; none where there are no two types."""
    names, _ = columns.final_labels(opened, choice)
    types, cells = np.unique(names[names != ""].astype(str), return_counts=True)
    types = types[cells >= MIN_CELLS]
    if not 2 <= len(types) <= MOST_TYPES:
        return []
    codes = pd.Index(types).get_indexer(names).astype(np.int32)
    chosen = _genes(opened, codes, list(map(str, types)))
    if not chosen:
        return []
    levels = _levels(opened, codes, list(map(str, types)), chosen)
    drawn = figures.dots(levels, colors.type_colors(opened))
    caption = (
        "Levels of these genes: log(1 + counts per 10,000). Dot size: share of cells with a count."
    )
    words = (
        f"At most {PER_TYPE} genes of each type that are highest there against all other cells, "
        "by Wilcoxon's test on at most 10,000 cells. Ribosomal and mitochondrial genes are left "
        "out. Predicted labels were made from the same genes, which flatters them."
    )
    picture = Picture(figure_file(drawn, SVG), caption)
    return [Section("Markers of the types", [Text(words), picture])]


def _genes(opened: Workspace, codes: np.ndarray, types: list[str]) -> list[int]:
    """Return the positions of the genes to draw, those of the first type first, each once."""
    from scanvi_core.annotation.genes.marker_tests import rank_genes

    dataset, names = opened.dataset, gene_search.index(opened).names
    ranked = rank_genes(dataset.counts, codes, types, CANDIDATES, totals=dataset.totals)
    told = [not EVERYWHERE.match(names[at]) for at in ranked["gene"]]
    ranked = ranked[np.array(told, dtype=bool) & (ranked["log2_change"] > 0)]
    first = ranked.drop_duplicates("gene").groupby("group", sort=False).head(PER_TYPE)
    return [int(at) for at in first["gene"]]


def _levels(
    opened: Workspace, codes: np.ndarray, types: list[str], chosen: list[int]
) -> pd.DataFrame:
    """Return the levels of genes in types, as `gene_groups.levels` does."""
    from scanvi_core.annotation.genes.levels import by_group

    dataset, names = opened.dataset, gene_search.index(opened).names
    mean, share = by_group(dataset.counts_by_gene, dataset.totals, chosen, codes, len(types))
    return pd.DataFrame(
        {
            "group": np.repeat(np.array(types, dtype=object), len(chosen)),
            "gene": np.tile(np.array([names[at] for at in chosen], dtype=object), len(types)),
            "mean": mean.ravel(),
            "share": share.ravel(),
        }
    )
