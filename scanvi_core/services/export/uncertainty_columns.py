"""What an export says about doubt: columns per cell, broader types in place of unsure ones."""

from typing import TYPE_CHECKING

import numpy as np

from scanvi_core import config, keys
from scanvi_core.data.qc import limits
from scanvi_core.export.request import Column
from scanvi_core.services.diagnostics import uncertainty
from scanvi_core.services.labels import type_terms
from scanvi_core.services.quality import flags
from scanvi_core.services.runs import results
from scanvi_core.services.workspace import Workspace

if TYPE_CHECKING:
    from scanvi_core.annotation.uncertainty.hierarchy import Answer
    from scanvi_core.type_tree import TypeTree


def has_broader(opened: Workspace) -> bool:
    """Tell whether the current model knows broader types."""
    run = opened.current_run()
    return run is not None and bool(run.settings.parents)


def columns(opened: Workspace) -> dict[str, Column]:
    """Return the obs columns about doubt; without a look, those about poor cells."""
    checked = uncertainty.reasons(opened)
    if checked is None:
        return _quality_columns(opened)
    return {
        keys.REASON: (checked.reason.astype(np.int32), list(uncertainty.REASON_NAMES)),
        keys.NOVELTY: checked.novelty,
        keys.QC_FLAG: (checked.qc.astype(np.int32), list(uncertainty.QC_NAMES)),
        keys.DOUBLET: checked.doublet_score,
        keys.ISSUE: checked.issue_score,
    }


def _quality_columns(opened: Workspace) -> dict[str, Column]:
    """Return the obs columns that tell poor cells, as long as there is no model."""
    batches = opened.batches(opened.batch_key)
    codes = flags.flags(opened, batches).astype(np.int32)
    columns: dict[str, Column] = {keys.QC_FLAG: (codes, list(limits.FLAG_NAMES))}
    if flags.doublet_version(opened, batches.key):
        columns[keys.DOUBLET] = flags.doublet_scores(opened, batches)
    return columns


def set_column(opened: Workspace) -> dict[str, Column]:
    """Return the obs column of prediction sets; none where nothing can be promised."""
    sets = uncertainty.prediction_sets(opened)
    return {} if sets is None else {keys.PREDICTION_SET: sets.coded()}


def least(threshold: float, *, broader: bool) -> float:
    """Return the confidence from which cells are filled: with broader types, no unsure one."""
    return max(threshold, config.LOW_CONFIDENCE) if broader else threshold


def answer(opened: Workspace, threshold: float) -> "tuple[Answer, TypeTree] | None":
    """Return the deepest sure type of each cell [n_obs], and what its codes mean.

    None without a model that knows broader types.
    """
    predictions = results.current(opened)
    if predictions is None or not predictions.run.settings.parents:
        return None

    def find() -> "tuple[Answer, TypeTree]":
        from scanvi_core.annotation.uncertainty.hierarchy import back_off

        tree = predictions.run.settings.tree
        return back_off(predictions.probabilities, tree, threshold), tree

    return opened.cache.get(("answer", predictions.run_id, threshold), find)


def broader_names(opened: Workspace, threshold: float) -> np.ndarray:
    """Return the broader type to say [n_obs]; '' with a label, a sure type, or nothing sure."""
    names = np.full(opened.dataset.n_obs, "", dtype=object)
    found = answer(opened, threshold)
    if found is None:
        return names
    code, tree = found[0].code, found[1]
    own = (opened.labels().codes < 0) & (code >= len(tree.leaves))
    names[own] = np.array(tree.code_names, dtype=object)[code[own]]
    return names


def node_columns(opened: Workspace, threshold: float) -> dict[str, Column]:
    """Return the columns of the deepest sure type: its name, id, depth and probability."""
    found = answer(opened, threshold)
    if found is None:
        return {}
    said, tree = found
    names = list(tree.code_names)
    terms = type_terms.of_names(opened, names)
    ids = [terms[name].id if name in terms else "" for name in names]
    columns: dict[str, Column] = {keys.NODE: named(said.code, names)}
    columns |= {keys.NODE_TERM: named(said.code, ids)} if terms else {}
    return columns | {keys.NODE_DEPTH: said.depth, keys.NODE_CONFIDENCE: said.confidence}


def named(codes: np.ndarray, words: list[str]) -> Column:
    """Return the column of `words[codes]`; -1 and '' are no value, a word may have many codes."""
    categories = sorted({words[code] for code in np.unique(codes[codes >= 0])} - {""})
    place = np.array([categories.index(w) if w in categories else -1 for w in [*words, ""]])
    return place[codes].astype(np.int32), categories
