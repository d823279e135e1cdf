"""How often an opinion is right, type by type, and what it says of the cells of a card."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from scanvi_core.project.opinions import Opinion
from scanvi_core.services.formatting import count
from scanvi_core.services.opinions.evidence import Known, judged_by, known
from scanvi_core.services.opinions.from_columns import short_name
from scanvi_core.services.opinions.kept import kept, meant, revision
from scanvi_core.services.workspace import Workspace
from scanvi_core.type_tree import Mask, within

Codes = npt.NDArray[np.signedinteger]


@dataclass(frozen=True)
class Track:
    """How often an opinion was right where it said one type: in decisions, and in labeled cells.

    `right`, `low` and `high` are the share to expect, with its 95 % interval.
    """

    decisions: int
    right_decisions: int
    labels: int
    right_labels: int
    right: float
    low: float
    high: float

    @property
    def sentence(self) -> str:
        """The counts in words; empty where there are none."""
        said = list[str]()
        if self.decisions:
            said.append(f"in {self.right_decisions} of your {count(self.decisions, 'decision')}")
        if self.labels:
            said.append(f"in {self.right_labels:,} of {count(self.labels, 'labeled cell')}")
        return f"right {' and '.join(said)} where it said so" if said else ""


@dataclass(frozen=True)
class Word:
    """What an opinion says of a card: the type, or its own name where that means none here."""

    whose: str
    says: str
    is_type: bool
    n_cells: int
    n_all: int
    track: Track | None

    @property
    def sentence(self) -> str:
        """It in one line."""
        cells = f"{self.n_cells} of {count(self.n_all, 'cell')}"
        said = f"{self.whose} says {self.says}"
        if not self.is_type:
            return f"{said} ({cells}), which means no type here yet"
        right = self.track.sentence if self.track is not None else ""
        return f"{said} ({cells}; {right})" if right else f"{said} ({cells})"


def tracks(opened: Workspace, one: Opinion) -> dict[str, Track]:
    """Return how often an opinion was right where it said each type, by the type."""
    key = ("tracks", one.id, revision(opened), opened.labels().seq)
    return opened.cache.get(key, lambda: _tracks(opened, one, known(opened)))


def table(opened: Workspace, one: Opinion) -> pd.DataFrame:
    """Return a row per type that an opinion says, the most frequent first; none without evidence.

    Columns are ``says``, right ones of ``decisions`` and of ``labeled cells``, the share to
    ``expect`` in percent, and its 95 % interval.
    """
    found, cells = tracks(opened, one), _cells_of(one)
    if not any(track.decisions or track.labels for track in found.values()):
        return pd.DataFrame()
    return pd.DataFrame([
        {
            "says": name,
            "decisions": _of(track.right_decisions, track.decisions),
            "labeled cells": _of(track.right_labels, track.labels),
            "expect": 100 * track.right,
            "95 % interval": f"{track.low:.0%} to {track.high:.0%}",
        }
        for name, track in sorted(found.items(), key=lambda item: -cells.get(item[0], 0))
    ])  # fmt: skip


def words(opened: Workspace, rows: np.ndarray) -> list[Word]:
    """Return what each opinion says of some cells; nothing of one that says nothing."""
    every = kept(opened)
    found = (_word(opened, one, short_name(one, every), rows) for one in every)
    return [word for word in found if word is not None]


def _word(opened: Workspace, one: Opinion, whose: str, rows: np.ndarray) -> Word | None:
    said = [one.names.get(name, "") or f"“{name}”" for name in one.label_names]
    spoken = [said[code] for code in one.labels[rows] if code >= 0]
    if not spoken:
        return None
    names, cells = np.unique(spoken, return_counts=True)
    best = str(names[cells.argmax()])
    is_type = best in set(one.names.values())
    track = tracks(opened, one).get(best) if is_type else None
    return Word(whose, best, is_type, int(cells.max()), len(rows), track)


def _tracks(opened: Workspace, one: Opinion, labels: Known) -> dict[str, Track]:
    from scanvi_core.annotation.opinions.trust import trust

    types = tuple(dict.fromkeys(one.names.values()))
    names = tuple(dict.fromkeys([*types, *labels.names]))
    said = meant(one, names)
    judge = judged_by(opened, one, labels) & (said >= 0)
    truth = labels.as_codes_of(names)
    counts = np.zeros((len(types), 2, 2), dtype=np.int64)  # type; decision or label; all, right
    by_hand = judge & (labels.decision >= 0)
    is_within = within(names, opened.labels().parents)
    for code, is_so in _decided(
        said[by_hand], truth[by_hand], labels.decision[by_hand], is_within
    ):
        counts[code, 0] += (1, int(is_so))
    given = judge & (labels.decision < 0)
    counts[:, 1, 0] = np.bincount(said[given], minlength=len(names))[: len(types)]
    hits = given & is_within[said, truth]
    counts[:, 1, 1] = np.bincount(said[hits], minlength=len(names))[: len(types)]
    shares = trust(counts[..., 1].sum(axis=1), counts[..., 0].sum(axis=1))
    return {
        name: Track(
            int(own[0, 0]), int(own[0, 1]), int(own[1, 0]), int(own[1, 1]),
            float(shares.mean[i]), float(shares.low[i]), float(shares.high[i]),
        )
        for i, (name, own) in enumerate(zip(types, counts, strict=True))
    }  # fmt: skip


def _decided(
    said: Codes, truth: Codes, decision: Codes, is_within: Mask
) -> list[tuple[int, bool]]:
    """Return what was mostly said of the cells of each decision, and whether it is so."""
    found = list[tuple[int, bool]]()
    order = np.argsort(decision, kind="stable")
    starts = np.flatnonzero(np.diff(decision[order], prepend=-1))
    for rows in np.split(order, starts[1:]) if order.size else ():
        most = int(np.bincount(said[rows]).argmax())
        found.append((most, bool(is_within[most, truth[rows[0]]])))
    return found


def _cells_of(one: Opinion) -> dict[str, int]:
    """Return how many cells an opinion calls by each type."""
    counts = np.bincount(one.labels[one.labels >= 0], minlength=len(one.label_names))
    cells = dict[str, int]()
    for own, n in zip(one.label_names, counts, strict=True):
        if one.names.get(own):
            cells[one.names[own]] = cells.get(one.names[own], 0) + int(n)
    return cells


def _of(right: int, n: int) -> str:
    return f"{right:,} of {n:,}" if n else ""
