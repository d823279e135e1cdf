"""What each condition of a rule means in one project: its cells, or a sentence why none is known.

Answers are kept as bits under everything they depend on, so that combining them again is quick.
"""

import zlib
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from mmap import mmap
from pathlib import Path

import numpy as np

from scanvi_core.annotation.selection.cell_sets import Bits, packed, unpacked
from scanvi_core.annotation.selection.neighbors import Neighbors
from scanvi_core.annotation.selection.polygon import in_polygon
from scanvi_core.annotation.selection.rule_words import NOUNS
from scanvi_core.annotation.selection.rules import NO_VALUE, Condition, Kind
from scanvi_core.config import UMAP_NEIGHBORS
from scanvi_core.errors import ColumnMissing, InputError
from scanvi_core.project.runs import Run
from scanvi_core.services.explore import colors, gene_search
from scanvi_core.services.explore import maps as explore_maps
from scanvi_core.services.explore.cell_values import cluster_origin, coded, newest
from scanvi_core.services.runs import provisional, results
from scanvi_core.services.workspace import Workspace

SHOWN_VALUES = 3
NEAR_WHERE = "The model's map (z1)"


@dataclass(frozen=True)
class Matches:
    """The cells that fulfill a condition, and what has to be said about it.

    Attributes
    ----------
    bits
        None where the condition cannot be looked up here.
    note
        A sentence about what is not here; empty where all is.
    """

    bits: Bits | None
    note: str = ""


def answer(opened: Workspace, term: Condition) -> Matches:
    """Return the cells that fulfill a condition, whether or not it is negated."""
    about = term.about
    try:
        key = ("condition", about, _MOMENTS.get(term.kind, _always)(opened))
        return opened.cache.get(key, lambda: _LOOKS[term.kind](opened, about))
    except ColumnMissing as error:
        return Matches(None, error.message)


def grown(opened: Workspace, bits: Bits, steps: int) -> Bits | None:
    """Return cells with their neighbors on the current model's map; None without a model."""
    run = opened.current_run()
    if run is None:
        return None
    index = opened.cache.get(
        ("neighbors", run.id), lambda: Neighbors(run.array(results.Z1), UMAP_NEIGHBORS)
    )
    key = ("near", run.id, steps, bits.tobytes())

    def compute() -> Bits:
        return packed(index.grown(unpacked(bits, opened.dataset.n_obs), steps))

    return opened.cache.get(key, compute)


def by_hand(opened: Workspace, mask: np.ndarray) -> Condition:
    """Return a condition for a set of cells that no rule describes."""
    bits = packed(mask)
    name = f"{zlib.crc32(bits.tobytes()):08x}.{int(mask.sum())}"
    term = Condition("cells", name)
    opened.selections.put(term.about, Matches(bits))
    return term


def drawn(opened: Workspace, xy: np.ndarray, polygon: np.ndarray) -> Condition | None:
    """Return the condition of a shape drawn on one of the project's maps; None if it is none."""
    place = place_of(opened, xy)
    names = (
        name
        for name in explore_maps.embeddings(opened)
        if place_of(opened, explore_maps.coordinates(opened, name)) == place
    )
    name = next(names, None)
    if name is None:
        return None
    corners = tuple((float(x), float(y)) for x, y in polygon)
    return Condition("polygon", name, corners=corners, origin=place)


def shown(opened: Workspace, coloring: colors.Coloring, codes: Sequence[int]) -> Condition | None:
    """Return the condition of the types isolated in a map's legend; None where none says it."""
    kinds: dict[str, Kind] = {
        colors.LABEL: "label", colors.PREDICTION: "predicted", colors.REASON: "reason",
    }  # fmt: skip
    values = tuple(NO_VALUE if code < 0 else coloring.names[code] for code in codes)
    what = coloring.name.removesuffix(" (provisional)")
    if what in kinds:
        return Condition(kinds[what], values=values)
    if what == explore_maps.CLUSTER:
        return Condition(
            "cluster",
            values=tuple(str(code + 1) if code >= 0 else NO_VALUE for code in codes),
            origin=cluster_origin(opened),
        )
    if what in opened.dataset.manifest["obs_columns"]:
        return Condition("column", what, values=values)
    return None


def place_of(opened: Workspace, xy: np.ndarray) -> str:
    """Return what tells the coordinates of one map from those of another."""
    if isinstance(xy, np.memmap) and isinstance(xy.base, mmap):  # a whole file: read once
        path = Path(str(xy.filename))
        key = ("place", path, path.stat().st_mtime_ns)
        return opened.cache.get(key, lambda: _digest(np.load(path, mmap_mode="r")))
    return _digest(xy)


def _digest(xy: np.ndarray) -> str:
    return f"{zlib.crc32(np.ascontiguousarray(xy, dtype=np.float32).data):08x}"


def _polygon(opened: Workspace, term: Condition) -> Matches:
    title = explore_maps.title_of(term.name)
    maps = list(_maps_called(opened, term.name))
    if not maps:
        raise ColumnMissing(f"{title} is not in this project.")
    same = (xy for xy in maps if place_of(opened, xy) == term.origin)
    xy = next(same, None)
    if xy is None:
        raise ColumnMissing(f"{title} is another one here than the one that was drawn on.")
    return Matches(packed(in_polygon(xy, np.array(term.corners))))


def _maps_called(opened: Workspace, name: str) -> Iterator[np.ndarray]:
    """Return every map of a name, those of earlier models included."""
    if name in results.MAPS:
        runs = reversed(Run.list(opened.project))
        mapped = (run for run in runs if run.has_array(results.MAPS[name]))
        yield from (run.array(results.MAPS[name]) for run in mapped)
    elif name in explore_maps.embeddings(opened):
        yield explore_maps.coordinates(opened, name)


def _gene(opened: Workspace, term: Condition) -> Matches:
    name = gene_search.gene_here(opened, term.name)
    if name is None:
        raise ColumnMissing(f"There is no gene {term.name} here.")
    return Matches(packed(opened.dataset.gene(name) > (term.low or 0.0)))


def _categories(opened: Workspace, term: Condition) -> Matches:
    codes, names = coded(opened, term.kind, term.name)
    chosen = [code for code, name in enumerate(names) if name in term.values]
    missing = sorted(set(term.values) - set(names) - {NO_VALUE})
    noun = term.name or NOUNS[term.kind]
    listed = ", ".join(missing[:SHOWN_VALUES]) + ("…" if len(missing) > SHOWN_VALUES else "")
    note = f"There is no {noun} {listed} here." if missing else ""
    if len(missing) == len(term.values):
        raise ColumnMissing(note)
    lookup = np.zeros(len(names) + 1, dtype=bool)
    lookup[chosen] = True
    lookup[-1] = NO_VALUE in term.values  # cells without a value have the code -1
    return Matches(packed(lookup[codes]), note)


def _same_clusters(opened: Workspace, term: Condition) -> Matches:
    if term.origin and term.origin != cluster_origin(opened):
        raise ColumnMissing("The clusters are other ones here.")
    return _categories(opened, term)


def _column(opened: Workspace, term: Condition) -> Matches:
    known = opened.dataset.manifest["obs_columns"].get(term.name)
    if known is None:
        raise ColumnMissing(f"There is no column {term.name} here.")
    if term.values:
        return _categories(opened, term)
    if known["kind"] != "number":
        raise ColumnMissing(f"The column {term.name} holds no numbers here.")
    values = colors.coloring(opened, term.name).values
    return Matches(packed(_within(values, term)))


def _confidence(opened: Workspace, term: Condition) -> Matches:
    return Matches(packed(_within(newest(opened).confidence, term)))


def _within(values: np.ndarray | None, term: Condition) -> np.ndarray:
    if values is None:
        raise InputError("This column holds no numbers.")
    low = -np.inf if term.low is None else term.low
    high = np.inf if term.high is None else term.high
    return np.asarray((values >= low) & (values <= high))  # NaN compares false


def _cells(opened: Workspace, term: Condition) -> Matches:
    picked = opened.selections.peek(term)
    if isinstance(picked, Matches):
        return picked
    n = term.name.rpartition(".")[2]
    raise ColumnMissing(f"The {n} cells that were picked by hand are not known here.")


def _near(_: Workspace, __: Condition) -> Matches:
    raise ColumnMissing(f"{NEAR_WHERE} is not here: train a model first.")


def _of_labels(opened: Workspace) -> Hashable:
    return opened.labels().seq


def _of_predictions(opened: Workspace) -> Hashable:
    made, run = provisional.state(opened).newest, opened.current_run()
    return (run.id if run else "", made.seq if made else 0)


def _of_settings(opened: Workspace) -> Hashable:
    settings = opened.project.settings
    return (settings.get("batch_key"), settings.get("labels_key"))


def _of_run(opened: Workspace) -> Hashable:
    run = opened.current_run()
    return run.id if run else ""


def _always(_: Workspace) -> Hashable:
    return None


_LOOKS: dict[str, Callable[[Workspace, Condition], Matches]] = {
    "polygon": _polygon, "gene": _gene, "label": _categories, "given": _categories,
    "predicted": _categories, "batch": _categories, "confidence": _confidence,
    "cluster": _same_clusters, "column": _column, "reason": _categories, "cells": _cells,
    "near": _near,
}  # fmt: skip
_MOMENTS: dict[str, Callable[[Workspace], Hashable]] = {
    "label": _of_labels, "given": _of_settings, "predicted": _of_predictions,
    "confidence": _of_predictions, "batch": _of_settings, "reason": _of_run,
}  # fmt: skip
