"""Scores of the current model on the labels that were set aside."""

from dataclasses import dataclass

import pandas as pd

from scanvi_core import config
from scanvi_core.metrics.classification import Scores, score
from scanvi_core.project.runs import Run
from scanvi_core.services import results
from scanvi_core.services.workspace import workspace


@dataclass(frozen=True)
class HoldoutReport:
    """The scores, a table of types, and notes on how to read them."""

    scores: Scores
    names: tuple[str, ...]
    table: pd.DataFrame
    notes: tuple[str, ...]
    model_number: int


def report(project_id: str) -> HoldoutReport | None:
    """Score the current model on its hold-out; None when nothing was set aside."""
    found = results.current(project_id)
    if found is None:
        return None
    opened = workspace(project_id)
    seq = Run.open(opened.project, found.run_id).settings["labels_seq"]
    truth, rows = results.holdout_truth(opened, found.names, found.holdout, seq)
    n_other = int((truth < 0).sum())
    usable = (truth >= 0) & (found.prediction[rows] >= 0)
    truth, rows = truth[usable], rows[usable]
    if not truth.size:
        return None
    scores = score(truth, found.prediction[rows], found.names, found.confidence[rows])
    notes = [found.summary["calibration"]]
    if scores.left_out:
        notes.append(
            f"{', '.join(scores.left_out)}: fewer than {config.RARE_CELLS} held-out cells, "
            "left out of the mean F1."
        )
    if n_other:
        notes.append(f"{n_other} held-out cells have a type the model does not know.")
    return HoldoutReport(
        scores, found.names, type_table(scores), tuple(notes), int(found.summary["number"])
    )


def type_table(scores: Scores) -> pd.DataFrame:
    """Return cells, precision, recall (with its 95 % interval) and F1 of each type."""
    return pd.DataFrame(
        [
            {
                "type": item.name,
                "cells": item.support,
                "precision": item.precision,
                "recall": item.recall,
                "F1": item.f1,
                "recall, 95 % interval": f"{item.interval[0]:.0%} to {item.interval[1]:.0%}"
                if item.support
                else "",
            }
            for item in scores.types
        ]
    )
