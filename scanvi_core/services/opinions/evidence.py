"""What an opinion is judged by: decisions made here, and labels that it has not learned from.

A decision counts once, however many cells it named: they are alike, and so is what a tool says of
them. Labels that came with the file count cell by cell, but only for a tool that learned from
other cells than these, and not where it says nearly what they say: they may have been made of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from scanvi_core import keys
from scanvi_core.project.label_log.replay.state import GIVEN
from scanvi_core.project.opinions import Opinion
from scanvi_core.services.labels.decisions import namings
from scanvi_core.services.opinions.from_columns import COLUMN, ELSEWHERE
from scanvi_core.services.workspace import Workspace

SAME = 0.98  # share of the given labels: of what agrees with so many they are no judge
ENOUGH = 50  # cells, from which that can be seen


@dataclass(frozen=True)
class Known:
    """What is known of the cells by labels; all arrays [n_obs].

    Attributes
    ----------
    names
        Names of the types that `codes` point to.
    codes
        Types, -1 where nothing is known.
    decision
        Number of the decision that named the cell; -1 for labels that came with the file.
    weight
        How many cells each counts as: those of a decision are one together.
    """

    names: tuple[str, ...]
    codes: npt.NDArray[np.int64]
    decision: npt.NDArray[np.int64]
    weight: npt.NDArray[np.float64]

    def as_codes_of(self, names: Sequence[str]) -> npt.NDArray[np.int64]:
        """Return the types as codes of other names [n_obs], -1 for types not among them."""
        places = {name: code for code, name in enumerate(names)}
        codes = [places.get(name, -1) for name in self.names]
        return np.array([*codes, -1], dtype=np.int64)[self.codes]


def known(opened: Workspace, *, visible: bool = False, at: int | None = None) -> Known:
    """Return what labels say of the cells, as they are now or were after step `at`.

    With `visible`, labels set aside are left out: what a model is judged by it may not know.
    """
    seq = opened.labels().seq if at is None else at
    key = ("known for opinions", seq, visible)
    return opened.cache.get(key, lambda: _known(opened, seq, visible=visible))


def _known(opened: Workspace, seq: int, *, visible: bool) -> Known:
    state = opened.store.labels(seq)
    codes = state.codes.astype(np.int64)
    verdicts = [code for code, name in enumerate(state.names) if name == keys.UNKNOWN]
    codes[np.isin(codes, verdicts)] = -1
    if visible:
        codes[state.holdout] = -1
    by_hand = (codes >= 0) & (state.sources != GIVEN)
    decision = np.full(codes.size, -1, dtype=np.int64)
    if by_hand.any():
        steps = namings(opened, seq).step[by_hand].astype(np.int64)
        pairs = np.stack([steps, codes[by_hand]], axis=1)
        decision[by_hand] = np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1)
    cells = np.bincount(decision[by_hand], minlength=1)
    weight = np.where(by_hand, 1.0 / np.maximum(cells[np.where(by_hand, decision, 0)], 1), 1.0)
    return Known(tuple(state.names), codes, decision, weight)


def judged_by(opened: Workspace, one: Opinion, labels: Known) -> npt.NDArray[np.bool_]:
    """Return the cells [n_obs] whose label can judge an opinion."""
    given = (labels.codes >= 0) & (labels.decision < 0)
    by_given = _learned_elsewhere(opened, one) and not _is_same(one, labels.codes, given)
    return (labels.codes >= 0) & (by_given | ~given)


def _learned_elsewhere(opened: Workspace, one: Opinion) -> bool:
    """Tell whether labels of the file are new to a tool, as far as that is known."""
    is_column = one.about.get(COLUMN) == opened.project.settings.get("labels_key")
    return one.source == "markers" or (ELSEWHERE in one.about and not is_column)


def _is_same(one: Opinion, codes: npt.NDArray[Any], given: npt.NDArray[np.bool_]) -> bool:
    """Tell whether an opinion says of nearly all cells what their labels say, in its words."""
    both = given & (one.labels >= 0)
    if both.sum() < ENOUGH:
        return False
    table = np.zeros((len(one.label_names), int(codes[both].max()) + 1))
    np.add.at(table, (one.labels[both], codes[both]), 1)
    return bool(table.max(axis=1).sum() >= SAME * table.sum())
