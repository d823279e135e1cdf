"""The label log of a packed project: its entries are taken over as claims, and nothing else is."""

import json
import re
import sqlite3
import tracemalloc
from contextlib import closing

import numpy as np
import pytest

from scanvi_core.errors import HistoryRefused
from scanvi_core.project.label_log import events
from scanvi_core.project.label_log.exchange import audit, lines
from scanvi_core.project.label_log.exchange.fields import check_fields
from scanvi_core.project.label_log.exchange.foreign_log import adopt, stored
from scanvi_core.project.label_log.replay import entries
from scanvi_core.project.label_log.replay.entries import Record
from scanvi_core.project.label_log.replay.state import Change
from scanvi_core.project.label_log.storage.backup import write_new
from scanvi_core.project.label_log.storage.signing import CLAIMED, VERIFIED
from scanvi_core.project.label_log.store import LabelStore
from tests.project.label_log.storage.test_signing import before_signatures, rewrite
from tests.project.label_log.views import N, content, seen


@pytest.fixture
def came(tmp_path, filled):
    """The folder of a log as it comes with a packed project, and what it says."""
    filled.append(events.accept([0, 25, 26], "T", model="0001"))
    filled.append(events.holdout([3, 4], how="random"))
    filled.undo()
    (tmp_path / "ben").mkdir()
    ben = LabelStore.open(tmp_path / "ben", N, actor="ben")
    ben.append(events.assign(np.arange(30, 33), "NK"))
    filled.merge(ben.export_log())
    ben.close()
    filled.close()
    return tmp_path


def do(folder, *statements):
    """Change a file as somebody can who knows SQLite."""
    with closing(sqlite3.connect(folder / "project.db")) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def taken(folder):
    adopt(folder / "project.db", N)
    store = LabelStore.open(folder, N)
    found = store.events(), seen(store.labels()), content(store.export_log()), store.cut
    store.close()
    return found


def test_every_entry_is_a_claim_and_work_goes_on(came):
    store = LabelStore.open(came, N)
    wanted, said = seen(store.labels()), content(store.export_log())
    store.close()
    steps, labels, told, cut = taken(came)
    assert (labels, told, cut) == (wanted, said, False)
    assert {event.proof for event in steps} == {CLAIMED}
    store = LabelStore.open(came, N)
    store.undo()
    assert store.events()[-1].proof == VERIFIED
    assert store.conflicts() == []
    store.close()


def test_forged_names_are_claims(came):
    rewrite(came, lambda rows: [row._replace(actor="boss@lab.org", origin=None) for row in rows])
    steps, *_ = taken(came)
    assert {(event.actor, event.proof) for event in steps} == {("boss@lab.org", CLAIMED)}
    assert all(event.origin["brought_by"] for event in steps)


def test_a_log_of_before_signatures_is_taken_over(came):
    before_signatures(came)
    assert {event.proof for event in taken(came)[0]} == {CLAIMED}


def test_steps_that_say_more_than_any_history_are_refused(came, monkeypatch):
    size = size_of(came)
    monkeypatch.setattr(lines, "history_bytes", lambda _n_obs: size)
    taken(came)
    size = size_of(came)  # with who brought them
    whole = (came / "project.db").read_bytes()
    more = "printf('%.*c', 5000, 'x')"
    last = "WHERE seq = (SELECT max(seq) FROM events)"
    for change in (
        f"payload = json_set(payload, '$.more', {more})",
        f"before = CAST({more} AS BLOB)",
    ):
        (came / "project.db").write_bytes(whole)
        do(came, f"UPDATE events SET {change} {last}")
        with pytest.raises(HistoryRefused, match="say more than"):
            adopt(came / "project.db", N)


def size_of(folder):
    """Return how much the columns of a log hold: texts and bytes."""
    with closing(sqlite3.connect(folder / "project.db")) as connection:
        rows = connection.execute("SELECT * FROM events").fetchall()
    return sum(len(part) for row in rows for part in row if isinstance(part, str | bytes))


def notes(folder, n, **payload):
    """Write a log of so many notes, each with the digest it has to have."""
    before, found = "", []
    for seq in range(1, n + 1):
        said = {"text": "", "n_cells": 0, **payload}
        note = Record(seq, "2026-01-01T00:00:00+00:00", "boss", "note", said)
        before = entries.digest_of(before, note, Change())
        found.append(note._replace(digest=before))
    write_new(folder / "project.db", found, N, "")


def test_lists_in_lists_are_refused_by_the_memory_they_take_together(tmp_path, monkeypatch):
    nested = [[[[[[[[["x"]]]]]]]]]
    notes(tmp_path, 3, more=[nested] * 100)
    adopt(tmp_path / "project.db", N)
    notes_weight = 3 * 100 * 9 * lines.LIST_BYTES
    monkeypatch.setattr(lines, "history_memory", lambda _n_obs: notes_weight)
    with pytest.raises(HistoryRefused, match="of memory"):
        adopt(tmp_path / "project.db", N)


def test_taking_over_a_log_holds_few_of_its_steps_at_a_time(tmp_path):
    notes(tmp_path, 150, text="x" * 100_000)  # nearly as much as a log may say
    tracemalloc.start()
    try:
        adopt(tmp_path / "project.db", N)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10e6


def test_logs_inside_that_say_too_much_together_are_refused(came, monkeypatch):
    monkeypatch.setattr(audit, "HISTORY_BYTES_PER_CELL", 0)
    monkeypatch.setattr(audit, "HISTORY_LOGS_BYTES", 10)
    with pytest.raises(HistoryRefused, match="that this one took over"):
        adopt(came / "project.db", N)


def test_a_project_without_labels_has_none(tmp_path):
    adopt(tmp_path / "project.db", N)
    assert list(tmp_path.iterdir()) == []


LABELS = json.dumps({"n_cells": 0, "labels": ["x"]})
HOSTILE = {
    "trigger": ["CREATE TRIGGER t AFTER INSERT ON events BEGIN DELETE FROM events; END"],
    "view": ["CREATE VIEW v AS SELECT 1"],
    "another table": ["CREATE TABLE more (x)"],
    "entries worked out": ["ALTER TABLE events RENAME TO old",
                           "CREATE VIEW events AS SELECT * FROM old"],
    "a column worked out": ["ALTER TABLE events ADD COLUMN x GENERATED ALWAYS AS (seq * 2)"],
    "other cells": ["UPDATE meta SET value = '41' WHERE key = 'n_obs'"],
    "newer": ["UPDATE meta SET value = '99' WHERE key = 'schema_version'"],
    "no format": ["UPDATE meta SET value = x'00' WHERE key = 'schema_version'"],
    "cells as a number": ["ALTER TABLE meta RENAME TO old",
                          "CREATE TABLE meta (key TEXT PRIMARY KEY, value)",
                          "INSERT INTO meta SELECT * FROM old", "DROP TABLE old",
                          f"UPDATE meta SET value = {N} WHERE key = 'n_obs'"],
    "no facts": ["DELETE FROM meta"],
    "no entries": ["DROP TABLE events"],
    "a length for bytes": ["UPDATE events SET cells = 400000000 WHERE seq = 2"],
    "bytes for a name": ["UPDATE events SET actor = x'ff', digest = ''"],
    "text that is none": ["UPDATE events SET actor = CAST(x'ff' AS TEXT), digest = ''"],
    "no JSON": ["UPDATE events SET payload = '{' WHERE seq = 2"],
    "bytes for JSON": ["UPDATE events SET payload = x'7b7d' WHERE seq = 2"],
    "lists in lists": ["UPDATE events SET payload = printf('%.*c', 200000, '[') WHERE seq = 2"],
    "no number": ["UPDATE events SET payload = '{\"n_cells\": NaN}' WHERE seq = 2"],
    "a text without end": ["UPDATE events SET time = printf('%.*c', 9000000, 'x') WHERE seq = 2"],
    "changed": ["UPDATE events SET actor = 'boss' WHERE seq = 2"],
    "one taken out": ["DELETE FROM events WHERE seq = 2"],
    "another kind": [f"UPDATE events SET kind = 'rename', payload = '{LABELS}', digest = ''"],
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_that_is_more_or_less_than_a_log_is_refused_and_left(came, name):
    do(came, "PRAGMA writable_schema = ON", *HOSTILE[name])
    before = (came / "project.db").read_bytes()
    tracemalloc.start()
    try:
        with pytest.raises(HistoryRefused) as caught:
            adopt(came / "project.db", N)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert not re.search(r"of (\d+) cells, the data set has \1\b", caught.value.message)
    assert "Repair" not in str(caught.value)  # there is nothing of ours to repair
    assert (came / "project.db").read_bytes() == before
    assert peak < 40e6


@pytest.mark.parametrize("damage", ["head", "middle", "cut"])
def test_a_damaged_file_is_refused(came, damage):
    path = came / "project.db"
    whole = bytearray(path.read_bytes())
    if damage == "head":
        whole[:100] = b"x" * 100
    elif damage == "middle":
        whole[4096:] = bytes(len(whole) - 4096)
    else:
        whole = whole[:5000]
    path.write_bytes(whole)
    with pytest.raises(HistoryRefused):
        adopt(path, N)


def test_terms_come_with_a_log_from_elsewhere_and_only_terms(tmp_path, filled):
    filled.append(events.terms({"B": "CL:0000236"}))
    filled.append(events.rename("B", "odd B"))
    filled.close()
    record = list(stored(tmp_path / "project.db", N))[1]
    taken(tmp_path)
    store = LabelStore.open(tmp_path, N)
    assert store.labels().terms == {"odd B": "CL:0000236"}
    store.close()
    check_fields(record, N)
    for term in ("x", "GO:0000001", 5, None, "CL:0000236\n"):
        changes = [[0, ["B", True, "", "", None], ["B", True, "", "", None, term]]]
        with pytest.raises(HistoryRefused, match="changes"):
            check_fields(record._replace(payload=record.payload | {"changes": changes}), N)
