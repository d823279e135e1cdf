"""What an export says of every cell, and of how it came about."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from scanvi_core import keys
from scanvi_core.colors import type_color
from scanvi_core.export.request import Column
from scanvi_core.ontology import table
from scanvi_core.project.label_log.replay.state import SOURCE_NAMES
from scanvi_core.services.explore import colors as explore_colors
from scanvi_core.services.export import uncertainty_columns
from scanvi_core.services.labels import type_terms
from scanvi_core.services.quality import flags
from scanvi_core.services.runs import results
from scanvi_core.services.workspace import Workspace
from scanvi_core.version import __version__

ANALYSIS, CELLXGENE, CAP = "analysis", "cellxgene", "cap"
MAP_KEYS = {results.Z1: keys.UMAP_Z1, results.Z2: keys.UMAP_Z2}


@dataclass(frozen=True)
class ExportChoice:
    """What to write.

    Attributes
    ----------
    key
        obs column of the final labels.
    threshold
        Confidence from which a prediction fills an unlabeled cell.
    with_counts
        Also write the counts the model read into ``layers["counts"]``.
    replace
        Replace the columns of an earlier export instead of adding new ones.
    broader
        Where the type of an unlabeled cell is not sure, say the deepest broader type that is;
        what is less sure than `config.LOW_CONFIDENCE` is left out then.
    sets
        Also write, for each cell, the types among which the true one is nine times in ten.
    profile
        `ANALYSIS`: your file and all that was found; `CELLXGENE`: a new file as CELLxGENE
        Discover takes it; `CAP`: as for analysis, with the fields of the Cell Annotation Platform.
    per_file
        Write a copy of each file the project was joined from, not one file for all cells.
    with_table
        Also write the labels as CSV beside each file.
    """

    key: str = keys.CURATED
    threshold: float = 0.0
    with_counts: bool = False
    replace: bool = False
    broader: bool = False
    sets: bool = False
    profile: str = ANALYSIS
    per_file: bool = False
    with_table: bool = True


def final_labels(opened: Workspace, choice: ExportChoice) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels to write and where they came from, as `results.final_labels` does."""
    threshold = uncertainty_columns.least(choice.threshold, broader=choice.broader)
    labels, sources = results.final_labels(opened, threshold=threshold)
    if choice.broader:
        names = uncertainty_columns.broader_names(opened, threshold)
        labels, sources = (
            np.where(names != "", names, labels),
            np.where(names != "", keys.PARENT, sources),
        )
    return labels, sources


def coded(names: np.ndarray, categories: list[str]) -> tuple[np.ndarray, list[str]]:
    """Return words as codes and categories; '' and what is no category has code -1."""
    return pd.Index(categories).get_indexer(names).astype(np.int32), categories


def words(column: Column) -> np.ndarray:
    """Return a column of the export as words or numbers, for a table."""
    if not isinstance(column, tuple):
        return column
    codes, categories = column
    return np.array([*categories, ""], dtype=object)[codes]


def columns(
    opened: Workspace, choice: ExportChoice, labels: np.ndarray, sources: np.ndarray
) -> tuple[dict[str, Column], dict[str, np.ndarray]]:
    """Return the obs columns and obsm arrays to write."""
    present = sorted({str(name) for name in labels} - {""})
    obs: dict[str, Column] = {
        choice.key: coded(labels, present),
        keys.SOURCE: coded(sources, sorted(set(sources))),
    }
    obs |= _term_column(opened, choice, labels)
    predictions = results.current(opened)
    if predictions is None:
        return obs | uncertainty_columns.columns(opened), {}
    obs |= {
        keys.PREDICTION: (predictions.prediction.astype(np.int32), list(predictions.names)),
        keys.CONFIDENCE: predictions.confidence,
        keys.SECOND: (predictions.second.astype(np.int32), list(predictions.names)),
        keys.MARGIN: predictions.margin,
        keys.ENTROPY: predictions.entropy,
        keys.HOLDOUT: predictions.holdout,
    }
    obs |= uncertainty_columns.node_columns(
        opened, uncertainty_columns.least(choice.threshold, broader=True)
    )
    obs |= uncertainty_columns.columns(opened)
    if choice.sets:
        obs |= uncertainty_columns.set_column(opened)
    obsm = {
        keys.LATENT_Z1: predictions.run.array(results.Z1),
        keys.LATENT_Z2: predictions.run.array(results.Z2),
        keys.PROBABILITIES: predictions.probabilities,
    }
    for latent, key in MAP_KEYS.items():
        if predictions.run.has_array(results.MAPS[latent]):  # not if none was wished for
            obsm[key] = predictions.run.array(results.MAPS[latent])
    return obs, obsm


def _term_column(opened: Workspace, choice: ExportChoice, labels: np.ndarray) -> dict[str, Column]:
    """Return the column of ids of the Cell Ontology; none where no label has one."""
    names, codes = np.unique(labels.astype(str), return_inverse=True)
    known = type_terms.of_names(opened, names.tolist())
    ids = np.array([known[name].id if name in known else "" for name in names.tolist()])
    key = keys.term_column(opened.dataset.manifest["obs_columns"], choice.key)
    return {key: coded(ids[codes], sorted({*ids} - {""}))} if known else {}


def colors(opened: Workspace, obs: dict[str, Column]) -> dict[str, list[str]]:
    """Return entries of uns by which scanpy draws columns of types in the colors of the pages."""
    places = explore_colors.type_colors(opened)
    entries: dict[str, list[str]] = {}
    for key, column in obs.items():
        if isinstance(column, tuple) and column[1] and set(column[1]) <= places.keys():
            entries[f"{key}{keys.COLORS}"] = [type_color(places[name]) for name in column[1]]
    return entries


def record(opened: Workspace) -> dict[str, Any]:
    """Return what a reader needs to trace the result: settings, versions, seeds, label order."""
    run = opened.current_run()
    about: dict[str, Any] = {
        "program": "scanvi-app",
        "version": __version__,
        "counts_source": opened.dataset.manifest["counts_source"],
        "repairs": opened.dataset.manifest["repairs"],
        "origin": opened.dataset.manifest.get("origin"),
        "source_sha256": opened.dataset.manifest["source"]["sha256"],
        "unlabeled_category": keys.UNKNOWN,
        "quality": flags.record(opened, opened.batches(opened.batch_key)),
        "cell_ontology": {"release": table.version(), "terms": _terms(opened)},
    }
    if run is not None:
        about |= {"run": run.settings.as_dict(), "result": results.without_nan(run.summary)}
    return about


def _terms(opened: Workspace) -> dict[str, dict[str, Any]]:
    """Return the term of each type: its id, its name, and whether it is only close."""
    predictions = results.current(opened)
    names = {*opened.labels().active, *(predictions.names if predictions else ())}
    found = type_terms.of_names(opened, sorted(names))
    return {
        name: {"id": term.id, "name": term.name, "close": not term.exact}
        for name, term in found.items()
    }


def source_table(opened: Workspace, threshold: float, *, broader: bool = False) -> pd.DataFrame:
    """Return how many final labels come from where."""
    words_for = {
        keys.GIVEN: "your file",
        keys.MANUAL: "named by hand",
        keys.ACCEPTED: "accepted predictions",
        keys.PREDICTED: "predictions",
        keys.PARENT: "predicted broader types",
        keys.UNLABELED: "left without a label",
    }
    predictions = results.current(opened)
    state, threshold = opened.labels(), uncertainty_columns.least(threshold, broader=broader)
    open_ = grouped = np.zeros(len(state.codes), bool)
    if predictions is not None:
        open_ = results.filled(state, predictions, threshold)
    if broader:
        grouped = uncertainty_columns.broader_names(opened, threshold) != ""
    cells = np.bincount(state.sources[~open_ & ~grouped], minlength=len(SOURCE_NAMES))
    count = dict(zip(SOURCE_NAMES, cells, strict=True))
    count |= {keys.PREDICTED: open_.sum(), keys.PARENT: grouped.sum()}
    if not broader:
        del words_for[keys.PARENT]
    rows = [(text, int(count[word])) for word, text in words_for.items()]
    return pd.DataFrame(rows, columns=["source", "cells"])


def type_names(opened: Workspace, choice: ExportChoice) -> list[str]:
    """Return the names among the final labels, sorted."""
    labels, _ = final_labels(opened, choice)
    return sorted(str(name) for name in pd.unique(labels) if name)


def words_column(codes: np.ndarray, words: list[str]) -> Column:
    """Return the column of `words[codes]`, where a word may stand for several codes."""
    categories, place = np.unique(words, return_inverse=True)
    return place[codes].astype(np.int32), [str(word) for word in categories]
