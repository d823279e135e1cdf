"""The labels of a report: how many cells of each type, and where each label came from."""

import numpy as np
import pandas as pd

from scanvi_core import keys
from scanvi_core.colors import UNLABELED, type_color
from scanvi_core.export.figures.write import SVG
from scanvi_core.services.explore import colors, maps
from scanvi_core.services.explore.colors import Coloring
from scanvi_core.services.export import columns, figures
from scanvi_core.services.export.columns import ExportChoice
from scanvi_core.services.export.figures import figure_file
from scanvi_core.services.formatting import count
from scanvi_core.services.labels import holdout
from scanvi_core.services.report.parts import Picture, Section, Text, table_of
from scanvi_core.services.workspace import Workspace

SOURCES = {
    keys.GIVEN: "from the file", keys.MANUAL: "by hand", keys.ACCEPTED: "accepted predictions",
    keys.PREDICTED: "predictions", keys.PARENT: "predicted broader types",
}  # fmt: skip
HOW = {
    holdout.HIDDEN: "as whole donors, whose counts the model is shown",
    holdout.GROUP: "as whole donors, left out of training altogether",
}
NO_LABEL = "without a label"
VECTOR_CELLS = 5_000  # of more a map is a picture: the file stays small


def labels(opened: Workspace, choice: ExportChoice) -> Section:
    """Return the final labels as an export would write them, with their map."""
    names, sources = columns.final_labels(opened, choice)
    types = _types(names)
    places = colors.places_of(types, colors.type_colors(opened))
    codes = pd.Index(types).get_indexer(names)
    paint = [type_color(place) for place in places]
    table = _table(types, codes, sources)
    section = Section("Labels and where they came from", [Text(_known(opened))])
    if not types:
        section.add(Text("No cell has a label.", loud=True))
        return section
    if (codes < 0).any():
        paint = [*paint, UNLABELED]
    section.add(table_of(table, "Cells per type", paint=paint))
    if maps.embeddings(opened):
        coloring = Coloring("Final labels", "", codes, tuple(types), places)
        section.add(map_of(opened, coloring, "The cells in the colors of their types."))
    return section


def map_of(opened: Workspace, coloring: Coloring, caption: str) -> Picture:
    """Return the first map there is, colored as asked for."""
    embedding = next(iter(maps.embeddings(opened)))
    draw = figures.on_map(opened, embedding, [coloring], most_vector=VECTOR_CELLS)
    return Picture(figure_file(draw, SVG), caption)


def _types(names: np.ndarray) -> list[str]:
    found, cells = np.unique(names[names != ""].astype(str), return_counts=True)
    return [str(found[i]) for i in np.argsort(-cells, kind="stable")]


def _table(types: list[str], codes: np.ndarray, sources: np.ndarray) -> pd.DataFrame:
    rows = [*types, NO_LABEL] if (codes < 0).any() else types
    at = np.where(codes < 0, len(types), codes)
    table = {"type": rows, "cells": np.bincount(at, minlength=len(rows))}
    for source, words in SOURCES.items():
        own = np.bincount(at[sources == source], minlength=len(rows))
        if own.any():
            table[words] = own
    return pd.DataFrame(table)


def _known(opened: Workspace) -> str:
    state, key = opened.labels(), opened.project.settings.get("labels_key")
    came = f"Labels were read from the column {key}. " if key else ""
    n = int(np.count_nonzero(state.holdout))
    aside = "No labels are set aside to evaluate the model."
    if n:
        how = HOW.get(holdout.how_now(opened, state.seq), "drawn cell by cell")
        aside = f"{count(n, 'labeled cell')} are set aside to evaluate the model, {how}."
    return f"{came}{aside}"
