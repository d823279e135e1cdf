"""A label log for other cells: the same cells in another order, or only some of them."""

import base64
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from scanvi_core.project.label_log.exchange.merge import COMBINE
from scanvi_core.project.label_log.replay import entries
from scanvi_core.project.label_log.replay.entries import Record
from scanvi_core.project.label_log.replay.row_sets import (
    Codes,
    Rows,
    Sources,
    pack_rows,
    unpack_rows,
)
from scanvi_core.project.label_log.replay.state import CellChange, Change, HoldoutChange

LEFT_OUT = "left_out_rows"


def translate(records: Iterable[Record], place: NDArray[np.int64], n_obs: int) -> Iterator[Record]:
    """Yield the entries of a log for another data set, with other digests that are not known yet.

    Parameters
    ----------
    records
        The log as it is.
    place
        Per cell of the old data set its row in the new one, -1 where it is not there.
    n_obs
        Number of cells of the new data set.
    """
    for record in records:
        change = entries.unpack(record, len(place))
        holdout, cells = change.holdout, change.cells
        moved = Change(
            None if cells is None else _cells(cells, place),
            None
            if holdout is None
            else HoldoutChange(_rows(holdout.after, place), _rows(holdout.before, place)),
            change.labels,
        )
        payload = dict(record.payload)
        if LEFT_OUT in payload:
            rows = unpack_rows(base64.b64decode(payload[LEFT_OUT]), len(place))
            rows = _rows(rows, place)
            payload[LEFT_OUT] = base64.b64encode(pack_rows(rows, n_obs)).decode()
            payload["left_out"] = len(rows)
        if record.kind == COMBINE:  # the logs in it are of the old rows; what they did stays
            payload["logs"] = []
        packed = entries.pack(moved, n_obs)
        parts = packed._asdict() | {"payload": payload | packed.payload, "digest": ""}
        yield record._replace(**parts)


def _rows(rows: Rows, place: NDArray[np.int64]) -> Rows:
    moved = place[rows]
    return np.sort(moved[moved >= 0])


def _cells(cells: CellChange, place: NDArray[np.int64]) -> CellChange:
    moved = place[cells.rows]
    order = np.argsort(moved, kind="stable")
    order = order[moved[order] >= 0]

    def pick(values: tuple[Codes, Sources]) -> tuple[Codes, Sources]:
        return values[0][order], values[1][order]

    return CellChange(moved[order], pick(cells.after), pick(cells.before))
