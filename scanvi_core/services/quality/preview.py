"""What limits on poor cells would flag, before anything is done, for the Check page."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from scanvi_core.data.qc import limits as qc_limits
from scanvi_core.services.formatting import percent
from scanvi_core.services.quality import doublets, flags
from scanvi_core.services.quality.chosen_limits import Choice
from scanvi_core.services.quality.flags import DOUBLET, GENES, MT, TOTALS
from scanvi_core.services.workspace import Batches, Workspace

NO_MITOCHONDRIA = (
    "No mitochondrial genes were found (names that begin with MT- or mt-, or their Ensembl ids), "
    "so dying cells cannot be recognized by them."
)
TITLES = {
    TOTALS: "Counts per cell", GENES: "Genes per cell", MT: "Mitochondrial share, %",
    DOUBLET: "Doublet score",
}  # fmt: skip
LIMIT_LABELS = {
    TOTALS: "Flag cells with fewer counts than", GENES: "Flag cells with fewer genes than",
    MT: "Flag cells with a larger share than", DOUBLET: "Flag cells with a higher score than",
}  # fmt: skip
FLAG_WORDS = {
    TOTALS: "low counts", GENES: "few genes", MT: "high mitochondrial share",
    DOUBLET: "likely doublets",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class MeasureView:
    """One number of the cells in view.

    Attributes
    ----------
    limit, top, step
        Of the slider, which begins at 0 as the bins do and ends with them.
    n_flagged
        Cells in view that the limit flags.
    histogram
        Columns ``from`` (where a bin begins, in words), ``kept``, ``flagged``.
    reason
        Where the limit comes from, in a sentence.
    """

    key: str
    title: str
    asked: str
    limit: float
    top: float
    step: float
    n_flagged: int
    histogram: pd.DataFrame
    reason: str


@dataclass(frozen=True, eq=False)
class QualityView:
    """Poor cells as some limits would flag them.

    Attributes
    ----------
    measures
        The numbers known of the cells.
    n_cells, n_flagged, n_labeled
        All cells, those flagged, and how many of those have a label.
    reasons
        What they are flagged for, in words.
    by_batch
        Per batch its cells, those flagged for each reason, and those flagged for any.
    notes
        What cannot be told, in sentences.
    """

    measures: tuple[MeasureView, ...]
    n_cells: int
    n_flagged: int
    n_labeled: int
    reasons: str
    by_batch: pd.DataFrame
    notes: tuple[str, ...]


def view(opened: Workspace, choice: Choice, batch: str | None = None) -> QualityView:
    """Return what `choice` would flag, with the numbers of one batch or (None) of all in view."""
    division = opened.batches(opened.batch_key)
    limits = {
        measure: flags.limits(opened, measure, division, choice)
        for measure in flags.measures(opened, division)
    }
    own = {measure: flags.spread(opened, measure, division) for measure in limits}
    codes = flags.codes(opened, division, choice)
    code = division.names.index(batch) if batch in division.names else None
    shown = [
        _measure_view(opened, measure, division, limits[measure], code, choice)
        for measure in limits
    ]
    by_batch = _by_batch(division, codes)
    for measure, spread in own.items():
        by_batch[FLAG_WORDS[measure]] = spread.flagged(limits[measure])
    labeled = opened.labels().codes >= 0
    poor = codes != qc_limits.FINE
    return QualityView(
        measures=tuple(shown),
        n_cells=len(codes),
        n_flagged=int(np.count_nonzero(poor)),
        n_labeled=int(np.count_nonzero(poor & labeled)),
        reasons=_reasons(codes),
        by_batch=by_batch,
        notes=_notes(opened, division),
    )


def _measure_view(
    opened: Workspace,
    measure: str,
    division: Batches,
    limits: np.ndarray,
    code: int | None,
    choice: Choice,
) -> MeasureView:
    spread = flags.spread(opened, measure, division)
    inside = range(len(division.names)) if code is None else [code]
    middle = spread.middle if code is None else float(spread.middles()[code])
    kept, flagged = spread.histogram(limits, inside)
    limit = float(np.median(limits[inside])) if code is None else float(limits[code])
    top, step = _scale(measure, spread)
    return MeasureView(
        key=measure,
        title=TITLES[measure],
        asked=LIMIT_LABELS[measure],
        limit=min(limit, top),
        top=top,
        step=step,
        n_flagged=int(flagged.sum()),
        histogram=pd.DataFrame(
            {"from": _bin_names(measure, spread), "kept": kept, "flagged": flagged}
        ),
        reason=_reason(measure, limits[inside], middle, measure in choice.limits),
    )


def _scale(measure: str, spread: qc_limits.Spread) -> tuple[float, float]:
    """Return the top and the step of a slider, whose scale is that of the bins."""
    step = flags.STEP.get(measure) or qc_limits.step_of(spread.middle)
    return float(np.ceil(round(spread.edges[-1] / step, 6)) * step), step


def _bin_names(measure: str, spread: qc_limits.Spread) -> list[str]:
    starts = spread.edges[:-1]
    if measure == DOUBLET:
        return [f"{start:.2f}" for start in starts]
    if measure == MT:
        return [f"{start:.1f}" for start in starts]
    return [f"{start:,.0f}" for start in starts]


def _number(measure: str, value: float) -> str:
    if measure == DOUBLET:
        return f"{value:.2f}"
    return f"{value:g} %" if measure == MT else f"{value:,.0f}"


def _reason(measure: str, limits: np.ndarray, middle: float, chosen: bool) -> str:
    """Say where a limit comes from."""
    low, high = float(limits.min()), float(limits.max())
    each = ""
    if low < high:
        ends = _number(measure, low), _number(measure, high)
        each = f" Each batch has its own, {ends[0]} to {ends[1]}; moving this sets all alike."
    if chosen:
        return f"Chosen by you.{each}"
    typical = f"A typical cell has {_number(measure, round(middle, 3))}."
    if measure == MT:
        return f"{typical} Far above it, and above 10 %, cells are often dying.{each}"
    if measure == DOUBLET:
        return f"{typical} Far above it, two cells may share a droplet.{each}"
    return f"{typical} Intact cells rarely have three to five times fewer.{each}"


def _by_batch(division: Batches, codes: np.ndarray) -> pd.DataFrame:
    n = len(division.names)
    cells = np.bincount(division.index, minlength=n)
    poor = np.bincount(division.index[codes != qc_limits.FINE], minlength=n)
    return pd.DataFrame({"batch": division.names, "cells": cells, "flagged": poor})


def _reasons(codes: np.ndarray) -> str:
    words = {qc_limits.NO_COUNTS: "no counts"}
    words |= {code: FLAG_WORDS[measure] for measure, code in flags.CODES.items()}
    cells = np.bincount(codes, minlength=len(qc_limits.FLAG_NAMES))
    return ", ".join(f"{cells[code]:,} {word}" for code, word in words.items() if cells[code])


def _notes(opened: Workspace, division: Batches) -> tuple[str, ...]:
    no_mt = opened.dataset.manifest["n_mt_genes"] == 0
    return (
        *((NO_MITOCHONDRIA,) if no_mt else ()),
        *doublets.notes(opened, division.key),
    )


def share(view: QualityView) -> str:
    """Return the share of cells that are flagged, in words."""
    return percent(view.n_flagged / max(1, view.n_cells), view.n_cells)
