"""What an export says about doubt: columns per cell, groups in place of unsure types."""

import numpy as np

from scanvi_core import config, keys
from scanvi_core.data.qc import limits
from scanvi_core.export.request import Column
from scanvi_core.services.diagnostics import uncertainty
from scanvi_core.services.quality import flags
from scanvi_core.services.runs import results
from scanvi_core.services.workspace import Workspace


def has_groups(opened: Workspace) -> bool:
    """Tell whether the current model knows groups of types."""
    run = opened.current_run()
    return run is not None and bool(run.settings.groups)


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


def least(threshold: float, *, groups: bool) -> float:
    """Return the confidence from which cells are filled: with groups, never an unsure type."""
    return max(threshold, config.LOW_CONFIDENCE) if groups else threshold


def group_names(opened: Workspace, threshold: float) -> np.ndarray:
    """Return the group to say [n_obs], '' where the cell has a label, a sure type, or neither."""
    predictions = results.current(opened)
    if predictions is None:
        return np.full(opened.dataset.n_obs, "", dtype=object)
    key = ("group names", predictions.run_id, opened.labels().seq, threshold)
    return opened.cache.get(key, lambda: _group_names(opened, predictions, threshold))


def _group_names(opened: Workspace, predictions: results.Results, threshold: float) -> np.ndarray:
    from scanvi_core.annotation.uncertainty.hierarchy import GROUP, back_off

    groups = predictions.run.settings.groups
    open_ = np.flatnonzero((opened.labels().codes < 0) & (predictions.prediction >= 0))
    named = back_off(predictions.probabilities[open_], predictions.names, groups, threshold)
    grouped = named.level == GROUP
    names = np.full(opened.dataset.n_obs, "", dtype=object)
    names[open_[grouped]] = named.names[grouped]
    return names
