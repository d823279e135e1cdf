"""Steps are signed by the installation: what was changed behind its back is seen."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from scanvi_core import runtime
from scanvi_core.errors import ProjectError
from scanvi_core.project import locks
from scanvi_core.project.label_log import events
from scanvi_core.project.label_log.exchange.lines import read_lines
from scanvi_core.project.label_log.replay import entries
from scanvi_core.project.label_log.replay.entries import Record
from scanvi_core.project.label_log.replay.state import Board
from scanvi_core.project.label_log.replay.undo import History
from scanvi_core.project.label_log.storage import signing
from scanvi_core.project.label_log.storage.backup import BACKUPS, copies, mend
from scanvi_core.project.label_log.storage.signing import (
    ALTERED,
    CLAIMED,
    ELSEWHERE,
    UNSIGNED,
    VERIFIED,
)
from scanvi_core.project.label_log.storage.tables import EVENTS
from scanvi_core.project.label_log.store import LabelStore
from tests import ROOT
from tests.project.label_log.views import N, content, seen, sql


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home without a key."""
    monkeypatch.setenv(runtime.HOME_VARIABLE, str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def long(filled):
    """A log of five steps."""
    for i in range(4):
        filled.append(events.assign([i], "T"))
    return filled


def proofs(store):
    return [event.proof for event in store.events()]


def opened(folder):
    """Open a log once more, look at it, and close it."""
    store = LabelStore.open(folder, N)
    found = proofs(store), store.cut, store.damage
    store.close()
    return found


def rewrite(folder, change):
    """Change the entries of a log as somebody can who knows the program, but not the key."""
    engine = sa.create_engine(f"sqlite:///{folder}/project.db")
    with engine.begin() as connection:
        rows = [
            Record(*row) for row in connection.execute(sa.select(EVENTS).order_by(EVENTS.c.seq))
        ]
        connection.execute(EVENTS.delete())
        board, history = Board(N), History()
        for number, row in enumerate(change(rows), 1):
            entry = row._replace(seq=number)
            done = entries.unpack(entry, N)
            entry = entry._replace(digest=entries.digest_of(history.digest, entry, done))
            entries.advance(entry, done, entry.digest, board, history)
            connection.execute(EVENTS.insert().values(entry._asdict()))
    engine.dispose()


def test_the_key_is_made_once_beside_the_projects_for_its_owner_alone(tmp_path, filled, home):
    key = home / "signing.key"
    text = key.read_text()
    assert len(bytes.fromhex(text)) == 32
    if os.name == "posix":
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    filled.append(events.note("more"))
    (tmp_path / "other").mkdir()
    other = LabelStore.open(tmp_path / "other", N)
    other.append(events.note("elsewhere"))
    other.close()
    assert key.read_text() == text
    assert [path.name for path in home.iterdir()] == ["signing.key"]
    assert text not in (tmp_path / "project.db").read_bytes().decode("latin-1")


def test_processes_that_start_at_once_sign_with_one_key(tmp_path):
    code = (
        "import sys; from pathlib import Path\n"
        "from scanvi_core.project.label_log.store import LabelStore\n"
        "from scanvi_core.project.label_log import events\n"
        "LabelStore.open(Path(sys.argv[1]), 40).append(events.note('x'))"
    )
    LabelStore.open(tmp_path, N).close()
    many = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT) for _ in range(3)
    ]
    assert [process.wait(120) for process in many] == [0, 0, 0]
    assert opened(tmp_path) == ([VERIFIED] * 3, False, "")


def test_the_key_can_lie_where_the_environment_says(tmp_path, home, monkeypatch):
    path = tmp_path / "secrets" / "key"
    path.parent.mkdir()
    path.write_text("ab" * 32)
    monkeypatch.setenv(signing.KEY_VARIABLE, str(path))
    store = LabelStore.open(tmp_path, N)
    store.append(events.note("x"))
    store.close()
    assert opened(tmp_path)[0] == [VERIFIED]
    assert not home.exists()


def test_a_key_that_cannot_be_used_stops_edits_and_not_looking(tmp_path, filled, home):
    wanted = seen(filled.labels())
    filled.close()
    (home / "signing.key").write_text("no key")
    store = LabelStore.open(tmp_path, N)
    assert seen(store.labels()) == wanted
    assert proofs(store) == [ELSEWHERE]
    with pytest.raises(ProjectError, match=r"signing\.key"):
        store.append(events.note("x"))
    assert len(store.events()) == 1
    store.close()


def test_every_kind_of_step_is_verified_here_and_after_opening_again(tmp_path, long):
    long.undo()
    long.redo()
    long.append(events.rename("B", "B cell"))
    long.undo_to(3)
    assert set(proofs(long)) == {VERIFIED}
    assert opened(tmp_path) == ([VERIFIED] * len(long.events()), False, "")


def test_who_signed_in_is_told_from_who_typed_a_name(tmp_path, filled, monkeypatch):
    monkeypatch.setattr(locks, "_ask", lambda: "ada@lab.org")
    monkeypatch.setattr(locks, "_signed_in", lambda: True)
    filled.append(events.note("by a person"))
    typed, proven = filled.events()
    assert (typed.actor, typed.origin) == ("anna", {})
    assert (proven.actor, proven.origin) == ("ada@lab.org", {"signed_in": True})
    sql(tmp_path, "UPDATE events SET origin = '{\"signed_in\": true}' WHERE seq = 1")
    assert opened(tmp_path)[0] == [ALTERED, VERIFIED]


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: [row._replace(actor="boss") if row.seq == 3 else row for row in rows],
        lambda rows: [row._replace(time="2001-01-01T00:00:00+00:00") if row.seq == 3 else row
                      for row in rows],
        lambda rows: [*rows[:2], *rows[3:]],
        lambda rows: [*rows[:2], rows[2]._replace(actor="boss"), *rows[2:]],
        lambda rows: [row._replace(mac="") if row.seq == 3 else row for row in rows],
        lambda rows: [row._replace(mac=rows[3].mac) if row.seq == 3 else row for row in rows],
    ],
    ids=["who", "when", "taken out", "put in", "not signed", "signature of another"],
)  # fmt: skip
def test_a_log_rewritten_behind_the_back_of_the_program_is_seen(tmp_path, long, change):
    long.close()
    rewrite(tmp_path, change)
    found, _, damage = opened(tmp_path)
    assert damage == ""  # the digests fit: whoever knows the program can make them
    assert found[:2] == [VERIFIED, VERIFIED]
    assert found[2] == ALTERED
    store = LabelStore.open(tmp_path, N)
    store.append(events.note("work goes on"))
    assert proofs(store)[-1] == VERIFIED
    store.close()


@pytest.mark.parametrize(
    "payload",
    ['{"n_cells": 0, "changes": [[99, ["a", false, "", "", null], ["a", true, "", "", null]]]}',
     '{"n_cells": 0, "changes": [[0, [], ["a"]]]}', '{"n_cells": 0, "changes": 7}', '[1]', '"x"'],
)  # fmt: skip
def test_an_entry_that_makes_no_sense_is_damage(tmp_path, long, payload):
    long.close()
    sql(tmp_path, f"UPDATE events SET kind = 'undo', payload = '{payload}' WHERE seq = 3")
    assert "The label log is damaged" in opened(tmp_path)[2]


def test_an_entry_without_a_digest_is_damage(tmp_path, long):
    long.close()
    sql(tmp_path, "UPDATE events SET digest = '', actor = 'boss' WHERE seq = 3")
    assert "entry 3 has no digest" in opened(tmp_path)[2]


@pytest.mark.parametrize("head", ["", ", value = ''", ", value = 'none'"])
def test_newest_steps_taken_off_are_missed(tmp_path, long, head):
    long.close()
    assert opened(tmp_path)[1] is False
    sql(tmp_path, "DELETE FROM events WHERE seq > 3")
    if head:
        sql(tmp_path, f"UPDATE meta SET key = key {head} WHERE key = 'head'")
    store = LabelStore.open(tmp_path, N)
    assert (proofs(store), store.cut) == ([VERIFIED] * 3, True)
    store.append(events.note("work goes on"))
    store.close()
    assert opened(tmp_path) == ([VERIFIED] * 4, True, "")


def test_all_steps_taken_off_are_missed(tmp_path, long):
    long.close()
    sql(tmp_path, "DELETE FROM events")
    assert opened(tmp_path)[1] is True


def test_the_end_of_a_mended_log_is_its_end(tmp_path, long):
    long.close()
    sql(tmp_path, "UPDATE events SET actor = 'nobody' WHERE seq = 5")
    assert mend(tmp_path / "project.db", N).n_events == 4
    assert opened(tmp_path) == ([VERIFIED] * 4, False, "")


def before_signatures(folder):
    """Make a log one of the format before there were signatures."""
    sql(folder, "ALTER TABLE events DROP COLUMN mac")
    sql(folder, "ALTER TABLE events DROP COLUMN origin")
    sql(folder, "DELETE FROM meta WHERE key = 'head'")
    sql(folder, "UPDATE meta SET value = '2' WHERE key = 'schema_version'")


def test_steps_of_before_are_not_signed_and_those_after_hold_them_fast(tmp_path, long):
    lines, wanted = content(long.export_log()), seen(long.labels())
    long.close()
    before_signatures(tmp_path)
    store = LabelStore.open(tmp_path, N)
    assert (content(store.export_log()), seen(store.labels())) == (lines, wanted)
    assert (proofs(store), store.cut) == ([UNSIGNED] * 5, False)
    store.undo()
    store.close()
    assert opened(tmp_path) == ([UNSIGNED] * 5 + [VERIFIED], False, "")
    assert (tmp_path / BACKUPS / "before-format-3.db").exists()
    rewrite(tmp_path, lambda rows: [row._replace(actor="boss") if row.seq == 2 else row
                                    for row in rows])  # fmt: skip
    assert opened(tmp_path)[0] == [UNSIGNED] * 5 + [ALTERED]


def test_a_log_of_before_opens_to_look_at_where_nothing_can_be_written(
    tmp_path, long, monkeypatch
):
    wanted = seen(long.labels())
    long.close()
    before_signatures(tmp_path)
    whole = (tmp_path / "project.db").read_bytes()
    monkeypatch.setattr(os, "access", lambda path, _: not Path(path).is_relative_to(tmp_path))
    store = LabelStore.open(tmp_path, N)
    assert (seen(store.labels()), proofs(store)) == (wanted, [UNSIGNED] * 5)
    assert "cannot be written to" in store.read_only
    with pytest.raises(ProjectError, match="can only be read"):
        store.append(events.note("x"))
    store.close()
    assert (tmp_path / "project.db").read_bytes() == whole


def test_a_copy_of_before_still_mends_a_log(tmp_path, long):
    wanted = content(long.export_log())
    long.close()
    before_signatures(tmp_path)
    target = tmp_path / BACKUPS / "labels-00000005.db"
    for old in copies(tmp_path / "project.db"):
        old.unlink()
    target.parent.mkdir(exist_ok=True)
    target.write_bytes((tmp_path / "project.db").read_bytes())
    (tmp_path / "project.db").write_bytes(b"nothing" * 1000)
    assert mend(tmp_path / "project.db", N).n_events == 5
    store = LabelStore.open(tmp_path, N)
    assert content(store.export_log()) == wanted
    store.close()


def test_a_folder_copied_from_another_installation_proves_nothing_here(
    tmp_path, long, monkeypatch
):
    long.close()
    monkeypatch.setenv(runtime.HOME_VARIABLE, str(tmp_path / "another"))
    assert opened(tmp_path) == ([ELSEWHERE] * 5, False, "")
    store = LabelStore.open(tmp_path, N)
    store.append(events.note("here"))
    store.close()
    assert opened(tmp_path) == ([ELSEWHERE] * 5 + [VERIFIED], False, "")


def test_what_is_filled_in_is_brought_and_who_brought_it_before_is_told(tmp_path, long):
    lines = long.export_log()
    for who in ("ben", "cleo"):
        (tmp_path / who).mkdir()
        store = LabelStore.open(tmp_path / who, N, actor=who)
        store.fill(read_lines(lines, N))
        assert (proofs(store), store.cut) == ([CLAIMED] * 5, False)
        assert {event.actor for event in store.events()} == {"anna"}
        assert {event.origin["brought_by"] for event in store.events()} == {who}
        lines = store.export_log()
        store.append(events.note("mine"))
        store.close()
    assert json.loads(lines[0])["origin"]["via"][0][0] == "ben"
    assert opened(tmp_path / "cleo")[0] == [CLAIMED] * 5 + [VERIFIED]
    sql(tmp_path / "cleo", "UPDATE events SET origin = NULL WHERE seq = 1")
    assert opened(tmp_path / "cleo")[0][:2] == [ALTERED, CLAIMED]


def test_a_merge_is_a_verified_step_of_who_merged(tmp_path, long):
    (tmp_path / "ben").mkdir()
    ben = LabelStore.open(tmp_path / "ben", N, actor="ben")
    ben.append(events.assign(np.arange(30, 33), "NK"))
    long.merge(ben.export_log())
    ben.close()
    last = long.events()[-1]
    assert (last.kind, last.actor, last.proof) == ("combine", "anna", VERIFIED)
    long.close()
    engine = sa.create_engine(f"sqlite:///{tmp_path}/project.db")
    with engine.begin() as connection:  # the log in it is signed, too
        row = connection.execute(sa.select(EVENTS).where(EVENTS.c.seq == last.seq)).one()
        payload = row.payload | {"logs": row.payload["logs"] * 2}
        connection.execute(EVENTS.update().where(EVENTS.c.seq == last.seq).values(payload=payload))
    engine.dispose()
    assert opened(tmp_path)[0][-1] == ALTERED
