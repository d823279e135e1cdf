"""Full disks, folders that cannot be written to, set clocks, damaged files, other formats."""

import json
import os
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime

import numpy as np
import pytest

from scanvi_core.errors import (
    LogDamaged,
    ProjectError,
)
from scanvi_core.project.label_log import events
from scanvi_core.project.label_log.replay.state import Board
from scanvi_core.project.label_log.storage import ledger, migrations
from scanvi_core.project.label_log.storage.backup import BACKUPS, copies, mend
from scanvi_core.project.label_log.storage.database import in_words
from scanvi_core.project.label_log.store import LabelStore
from tests import ROOT
from tests.project.label_log.views import N, names_of, seen, sql

N_FLIPS = 400 if os.environ.get("SCANVI_FAULTS") == "all" else 12


def test_a_newer_format_is_refused_and_left_alone(tmp_path, filled):
    filled.close()
    sql(tmp_path, "UPDATE meta SET value = '99' WHERE key = 'schema_version'")
    before = (tmp_path / "project.db").read_bytes()
    with pytest.raises(ProjectError, match="format 99"):
        LabelStore.open(tmp_path, N)
    assert (tmp_path / "project.db").read_bytes() == before


def test_another_data_set_is_refused(tmp_path):
    LabelStore.open(tmp_path, N, dataset_hash="abc").close()
    with pytest.raises(ProjectError, match="40 cells"):
        LabelStore.open(tmp_path, N + 1)
    with pytest.raises(ProjectError, match="another data set"):
        LabelStore.open(tmp_path, N, dataset_hash="def")


def test_a_file_that_is_no_database_is_an_error_in_words(tmp_path):
    (tmp_path / "project.db").write_bytes(b"not a database " * 100)
    with pytest.raises(LogDamaged, match="not a database"):
        LabelStore.open(tmp_path, N)


@pytest.mark.parametrize(
    ("said", "kind", "why"),
    [
        ("database or disk is full", ProjectError, "could not be copied: the disk is full"),
        ("database is locked", ProjectError, "could not be copied: another window is writing"),
        ("file /secret is odd", ProjectError, "could not be copied: the database refuses"),
        ("database disk image is malformed", LogDamaged, "damaged: its pages do not fit"),
    ],
)
def test_only_damage_is_called_damage(said, kind, why):
    with pytest.raises(ProjectError, match=why) as caught, in_words("copied"):
        raise sqlite3.OperationalError(said)
    assert type(caught.value) is kind and said not in str(caught.value)


@pytest.mark.parametrize("fault", [TypeError, ValueError])
def test_a_fault_of_the_program_is_not_called_damage(fault, filled, monkeypatch):
    def faulty(*_):
        raise fault("a mistake of ours")

    with pytest.raises(fault, match="of ours"), in_words("read"):
        faulty()
    filled.append(events.assign([1], "NK"))
    monkeypatch.setattr(Board, "apply", faulty)
    with pytest.raises(fault, match="of ours"):
        filled.labels(2)


def test_what_the_driver_cannot_decode_is_damage():
    with pytest.raises(LogDamaged, match="cannot be read"), in_words("read"):
        json.loads("{no")


def test_an_older_log_that_cannot_be_put_aside_is_not_called_damaged(tmp_path, monkeypatch):
    def full(*_paths):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(migrations, "copy_database", full)
    with pytest.raises(ProjectError, match="a copy of its labels could not be kept") as caught:
        migrations.put_aside(tmp_path / "project.db", 1)
    assert type(caught.value) is ProjectError


def test_a_damaged_entry_is_an_error_in_words(tmp_path, filled):
    filled.close()
    sql(tmp_path, "UPDATE events SET cells = x'627071'")
    with pytest.raises(LogDamaged):
        LabelStore.open(tmp_path, N)


def test_a_damaged_log_opens_to_look_at_and_is_repaired_in_place(tmp_path, filled):
    filled.append(events.assign([0], "T"))
    wanted = seen(filled.labels())
    filled.append(events.assign([1], "T"))
    filled.close()
    sql(tmp_path, "UPDATE events SET actor = 'nobody' WHERE seq = 3")
    store = LabelStore.open(tmp_path, N)
    assert seen(store.labels()) == wanted
    assert "entry 3 is not what was written" in store.damage
    with pytest.raises(ProjectError, match="can only be read") as caught:
        store.append(events.assign([1], "T"))
    assert "Repair it on the Open page" in caught.value.hint
    mended = store.repair()
    assert (mended.n_events, store.damage, store.read_only) == (2, "", "")
    store.append(events.assign([1], "T"))
    store.close()
    assert len(LabelStore.open(tmp_path, N).events()) == 3
    assert mended.aside.exists()


def test_commits_survive_a_power_cut_by_the_settings_of_the_file(filled):
    with filled._database.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "delete"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 3
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_a_refused_commit_leaves_no_trace_in_memory(tmp_path, filled):
    sql(
        tmp_path,
        "CREATE TRIGGER full BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'full'); END",
    )
    before = seen(filled.labels())
    with pytest.raises(ProjectError, match="could not be saved"):
        filled.append(events.assign([0], "T"))
    sql(tmp_path, "DROP TRIGGER full")
    assert seen(filled.labels()) == before


def test_an_older_log_is_brought_up_to_date_after_a_copy_was_kept(tmp_path, filled):
    filled.append(events.assign([0, 5], "NK"))
    filled.undo()
    wanted, lines = seen(filled.labels()), filled.export_log()
    filled.close()
    sql(tmp_path, "ALTER TABLE events DROP COLUMN digest")
    sql(tmp_path, "UPDATE meta SET value = '1' WHERE key = 'schema_version'")
    again = LabelStore.open(tmp_path, N)
    assert (seen(again.labels()), again.export_log()) == (wanted, lines)
    again.redo()
    again.close()
    (tmp_path / "old").mkdir()
    (tmp_path / BACKUPS / "before-format-2.db").rename(tmp_path / "old" / "project.db")
    old = LabelStore.open(tmp_path / "old", N)
    assert old.export_log() == lines
    old.close()


def test_a_copy_is_kept_at_each_opening_with_new_changes_and_nine_stay(tmp_path, filled):
    for i in range(12):
        filled.append(events.assign([i], "T"))
        LabelStore.open(tmp_path, N).close()
        LabelStore.open(tmp_path, N).close()
    kept = [int(path.stem.split("-")[1]) for path in copies(tmp_path / "project.db")]
    assert kept == list(range(13, 4, -1))


def test_a_full_disk_refuses_the_edit_and_keeps_all_before(tmp_path, filled):
    filled.append(events.assign([0], "T"))
    before = seen(filled.labels())
    with filled._database._engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        # the same answer of SQLite as on a full disk, on the one connection of the pool
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(ProjectError, match="full") as caught:
        filled.append(events.note("x" * 50_000))
    assert "Free some disk space" in caught.value.hint
    assert seen(filled.labels()) == before
    filled.undo()  # small enough: the program is alive
    assert names_of(filled.labels())[0] == "B"


FILL = """
import sys
from pathlib import Path
import numpy as np
from scanvi_core.errors import ProjectError
from scanvi_core.project.label_log.store import LabelStore
from scanvi_core.project.label_log import events

folder, n = Path(sys.argv[1]), 200_000
store, rng, saved = LabelStore.open(folder, n), np.random.default_rng(0), 0
try:
    while True:
        store.append(events.assign(rng.choice(n, 20_000, replace=False), f"type {saved % 5}"))
        saved += 1
except ProjectError as error:
    print(error, file=sys.stderr)
codes = store.labels().codes
(folder / "ballast").unlink()
store.append(events.assign([1], "after"))
again = LabelStore.open(folder, n)
assert len(again.events()) == saved + 1
assert np.array_equal(np.delete(again.labels().codes, 1), np.delete(codes, 1))
print("saved before the disk was full:", saved)
"""


def test_a_small_disk_that_fills_up_loses_nothing_and_works_again_with_space(tmp_path):
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("cannot mount a small disk: needs root on Linux")
    try:
        (tmp_path / "ballast").write_bytes(b"x" * 400_000)
        done = subprocess.run(
            [sys.executable, "-c", FILL, str(tmp_path)],
            cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
    assert done.returncode == 0, done.stderr
    assert "Free some" in done.stderr
    assert int(done.stdout.split(":")[1]) > 5


def test_a_folder_that_cannot_be_written_to_opens_to_look_at(tmp_path, filled):
    filled.append(events.assign([0], "T"))
    wanted = seen(filled.labels())
    filled.close()
    bind = ["mount", "--bind", str(tmp_path), str(tmp_path)]
    if subprocess.run(bind, capture_output=True, check=False).returncode:
        pytest.skip("cannot mount a folder read-only: needs root on Linux")
    try:
        again = ["mount", "-o", "remount,ro,bind", str(tmp_path)]
        subprocess.run(again, capture_output=True, check=True)
        store = LabelStore.open(tmp_path, N)
        assert seen(store.labels()) == wanted
        assert "cannot be written to" in store.read_only
        with pytest.raises(ProjectError, match="can only be read"):
            store.append(events.assign([1], "T"))
        store.close()
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
    assert LabelStore.open(tmp_path, N).read_only == ""


def test_a_clock_set_back_a_year_changes_neither_order_nor_undo(tmp_path, filled, monkeypatch):
    class LastYear:
        @staticmethod
        def now(_zone):
            return datetime(2001, 2, 3, tzinfo=UTC)

    filled.append(events.assign([0], "T"))
    monkeypatch.setattr(ledger, "datetime", LastYear)
    filled.append(events.assign([0], "NK"))
    assert [event.time[:4] for event in filled.events()][2] == "2001"
    assert names_of(filled.labels())[0] == "NK"
    fresh = LabelStore.open(tmp_path, N)
    assert [event.seq for event in fresh.events()] == [1, 2, 3]
    fresh.undo()
    assert names_of(fresh.labels())[0] == "T"
    fresh.close()


def test_a_log_without_an_entry_in_the_middle_is_refused(tmp_path, filled):
    filled.append(events.assign([0], "T"))
    filled.append(events.assign([1], "T"))
    filled.close()
    sql(tmp_path, "DELETE FROM events WHERE seq = 2")
    with pytest.raises(LogDamaged, match="entry 3 is not what was written"):
        LabelStore.open(tmp_path, N, rescue=False)


def digests(lines):
    """Return what each entry says, as its digest: some bits of zlib's streams mean nothing."""
    return [json.loads(line)["digest"] for line in lines]


def test_flipped_bits_are_noticed_or_harmless_and_mending_keeps_what_can_be_read(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "whole").mkdir()
    store = LabelStore.open(tmp_path / "whole", N)
    for i in range(60):
        store.append(events.assign(rng.choice(N, 9, replace=False), f"type {i % 7}"))
        if i == 40:
            LabelStore.open(tmp_path / "whole", N).close()  # keeps a copy
    wrote, wanted = digests(store.export_log()), seen(store.labels())
    store.close()
    whole = (tmp_path / "whole" / "project.db").read_bytes()
    counts = {"harmless": 0, "noticed": 0, "silently wrong": 0, "mended less than the copy": 0}
    for _ in range(N_FLIPS):
        path = tmp_path / "whole" / "project.db"
        damaged = bytearray(whole)
        for at in rng.integers(0, len(whole), 4):
            damaged[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        try:
            opened = LabelStore.open(tmp_path / "whole", N, rescue=False)
            same = seen(opened.labels()) == wanted and digests(opened.export_log()) == wrote
            opened.close()
            counts["harmless" if same else "silently wrong"] += 1
        except ProjectError:
            counts["noticed"] += 1
            mended = mend(path, N)
            opened = LabelStore.open(tmp_path / "whole", N)
            n = len(opened.events())
            assert n == mended.n_events and digests(opened.export_log()) == wrote[:n]
            counts["mended less than the copy"] += n < 41
            opened.close()
            for old in copies(path)[:-1]:
                old.unlink()
    print(f"four flipped bits, {N_FLIPS} times: {counts}")
    assert counts["silently wrong"] == 0 == counts["mended less than the copy"]
    assert counts["noticed"] > N_FLIPS / 4


def test_a_log_of_which_nothing_is_left_is_said_to_be_so(tmp_path):
    (tmp_path / "project.db").write_bytes(b"nothing" * 1000)
    with pytest.raises(ProjectError, match="Nothing of the label log can be read"):
        mend(tmp_path / "project.db", N)
    assert (tmp_path / "project.db").exists()
