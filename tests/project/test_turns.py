"""Two processes on one home: neither undoes what the other wrote."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager

import pytest

from scanvi_core import runtime
from scanvi_core.errors import ProjectError
from scanvi_core.project import links, remarks, turns
from scanvi_core.project.folder import create_project
from tests import ROOT

SLOW = """
import sys, time
from pathlib import Path
from scanvi_core.project import files, links, remarks, folder

root = Path(sys.argv[1])

def slowly(module, name):
    write = getattr(module, name)
    def later(*args):
        print("read", flush=True)  # what is there; it is written a while after
        time.sleep(0.7)
        write(*args)
    setattr(module, name, later)

"""


@pytest.fixture
def project(tmp_path):
    with runtime.home_at(tmp_path):
        yield create_project("Shared")


@contextmanager
def meanwhile(project, words):
    """Another process does something slowly; yield once it has read the file."""
    command = [sys.executable, "-c", SLOW + words, str(project.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as other:
        assert other.stdout.readline() == "read\n"
        yield
    assert other.returncode == 0


def test_a_link_that_is_taken_back_stays_so_while_another_process_notes_a_visit(project):
    token = links.make(project.root, "Anna", 7)
    [link] = links.links_of(project.root)
    words = f"links.note_visit(root, {link.id!r}, 'Vera', signed_in=False)"
    with meanwhile(project, f"slowly(links, 'write_json'); {words}"):
        links.revoke(project.root, link.id)
    [link] = links.links_of(project.root)
    assert link.revoked and [visitor.name for visitor in link.visitors] == ["Vera"]
    assert links.find(token) is None


def test_two_processes_say_something_and_the_most_is_kept(project, monkeypatch):
    monkeypatch.setattr("scanvi_core.config.MOST_REMARKS", 1)
    said = {"signed_in": False, "kind": "type", "about": "B", "text": "x"}
    words = f"remarks.add(root, 'comment', 'Vera', **{said!r})"
    with (
        meanwhile(project, f"slowly(remarks, '_append'); {words}"),
        pytest.raises(ProjectError, match="No more"),
    ):
        remarks.add(project.root, "comment", "Anna", **said)
    assert [item.by for item in remarks.read(project.root).items] == ["Vera"]


def test_two_processes_change_different_settings(project):
    words = "folder.open_project(root.name).update_settings(batch_key='donor')"
    with meanwhile(project, f"slowly(folder, 'write_json'); {words}"):
        project.update_settings(name="Mine")
    assert (project.settings["name"], project.settings["batch_key"]) == ("Mine", "donor")


def test_who_does_not_end_is_not_waited_for_for_ever(project, monkeypatch):
    monkeypatch.setattr(turns, "WAIT_S", 0.05)
    with closing(sqlite3.connect(project.root / turns.FILE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ProjectError, match="Another window is writing"):
            project.update_settings(name="Mine")
    project.update_settings(name="Mine")


def test_a_folder_that_takes_no_file_is_told_in_a_sentence(project):
    (project.root / turns.FILE).mkdir()
    with pytest.raises(ProjectError, match="cannot be written to"):
        links.make(project.root, "Anna", 7)
    assert not (project.root / links.FILE).exists()


def test_a_damaged_lock_holds_nothing_and_is_begun_anew(project):
    (project.root / turns.FILE).write_bytes(b"no database" * 100)
    project.update_settings(name="Mine")
    assert project.settings["name"] == "Mine"
    assert (project.root / turns.FILE).stat().st_size == 0


def test_a_folder_that_is_gone_is_said_to_be(project):
    with pytest.raises(ProjectError, match="is gone"), turns.turn(project.root / "gone"):
        pass


@pytest.mark.parametrize("name", ["SQLITE_IOERR_RDLOCK", "SQLITE_IOERR_LOCK", "SQLITE_PROTOCOL"])
def test_a_disk_without_locks_is_said_to_have_none(project, name):
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorname = name
    assert "has no locks" in str(turns._refused(project.root, error))


def test_the_lock_holds_nothing(project):
    project.update_settings(name="Mine")
    assert (project.root / turns.FILE).stat().st_size == 0
    assert json.loads((project.root / "settings.json").read_text())["name"] == "Mine"
    assert runtime.home() in project.root.parents
