"""Which cells are flagged as technically poor: the one place that says so.

The limits are suggested from the data and may be chosen on the Check page, per batch or for all.
A flag is a note: no cell is removed. Only where the user asks for it do flagged cells stay out of
training; they are predicted all the same.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from scanvi_core.data.qc import limits as qc_limits
from scanvi_core.data.qc.limits import Spread
from scanvi_core.project.records import derived_kinds
from scanvi_core.services import derived
from scanvi_core.services.quality.chosen_limits import Choice, Limit, saved
from scanvi_core.services.workspace import Batches, Workspace

TOTALS, GENES, MT, DOUBLET = "totals", "n_genes", "pct_mt", "doublet_score"
LEAST = {MT: qc_limits.LEAST_PERCENT, DOUBLET: qc_limits.LEAST_SCORE}
TOP = {MT: 1.5 * qc_limits.LEAST_PERCENT, DOUBLET: 2.0 * qc_limits.LEAST_SCORE}  # of a scale
STEP = {MT: qc_limits.PERCENT_STEP, DOUBLET: qc_limits.SCORE_STEP}
# in the order in which they are told of a cell that has several
CODES = {
    TOTALS: qc_limits.LOW_COUNTS,
    GENES: qc_limits.FEW_GENES,
    MT: qc_limits.MITOCHONDRIA,
    DOUBLET: qc_limits.DOUBLETS,
}


def measures(opened: Workspace, batches: Batches) -> tuple[str, ...]:
    """Return the numbers that are known of the cells."""
    known = {MT: opened.dataset.manifest["n_mt_genes"] > 0}
    known[DOUBLET] = doublet_version(opened, batches.key) > 0
    return tuple(name for name in CODES if known.get(name, True))


def values(opened: Workspace, measure: str, batches: Batches) -> np.ndarray:
    """Return one number of every cell [n_obs]; doublet scores are NaN where not judged."""
    dataset = opened.dataset
    if measure == DOUBLET:
        scores = _doublets(opened, batches.key)
        return np.full(dataset.n_obs, np.nan, dtype=np.float32) if scores is None else scores
    return {
        TOTALS: dataset.totals, GENES: dataset.n_genes_by_counts, MT: dataset.pct_counts_mt,
    }[measure]  # fmt: skip


def spread(opened: Workspace, measure: str, batches: Batches) -> Spread:
    """Return one number of the cells that have counts, sorted within batches; kept."""

    def sort() -> Spread:
        own = np.where(opened.dataset.totals > 0, values(opened, measure, batches), np.nan)
        upper = measure in STEP
        top = TOP.get(measure, 0.0)
        return Spread.of(own, batches.index, len(batches.names), upper=upper, least_top=top)

    return opened.cache.get(("quality", measure, *_version(opened, measure, batches)), sort)


def suggested(opened: Workspace, measure: str, batches: Batches) -> np.ndarray:
    """Return the suggested limit of each batch [n_batch]; see `scanvi_core.data.qc.limits`."""

    def suggest() -> np.ndarray:
        own = spread(opened, measure, batches)
        if measure in STEP:
            return qc_limits.high_limits(own, LEAST[measure], STEP[measure])
        return qc_limits.low_limits(own)

    return opened.cache.get(("suggested", measure, *_version(opened, measure, batches)), suggest)


def limits(opened: Workspace, measure: str, batches: Batches, choice: Choice) -> np.ndarray:
    """Return the limit of each batch [n_batch]: chosen for it, for all, or suggested."""
    per_batch = suggested(opened, measure, batches).copy()
    limit = choice.limits.get(measure, Limit())
    if limit.every is not None:
        per_batch[:] = limit.every
    if limit.own:
        place = {name: i for i, name in enumerate(batches.names)}
        for name in limit.own.keys() & place.keys():
            per_batch[place[name]] = limit.own[name]
    return per_batch


def codes(opened: Workspace, batches: Batches, choice: Choice) -> np.ndarray:
    """Return what is wrong with each cell, int8 [n_obs]: positions in `qc.FLAG_NAMES`."""
    flagged = np.zeros(opened.dataset.n_obs, dtype=np.int8)
    for measure in reversed(measures(opened, batches)):
        limit = limits(opened, measure, batches, choice)[batches.index]
        own = values(opened, measure, batches)
        flagged[own > limit if measure in STEP else own < limit] = CODES[measure]
    flagged[opened.dataset.totals == 0] = qc_limits.NO_COUNTS
    return flagged


def flags(opened: Workspace, batches: Batches) -> np.ndarray:
    """Return `codes` of the limits that are in force; kept."""
    choice = saved(opened, batches.key)
    key = ("quality flags", revision(opened, batches.key))
    return opened.cache.get(key, lambda: codes(opened, batches, choice))


def with_model_checks(opened: Workspace, batches: Batches, seen: np.ndarray) -> np.ndarray:
    """Return `flags` with what only the look after a training could tell, int8 [n_obs].

    That is cells without counts in the genes of the model, and stray batches. `seen` [n_obs] are
    the flags of that look.
    """
    later = np.isin(seen, (qc_limits.NO_COUNTS, qc_limits.STRAY))
    now = flags(opened, batches)
    return np.where((now == qc_limits.FINE) & later, seen, now)


def record(opened: Workspace, batches: Batches) -> dict[str, Any]:
    """Return the limits in force, for the record of an export: plain values."""
    choice = saved(opened, batches.key)
    in_force = {
        measure: dict(
            zip(batches.names, limits(opened, measure, batches, choice).tolist(), strict=True)
        )
        for measure in measures(opened, batches)
    }
    return {"batch_key": batches.key, "chosen": choice.as_dict(), "limits": in_force}


def revision(opened: Workspace, batch_key: str | None) -> str:
    """Return a text that changes when flags may have changed, or who is left out of training."""
    choice = saved(opened, batch_key)
    return f"{batch_key}/{doublet_version(opened, batch_key)}/{choice.key}"


def left_out(opened: Workspace, batches: Batches) -> np.ndarray | None:
    """Return the cells that the user wants out of training [n_obs]; None: no such wish."""
    if not saved(opened, batches.key).leave_out:
        return None
    return flags(opened, batches) != qc_limits.FINE


def doublet_scores(opened: Workspace, batches: Batches) -> np.ndarray:
    """Return the doublet scores, float32 [n_obs]; NaN where nobody looked."""
    if doublet_version(opened, batches.key):
        return values(opened, DOUBLET, batches)
    return np.full(opened.dataset.n_obs, np.nan, dtype=np.float32)


def doublet_file(opened: Workspace, batch_key: str | None) -> Path:
    """Return where the doublet scores of these very counts and batches are kept."""
    counts = opened.dataset.manifest["counts_sha256"][:12]
    column = hashlib.sha256(repr(batch_key).encode()).hexdigest()[:8]
    return opened.project.derived / f"doublets-{counts}-{column}.npy"


def doublet_version(opened: Workspace, batch_key: str | None) -> int:
    """Return when the doublet scores were written, in nanoseconds; 0 where there are none."""
    path = doublet_file(opened, batch_key)
    return 0 if _doublets(opened, batch_key) is None else path.stat().st_mtime_ns


def _doublets(opened: Workspace, batch_key: str | None) -> np.ndarray | None:
    kind = derived_kinds(opened.dataset.n_obs)["doublets"]
    return derived.array(doublet_file(opened, batch_key), kind)


def _version(opened: Workspace, measure: str, batches: Batches) -> tuple[Any, ...]:
    if measure != DOUBLET:
        return (batches.key,)
    return batches.key, doublet_version(opened, batches.key)
