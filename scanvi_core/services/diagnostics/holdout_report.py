"""Scores of the current model on the labels that were set aside, in words and tables."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from scanvi_core import config
from scanvi_core.metrics.classification import Scores, score, score_groups
from scanvi_core.metrics.confidence import (
    N_BINS,
    chance_error,
    coverage_curve,
    keep_surest,
    reliability,
)
from scanvi_core.services.diagnostics import measured_batches
from scanvi_core.services.diagnostics.held_out import HeldOut, held_out
from scanvi_core.services.formatting import (
    count,
    hundredths,
    percent,
    percent_range,
    percent_with_interval,
)
from scanvi_core.services.labels import holdout
from scanvi_core.services.workspace import Workspace

NOT_MEASURED = "not measured"
ACCEPTED_SHARE = 0.8  # of cells, put into words; fixed, since the best of many would flatter
SHARES = (0.5, 0.8, 0.9, 0.95, 1.0)
SET_ASIDE = {
    holdout.HIDDEN: "They are whole donors: it was shown their counts, but none of their labels.",
    holdout.GROUP: "They are whole donors, left out of its training altogether.",
}
FEW_CELLS, TOO_FEW = 20, "too few to tell"
CELLS_PER_BIN = 20  # with fewer in a bin the diagram shows luck
CURVE_POINTS = 300


@dataclass(frozen=True)
class HoldoutReport:
    """How good a model is on cells whose labels it has never seen.

    Attributes
    ----------
    headline, reading
        How often it is right, in one sentence, and how to read it.
    table, accepting, batches
        One row per type; per share of cells accepted; per batch, those last of which the scores do
        not tell (None without batches).
    bins, curve
        What the reliability diagram and the curve of accuracy by share accepted show.
    honesty, accept
        Sentences: how far confidence is off, what may be accepted.
    notes
        What the scores leave out.
    """

    scores: Scores
    names: tuple[str, ...]
    model_number: int
    headline: str
    reading: str
    table: pd.DataFrame
    bins: pd.DataFrame
    curve: pd.DataFrame
    accepting: pd.DataFrame
    batches: pd.DataFrame | None
    honesty: str
    accept: str
    calibration: str
    notes: tuple[str, ...]


def report(opened: Workspace) -> HoldoutReport | None:
    """Score the current model on its hold-out; None when nothing was set aside."""
    run = opened.current_run()
    if run is None:
        return None
    run_id = run.id
    return opened.cache.get(("holdout report", run_id), lambda: _report(opened, run_id))


def _report(opened: Workspace, run_id: str) -> HoldoutReport | None:
    cells = held_out(opened, run_id)
    if not cells.rows.size:
        return None
    summary = cells.run.summary
    scores = score(cells.truth, cells.prediction, cells.names, cells.confidence)
    gap = measured_batches.gap(opened, cells.run)
    of = "" if gap is None else gap.of
    return HoldoutReport(
        scores=scores,
        names=cells.names,
        model_number=int(summary["number"]),
        headline=headline(scores, of, "" if gap is None else gap.hardly),
        reading=_reading(scores, holdout.how_now(opened, cells.run.settings.labels_seq)),
        table=type_table(scores),
        bins=_bin_table(cells),
        curve=curve_table(cells.right, cells.confidence),
        accepting=accepting_table(cells),
        batches=_batch_table(opened, cells),
        honesty=_honesty(scores, cells.confidence),
        accept=accept_sentence(cells.right, cells.confidence, of),
        calibration=str(summary["calibration"]),
        notes=_notes(scores, cells),
    )


def headline(scores: Scores, of: str = "", hardly: str = "") -> str:
    """Say how often the model is right, and how sure that number is.

    `of` says on which cells, and `hardly` of which batches only few of them are.
    """
    few = f"; {TOO_FEW}" if scores.n < FEW_CELLS else ""
    return (
        f"Right on {percent(scores.accuracy, scores.n)} of {count(scores.n, 'held-out cell')}{of} "
        f"(95 % interval {percent_range(scores.interval, scores.n)}{few}){hardly}."
    )


def accept_sentence(right: np.ndarray, confidence: np.ndarray, of: str = "") -> str:
    """Say what accepting the surest 80 % of the held-out cells would mean."""
    surest = keep_surest(right, confidence, ACCEPTED_SHARE)
    return (
        f"Of the surest {percent(surest.coverage)} of the held-out cells{of} "
        f"(confidence {surest.confidence:.2f} or more), "
        f"{percent(surest.accuracy, surest.n)} were right "
        f"(95 % interval {percent_range(surest.interval, surest.n)})."
    )


def type_table(scores: Scores) -> pd.DataFrame:
    """Return cells, precision, recall and F1 of each type, each with its 95 % interval."""
    return pd.DataFrame(
        [
            {
                "type": item.name,
                "cells": item.support,
                "found (recall)": percent_with_interval(item.recall, item.recall_interval),
                "right when named (precision)": percent_with_interval(
                    item.precision, item.precision_interval
                ),
                "F1": hundredths(item.f1),
                "F1, 95 % interval": " to ".join(f"{hundredths(x):.2f}" for x in item.f1_interval)
                if item.support + item.predicted
                else "",
            }
            for item in scores.types
        ]
    )


def accepting_table(cells: HeldOut) -> pd.DataFrame:
    """Return what accepting only the surest cells means, for some shares of cells."""
    surest = [keep_surest(cells.right, cells.confidence, share) for share in SHARES]
    return pd.DataFrame(
        {
            "accept the surest": [percent(share) for share in SHARES],
            "confidence from": [item.confidence for item in surest],
            "cells": [item.n for item in surest],
            "right": [percent_with_interval(item.accuracy, item.interval) for item in surest],
        }
    )


def _bin_table(cells: HeldOut) -> pd.DataFrame:
    """Return the reliability diagram: confidence, share right with its interval, cells."""
    n_bins = min(N_BINS, max(1, len(cells.rows) // CELLS_PER_BIN))
    bins = reliability(cells.right, cells.confidence, n_bins)
    columns = ["confidence", "right", "low", "high", "cells"]
    return pd.DataFrame(
        [(b.confidence, b.accuracy, *b.interval, b.n) for b in bins], columns=columns
    )


def curve_table(right: np.ndarray, confidence: np.ndarray) -> pd.DataFrame:
    """Return the share right by the share accepted, thinned where it has many points."""
    curve = coverage_curve(right, confidence)
    n = len(curve.coverage)
    shown = np.unique(np.linspace(0, n - 1, min(n, CURVE_POINTS)).astype(int))
    return pd.DataFrame(
        {
            "coverage": curve.coverage[shown],
            "right": curve.accuracy[shown],
            "confidence": curve.confidence[shown],
        }
    )


def _batch_table(opened: Workspace, cells: HeldOut) -> pd.DataFrame | None:
    batches = measured_batches.divided(opened, cells.run)
    if len(batches.names) == 1 and not batches.key:
        return None
    scores = score_groups(cells.right, batches.index[cells.rows], batches.names)
    gap = measured_batches.gap(opened, cells.run)
    known = {group.name for group in scores}
    none = [name for name in (() if gap is None else gap.missing) if name not in known]
    right = [percent_with_interval(group.accuracy, group.interval) for group in scores]
    return pd.DataFrame(
        {
            "batch": [*(group.name for group in scores), *none],
            "cells": [*(group.n for group in scores), *(0 for _ in none)],
            "right": [*right, *(NOT_MEASURED for _ in none)],
        }
    )


def _reading(scores: Scores, how: str) -> str:
    words = ["The model has never seen the labels of these cells.", SET_ASIDE.get(how, "")]
    n_scored = sum(item.support >= config.RARE_CELLS for item in scores.types)
    if n_scored:
        low, high = scores.macro_f1_interval
        words.append(
            f"Mean F1 over {count(n_scored, 'type')}, where rare types count as much as common "
            f"ones: {hundredths(scores.macro_f1):.2f} (95 % interval {hundredths(low):.2f} to "
            f"{hundredths(high):.2f})."
        )
    return " ".join(filter(None, words))


def _honesty(scores: Scores, confidence: np.ndarray) -> str:
    off, luck = 100 * scores.ece, 100 * chance_error(confidence)
    return (
        f"On average the confidence is {off:.0f} points off; with {scores.n:,} cells "
        f"a perfectly honest one would look {luck:.0f} points off by luck."
    )


def _notes(scores: Scores, cells: HeldOut) -> tuple[str, ...]:
    notes = []
    if cells.unseen_types:
        n = sum(cells.unseen_types.values())
        notes.append(
            f"Not in these scores: {n:,} held-out cells of types the model was never shown "
            f"({', '.join(cells.unseen_types)}). It cannot name them right."
        )
    if cells.broad_rows.size:
        notes.append(
            f"Not in these scores: {count(cells.broad_rows.size, 'held-out cell')} of which only "
            "a broader type is known; see Broad and fine names."
        )
    if cells.n_empty:
        notes.append(f"Not in these scores: {cells.n_empty:,} held-out cells without counts.")
    if scores.left_out:
        notes.append(
            f"{', '.join(scores.left_out)}: fewer than {config.RARE_CELLS} held-out cells, "
            "left out of the mean F1."
        )
    return tuple(notes)
