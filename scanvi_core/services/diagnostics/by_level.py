"""How right a model is at each level of its types: broad names more often than fine ones."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from scanvi_core import config
from scanvi_core.metrics.intervals import wilson_interval
from scanvi_core.metrics.levels import hierarchical_f1, score_depths
from scanvi_core.services.diagnostics.held_out import HeldOut, held_out
from scanvi_core.services.diagnostics.holdout_report import curve_table
from scanvi_core.services.formatting import count, hundredths, percent, percent_with_interval
from scanvi_core.services.runs import results
from scanvi_core.services.workspace import Workspace
from scanvi_core.type_tree import TypeTree

TYPES = "types"


@dataclass(frozen=True)
class LevelReport:
    """What the page says of levels.

    Attributes
    ----------
    sentence
        How right the model is at the broadest level and at that of types, and by distance.
    depths
        One row per level: cells, how many are right.
    answers
        One row per level of the deepest answer that is sure: cells, how many are right.
    curve
        Share right by the share of cells accepted, for each level.
    """

    sentence: str
    depths: pd.DataFrame
    answers: pd.DataFrame
    curve: pd.DataFrame


def report(opened: Workspace) -> LevelReport | None:
    """Return how right the current model is by level; None without levels or held-out cells."""
    run = opened.current_run()
    if run is None or not run.settings.parents:
        return None
    return opened.cache.get(("by level", run.id), lambda: _report(opened, run.id))


def _report(opened: Workspace, run_id: str) -> LevelReport | None:
    cells, found = held_out(opened, run_id), results.load(opened, run_id)
    if not cells.rows.size + cells.broad_rows.size:
        return None
    tree = cells.run.settings.tree
    rows = np.concatenate([cells.rows, cells.broad_rows])
    truth = np.concatenate([cells.truth, cells.broad_truth])
    said = found.prediction[rows]
    scores = score_depths(tree, truth, said)
    table = pd.DataFrame(
        {
            "level": [level_name(tree, score.depth) for score in scores],
            "cells": [score.n for score in scores],
            "right": [percent_with_interval(s.n_right / s.n, s.interval) if s.n else ""
                      for s in scores],
        }
    )  # fmt: skip
    distance = hierarchical_f1(tree, truth, said)
    top = scores[0]
    sentence = (
        f"The broadest type is right for {percent(top.n_right / top.n, top.n)} of "
        f"{count(top.n, 'held-out cell')}. Hierarchical F1, by which a near miss costs less than "
        f"a far one: {hundredths(distance):.2f}."
    )
    answers = _answers(tree, found.probabilities[rows], truth)
    return LevelReport(sentence, table, answers, _curves(tree, cells, found))


def level_name(tree: TypeTree, depth: int) -> str:
    """Return what a depth is called: by some of the types that lie there."""
    names = [
        name for name in dict.fromkeys(tree.nodes + tree.leaves) if tree.depths[name] == depth
    ]
    some = ", ".join(names[:2]) + (", …" if len(names) > 2 else "")
    return f"{depth + 1}: {some}"


def _answers(tree: TypeTree, probabilities: np.ndarray, truth: np.ndarray) -> pd.DataFrame:
    """Return how many cells get an answer of each level, how sure it is, and how often right."""
    from scanvi_core.annotation.uncertainty.hierarchy import back_off

    said = back_off(probabilities, tree, config.LOW_CONFIDENCE)
    # An answer is right where it holds the true type; of a broad truth, where it holds a part.
    fits = (tree.allowed[said.code] & tree.allowed[truth]).any(axis=1)
    lines: list[tuple[str, int, str, str]] = []
    for depth in [*range(int(said.depth.max(initial=-1)) + 1), -1]:
        own = said.depth == depth
        n, right = int(own.sum()), int(fits[own].sum())
        if n and depth >= 0:
            told = percent_with_interval(right / n, wilson_interval(right, n))
            lines.append((level_name(tree, depth), n, f"{said.confidence[own].mean():.2f}", told))
        elif n:
            lines.append(("nothing is sure", n, "", ""))
    return pd.DataFrame(lines, columns=["answer", "cells", "confidence", "right"])


def _curves(tree: TypeTree, cells: HeldOut, found: results.Results) -> pd.DataFrame:
    """Return the curve of each level at which every type is of one broader type."""
    if not cells.rows.size:
        return pd.DataFrame(columns=["level", "coverage", "right"])
    p = np.asarray(found.probabilities[cells.rows], dtype=np.float64)
    levels = {f"level {d + 1}": tree.cut(d) for d in range(max(tree.depths.values()))}
    cuts = {name: cut for name, cut in levels.items() if cut is not None}
    cuts[TYPES] = np.arange(len(tree.leaves))
    parts = []
    for name, cut in cuts.items():
        groups, place = np.unique(cut, return_inverse=True)
        together = np.stack([p[:, place == g].sum(axis=1) for g in range(len(groups))], axis=1)
        right = together.argmax(axis=1) == place[cells.truth]
        parts.append(curve_table(right, together.max(axis=1)).assign(level=name))
    return pd.concat(parts, ignore_index=True)
