"""The label log in a PostgreSQL database, with a real server that the tests start."""

import os
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from scanvi_core.errors import (
    ProjectError,
    StaleEdit,
)
from scanvi_core.project.label_log import events
from scanvi_core.project.label_log.exchange.lines import read_lines
from scanvi_core.project.label_log.storage.database import URL_VARIABLE
from scanvi_core.project.label_log.store import LabelStore
from tests.project.label_log.views import N, names_of, seen, sql

pytest.importorskip("psycopg", reason="psycopg is not installed")
PLACES = [*Path("/usr/lib/postgresql").glob("*/bin"), Path("/opt/homebrew/bin")]


def find(name):
    """Return a program of PostgreSQL, None where it is not installed."""
    search = os.pathsep.join([*map(str, sorted(PLACES, reverse=True)), os.environ.get("PATH", "")])
    return shutil.which(name, path=search)


@pytest.fixture(scope="module")
def server():
    """The address of a fresh server, which listens on a socket file only."""
    initdb, pg_ctl = find("initdb"), find("pg_ctl")
    if initdb is None or pg_ctl is None:
        reason = "PostgreSQL is not installed"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    as_who = []
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # a server refuses to run as root
        if (
            not shutil.which("runuser")
            or subprocess.run(["id", "postgres"], capture_output=True, check=False).returncode
        ):
            pytest.skip("a PostgreSQL server does not run as root, and there is no other account")
        as_who = ["runuser", "-u", "postgres", "--"]

    def call(*command):
        subprocess.run(
            [*as_who, *command],
            check=True, timeout=120, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )  # fmt: skip

    # Not in pytest's folder, which is root's alone; and the path of a socket has to be short.
    with tempfile.TemporaryDirectory(prefix="scanvi-pg-") as folder:
        data = Path(folder) / "data"
        if as_who:
            shutil.chown(folder, "postgres")
        call(initdb, "-D", data, "-U", "lab", "-A", "trust", "-N")
        options = f"-c listen_addresses='' -k {folder} -c fsync=off"
        call(pg_ctl, "-D", data, "-o", options, "-l", Path(folder) / "log", "-w", "start")
        yield f"postgresql://lab@/postgres?host={folder}"
        call(pg_ctl, "-D", data, "-m", "immediate", "stop")


@pytest.fixture
def on_server(server, monkeypatch, tmp_path):
    monkeypatch.setenv(URL_VARIABLE, server)
    return tmp_path


def test_labels_live_on_the_server_as_they_would_in_a_file(on_server, monkeypatch):
    rng = np.random.default_rng(0)
    store = LabelStore.open(on_server, N, actor="anna")
    store.append(events.import_labels(["B", "T"], np.repeat([0, 1, -1, -1], 10)))
    for i in range(10):
        store.append(events.assign(rng.choice(N, 5, replace=False), f"type {i % 3}"))
    store.undo()
    store.redo()
    store.append(events.rename("B", "B cell"))
    again = LabelStore.open(on_server, N)
    assert seen(again.labels()) == seen(store.labels())
    assert [event.seq for event in again.events()] == list(range(1, 15))
    assert not (on_server / "project.db").exists()
    monkeypatch.delenv(URL_VARIABLE)
    assert seen(LabelStore.replay(store.export_log(), N)) == seen(store.labels())
    for each in (store, again):
        each.close()


def test_projects_do_not_see_each_other(on_server):
    stores = []
    for name in ("one", "two"):
        (on_server / name).mkdir()
        stores.append(LabelStore.open(on_server / name, N))
        stores[-1].append(events.assign([0], name))
    assert [store.labels().active for store in stores] == [("one",), ("two",)]
    for store in stores:
        store.close()


def test_two_people_at_once_lose_nothing_and_stale_edits_are_refused(on_server):
    stores = [LabelStore.open(on_server, N, actor=name) for name in ("anna", "ben")]

    def write(store):
        for row in range(20):
            store.append(events.assign([row], f"type {store.actor}"))

    threads = [threading.Thread(target=write, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [event.seq for event in stores[0].events()] == list(range(1, 41))
    assert names_of(stores[0].labels()) == names_of(stores[1].labels())
    with pytest.raises(StaleEdit, match="Meanwhile"):
        stores[0].append(events.assign([3], "mine"), expected_seq=5)
    for store in stores:
        store.close()


def test_other_cells_and_a_server_that_is_gone_are_told_in_words(on_server, monkeypatch):
    LabelStore.open(on_server, N).close()
    with pytest.raises(ProjectError, match="40 cells"):
        LabelStore.open(on_server, N + 1)
    monkeypatch.setenv(URL_VARIABLE, "postgresql://lab@127.0.0.1:9/none?connect_timeout=2")
    with pytest.raises(ProjectError, match="could not be opened") as caught:
        LabelStore.open(on_server, N)
    assert "server cannot be reached" in caught.value.message
    monkeypatch.setenv(URL_VARIABLE, "no address")
    with pytest.raises(ProjectError, match="cannot be used"):
        LabelStore.open(on_server, N)


def change(url, folder, *statements):
    """Change a log as somebody can who runs the database."""
    engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        connection.exec_driver_sql(f'SET LOCAL search_path TO "scanvi_{folder.name}"')
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def proofs(folder):
    store = LabelStore.open(folder, N)
    found = [event.proof for event in store.events()], store.cut, store.damage
    store.close()
    return found


def test_steps_are_signed_and_what_the_database_changes_is_seen(on_server, server):
    store = LabelStore.open(on_server, N, actor="anna")
    for row in range(4):
        store.append(events.assign([row], "T"))
    store.undo()
    lines = store.export_log()
    store.close()
    assert proofs(on_server) == (["verified"] * 5, False, "")
    (on_server / "ben").mkdir()
    ben = LabelStore.open(on_server / "ben", N, actor="ben")
    ben.fill(read_lines(lines, N))
    ben.close()
    assert proofs(on_server / "ben") == (["claimed"] * 5, False, "")
    change(server, on_server / "ben", "UPDATE events SET origin = NULL WHERE seq = 2")
    assert proofs(on_server / "ben")[0] == ["claimed", "altered", *["claimed"] * 3]
    change(server, on_server, "DELETE FROM events WHERE seq > 3")
    assert proofs(on_server) == (["verified"] * 3, True, "")


def test_a_log_of_before_signatures_on_the_server_opens(on_server, server):
    store = LabelStore.open(on_server, N)
    store.append(events.note("old"))
    store.close()
    change(
        server, on_server, "ALTER TABLE events DROP COLUMN mac, DROP COLUMN origin",
        "DELETE FROM meta WHERE key = 'head'",
        "UPDATE meta SET value = '2' WHERE key = 'schema_version'",
    )  # fmt: skip
    assert proofs(on_server) == (["not signed"], False, "")
    store = LabelStore.open(on_server, N)
    store.append(events.note("new"))
    store.close()
    assert proofs(on_server) == (["not signed", "verified"], False, "")


def test_signatures_come_along_from_a_file_to_the_server(on_server, monkeypatch):
    url = os.environ[URL_VARIABLE]
    monkeypatch.delenv(URL_VARIABLE)
    store = LabelStore.open(on_server, N)
    for row in range(3):
        store.append(events.assign([row], "T"))
    store.close()
    sql(on_server, "DELETE FROM events WHERE seq = 3")
    monkeypatch.setenv(URL_VARIABLE, url)
    for _ in range(2):
        assert proofs(on_server) == (["verified"] * 2, True, "")
    store = LabelStore.open(on_server, N)
    store.copy_to(on_server / "copy.db")
    store.close()
    monkeypatch.delenv(URL_VARIABLE)
    (on_server / "copy").mkdir()
    (on_server / "copy.db").rename(on_server / "copy" / "project.db")
    assert proofs(on_server / "copy") == (["verified"] * 2, True, "")
