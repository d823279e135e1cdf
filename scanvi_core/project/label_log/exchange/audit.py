"""Replaying a log from elsewhere, to find whether it holds together before any of it is kept.

A log of this program is numbered without a gap; each entry says what was there before it and does
what its kind and its words say; an undo turns around what the step did; and no cell carries a
label that is gone. So what comes in can be undone, merged and shown like what was done here.
"""

import base64
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scanvi_core.config import (
    HISTORY_BYTES_PER_CELL,
    HISTORY_CHANGES,
    HISTORY_CHANGES_PER_CELL,
    HISTORY_LOG_CHANGES,
    HISTORY_LOGS_BYTES,
)
from scanvi_core.errors import (
    HistoryRefused,
    LogDamaged,
    ProjectError,
)
from scanvi_core.project.label_log.exchange.fields import AGAIN, check_fields, refused
from scanvi_core.project.label_log.exchange.lines import read_lines, unpack_log
from scanvi_core.project.label_log.exchange.merge import COMBINE
from scanvi_core.project.label_log.replay import entries
from scanvi_core.project.label_log.replay.entries import Record
from scanvi_core.project.label_log.replay.row_sets import unpack_rows
from scanvi_core.project.label_log.replay.state import Board, Change
from scanvi_core.project.label_log.replay.undo import History

ANY = frozenset({"undo", "redo"})
CELLS = ANY | {"import", "assign", "accept", "clear", "merge", "split", "delete", COMBINE}
NO_LABELS = frozenset({"clear", "holdout", "note", "checkpoint"})


@dataclass
class Allowance:
    """How much work a log and those in it may still ask for, in cells and labels."""

    left: int
    logs_bytes: int  # of the logs in it

    @classmethod
    def for_cells(cls, n_obs: int) -> "Allowance":
        """Return what any honest log of `n_obs` cells stays far below."""
        return cls(
            HISTORY_CHANGES + HISTORY_CHANGES_PER_CELL * n_obs,
            HISTORY_LOGS_BYTES + HISTORY_BYTES_PER_CELL * n_obs,
        )

    def spend_log(self, lines: Sequence[str], n_obs: int) -> None:
        """Raise `HistoryRefused` when the logs in it are too many, or say too much together."""
        self.spend(HISTORY_LOG_CHANGES * n_obs)
        self.logs_bytes -= sum(map(len, lines))
        if self.logs_bytes < 0:
            most = HISTORY_LOGS_BYTES + HISTORY_BYTES_PER_CELL * n_obs
            raise HistoryRefused(
                f"The histories that this one took over are more than {most >> 20:,} MB.", AGAIN
            )

    def spend(self, work: int) -> None:
        """Raise `HistoryRefused` when nothing is left."""
        self.left -= work
        if self.left < 0:
            raise HistoryRefused(
                "This label history changes every cell many hundred times over.", AGAIN
            )


class Audit:
    """A log as far as it was looked at; `inside` another that took it over."""

    def __init__(self, n_obs: int, allowance: Allowance, *, inside: bool = False) -> None:
        self._board, self._history = Board(n_obs), History()
        self._allowance, self._inside = allowance, inside
        self._codes: dict[str, int] = {}  # of the labels in use, by name
        self._n_cells: Counter[int] = Counter()  # by code
        self._done: dict[int, str] = {}  # what each step did, as a digest

    def take(self, record: Record) -> Record:
        """Return the next entry with its digest.

        Raises
        ------
        HistoryRefused
            If it does not fit those before it, or no log at all.
        """
        try:
            check_fields(record, len(self._board.codes))
            change = entries.unpack(record, len(self._board.codes))
            self._allowance.spend(change.n_cells + len(self._board.labels))
            digest = entries.digest_of(self._history.digest, record, change)
            self._check_place(record, digest)
            self._check_words(record, change)
            self._check_undo(record, change)
            self._check_labels(change)
            self._check_before(change)
            entries.advance(record, change, digest, self._board, self._history)
            self._check_after(record, change)
        except LogDamaged as error:  # its hint is about a log of ours
            raise refused(error.what) from error
        except HistoryRefused:
            raise
        except ProjectError as error:
            raise refused(f"entry {record.seq}: {error.message}") from error
        if record.kind == COMBINE:
            self._check_logs(record)
        return record._replace(digest=digest)

    def _check_place(self, record: Record, digest: str) -> None:
        """Refuse an entry out of order, or one that is not what its digest says."""
        last = self._history.seq
        follows = record.seq == last + 1
        if record.seq > last and record.digest not in ("", digest):
            raise refused(f"entry {record.seq} is not what was written")
        if not follows:
            raise refused(f"it is out of order, entry {record.seq} comes after entry {last}")

    def _check_words(self, record: Record, change: Change) -> None:
        """Refuse an entry that does something else than its kind and its numbers say."""
        kind, payload = record.kind, record.payload
        fits = [record.after is None, record.cells is None, record.before is None]
        expected = [change.cells is None, *[not (change.cells or change.holdout)] * 2]
        wrong = fits != expected or payload["n_cells"] != change.n_cells
        wrong |= change.cells is not None and kind not in CELLS
        wrong |= change.holdout is not None and kind not in ANY | {"holdout"}
        wrong |= bool(change.labels) and kind in NO_LABELS
        if wrong or _left_out(payload, len(self._board.codes)) != payload.get("left_out", 0):
            raise refused(f"entry {record.seq} does not do what it says")

    def _check_undo(self, record: Record, change: Change) -> None:
        """Refuse an undo that does not turn around what the step did, or a redo of another."""
        kind = record.kind
        if kind not in ANY:
            self._done[record.seq] = _digest(change)
            return
        step = record.payload["step"]
        if kind == "redo" and step != self._history.next_redo:
            raise refused(f"entry {record.seq} puts back what was not taken back last")
        if _digest(change.reversed() if kind == "undo" else change) != self._done.get(step):
            raise refused(f"entry {record.seq} does something else than {kind} step {step}")

    def _check_labels(self, change: Change) -> None:
        """Refuse edits of labels that are not there, and two labels of one name."""
        labels = self._board.labels
        fresh = [code for code, _, _ in change.labels if code >= len(labels)]
        in_order = fresh == list(range(len(labels), len(labels) + len(fresh)))
        if not in_order or len({code for code, _, _ in change.labels}) < len(change.labels):
            raise refused("it changes labels that are not there")
        for code, old, _ in change.labels:
            if old.alive if code >= len(labels) else old != labels[code]:
                raise refused(f"the label {old.name[:60]} was another one before it was changed")
            if old.alive:
                del self._codes[old.name]
        for code, _, new in change.labels:
            if new.alive and self._codes.setdefault(new.name, code) != code:
                raise refused(f"there are two labels {new.name[:60]}")

    def _check_before(self, change: Change) -> None:
        """Refuse an entry that undoing would not bring back to where it began."""
        cells, aside = change.cells, change.holdout
        if cells is not None:
            codes, sources = self._board.codes[cells.rows], self._board.sources[cells.rows]
            if not (
                np.array_equal(codes, cells.before[0]) and np.array_equal(sources, cells.before[1])
            ):
                raise refused("cells had other labels before they were changed")
        if aside is not None:
            self._allowance.spend(len(self._board.codes))
            if not np.array_equal(aside.before, np.flatnonzero(self._board.holdout)):
                raise refused("other cells were set aside before they were changed")

    def _check_after(self, record: Record, change: Change) -> None:
        """Refuse cells with a label that is gone, or another one than the entry names."""
        labels = self._board.labels
        touched = {code for code, _, new in change.labels if not new.alive}
        if change.cells is not None:
            codes, sources = change.cells.after
            if codes.max(initial=-1) >= len(labels) or ((codes < 0) != (sources == 0)).any():
                raise refused(f"entry {record.seq} gives labels that are not there")
            self._count(change.cells.before[0], -1)
            used = self._count(codes, 1)
            said = _names(record)
            if said is not None and not said.issuperset(labels[code].name for code in used):
                raise refused(f"entry {record.seq} gives other labels than it says")
            touched.update(used)
        if any(self._n_cells[code] and not labels[code].alive for code in touched):
            raise refused(f"entry {record.seq} leaves cells with a label that is gone")

    def _count(self, codes: np.ndarray, sign: int) -> list[int]:
        """Count the cells of each label, and return which labels there are."""
        n_cells = np.bincount(codes[codes >= 0])
        used: list[int] = np.flatnonzero(n_cells).tolist()
        for code in used:
            self._n_cells[code] += sign * int(n_cells[code])
        return used

    def _check_logs(self, record: Record) -> None:
        """Look at the logs that an entry took over: they hold what it says it knows."""
        logs, n_obs = record.payload["logs"], len(self._board.codes)
        if logs and self._inside:
            raise refused("it holds a history in a history in a history")
        known: set[str] = set()
        for packed in logs:
            lines = unpack_log(packed, n_obs)
            self._allowance.spend_log(lines, n_obs)
            audit = Audit(n_obs, self._allowance, inside=True)
            inner = read_lines(lines, n_obs)
            known.update(audit.take(entry).digest for entry in inner)
        if logs and not known.issuperset(record.payload["knows"]):
            raise refused(f"entry {record.seq} knows what is not in it")


def _names(record: Record) -> set[str] | None:
    """Return the labels that an entry says it gives to cells; None where it does not say."""
    if record.kind in ANY or record.kind == COMBINE:
        return None
    if record.kind == "merge":
        return {record.payload.get("to", "")}
    return set(record.payload.get("labels", ())) if record.kind != "delete" else set()


def _left_out(payload: Mapping[str, Any], n_obs: int) -> int:
    """Return how many cells an entry lists as asked for and left out."""
    if "left_out_rows" not in payload:
        return 0
    try:
        packed = base64.b64decode(payload["left_out_rows"], validate=True)
    except ValueError as error:
        raise LogDamaged("the cells that were left out cannot be read") from error
    return len(unpack_rows(packed, n_obs))


def _digest(change: Change) -> str:
    """Return a digest of what a change does."""
    digest = hashlib.blake2b(repr(change.labels).encode(), digest_size=16)
    arrays: list[np.ndarray] = []
    if change.cells is not None:
        arrays = [change.cells.rows, *change.cells.after, *change.cells.before]
    elif change.holdout is not None:
        arrays = [change.holdout.after, change.holdout.before]
    for array in arrays:
        digest.update(f"{len(array)} ".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
