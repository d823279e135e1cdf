"""Histories as a forger writes them: entries of any content, with the digests they would have."""

import base64
import json
import tracemalloc

import numpy as np
import pytest

from scanvi_core.errors import HistoryRefused
from scanvi_core.project.label_log.exchange.lines import from_line
from scanvi_core.project.label_log.replay import entries as label_log_entries
from scanvi_core.project.label_log.replay.row_sets import pack_values
from scanvi_core.project.label_log.replay.state import Board
from scanvi_core.project.label_log.replay.undo import History
from scanvi_core.services.labels import history
from scanvi_core.services.workspace import workspace
from tests.projects import copy_of

N = 700
NO_DIGEST = "0" * 32  # of no entry
MOST_BYTES, MOST_PER_BYTE = 4e6, 250  # memory that looking at a file may take


def entries(text):
    head, *lines = text.decode().split("\n")
    return head, [json.loads(line) for line in lines]


def text_of(head, found):
    return "\n".join([head, *map(json.dumps, found)]).encode()


def sealed(found):
    """Give entries the digests they would have: whoever knows the program can."""
    board, history_ = Board(N), History()
    for entry in found:
        record = from_line(json.dumps(entry | {"digest": NO_DIGEST}), N)._replace(digest="")
        change = label_log_entries.unpack(record, N)
        entry["digest"] = label_log_entries.digest_of(history_.digest, record, change)
        label_log_entries.advance(record, change, entry["digest"], board, history_)
    return found


def lone(**fields):
    """Return one entry that names cells 3 to 5, with other fields as given."""
    label = ["Mine", True, "", "", None]
    payload = {"labels": ["Mine"], "reason": "", "model": "", "n_cells": 3,
               "changes": [[0, ["Mine", False, "", "", None], label]]}  # fmt: skip
    values = {
        "after": pack_values(np.zeros(3, np.int32), np.full(3, 2, np.uint8)),
        "before": pack_values(np.full(3, -1, np.int32), np.zeros(3, np.uint8)),
    }
    entry = {"seq": 1, "time": "2026-01-02T03:04:05+00:00", "actor": "anna", "kind": "assign",
             "payload": payload, "cells": [[3, 5]], "digest": NO_DIGEST}  # fmt: skip
    entry |= {name: base64.b64encode(blob).decode() for name, blob in values.items()}
    return entry | fields


def with_payload(**parts):
    return lone(payload=lone()["payload"] | parts)


def packed(blob):
    return base64.b64encode(blob).decode()


def head_of(project):
    return history.export_log(workspace(project)).decode().split("\n")[0]


def copy_of_project(project):
    return copy_of(workspace(project).project.root)


def refused(project, text):
    """Return the error of a history that is refused, and see that nothing of it was kept."""
    before = workspace(project).store.export_log()
    tracemalloc.start()
    try:
        with pytest.raises(HistoryRefused) as caught:
            history.import_log(workspace(project), text)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert workspace(project).store.export_log() == before
    assert caught.value.message.endswith((".", "…")) or ":" in caught.value.message
    assert peak < MOST_BYTES + MOST_PER_BYTE * len(text)
    return caught.value
