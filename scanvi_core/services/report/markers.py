"""The markers of a report: a few genes of each type, and their levels in all types."""

import numpy as np
import pandas as pd

from scanvi_core.export.figures.write import SVG
from scanvi_core.services.explore import colors, gene_tests, telling_genes
from scanvi_core.services.explore.gene_groups import Groups, levels_of
from scanvi_core.services.export import columns, figures
from scanvi_core.services.export.columns import ExportChoice
from scanvi_core.services.export.figures import figure_file
from scanvi_core.services.report.parts import Picture, Section, Text
from scanvi_core.services.workspace import Workspace

PER_TYPE = 3  # genes of a type
MOST_TYPES = 40  # of more, a figure shows nothing
MIN_CELLS = 10  # of a type; a few cells mark nothing
CANDIDATES = 200  # ranked per type, since ribosomal genes may lead them


def markers(opened: Workspace, choice: ExportChoice) -> list[Section]:
    """Return the section of the markers of the final labels; none where there are no two types."""
    names, _ = columns.final_labels(opened, choice)
    types, cells = np.unique(names[names != ""].astype(str), return_counts=True)
    few = [str(name) for name in types[cells < MIN_CELLS]]
    types = types[cells >= MIN_CELLS]
    if not 2 <= len(types) <= MOST_TYPES:
        return []
    codes = pd.Index(types).get_indexer(names).astype(np.int32)
    groups = Groups("Final label", codes, tuple(map(str, types)), (), "")
    ranked = gene_tests.ranked(opened, groups, CANDIDATES)
    n = min(PER_TYPE, telling_genes.per_group(len(types)))
    told = telling_genes.of_groups(opened, ranked, n)
    if not told.genes:
        return []
    drawn = figures.dots(levels_of(opened, groups, told.genes), colors.type_colors(opened))
    caption = (
        "Levels of these genes, log(1 + counts per 10,000), from 0 in the type where a gene is "
        "lowest to 1 where it is highest. Dot size: share of cells with a count."
    )
    words = (
        f"At most {n} genes of each type that tell it from all other cells, ranked by Wilcoxon's "
        "test on at most 10,000 cells. Predicted labels were made from the same genes, which "
        "flatters them."
    )
    left_out = f"Not shown: {', '.join(few)}, fewer than {MIN_CELLS} cells." if few else ""
    behind = [Text(said) for said in (told.sentence, left_out) if said]
    picture = Picture(figure_file(drawn, SVG), caption)
    return [Section("Markers of the types", [Text(words), *behind, picture])]
