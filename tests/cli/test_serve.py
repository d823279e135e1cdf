"""``serve``: what the server is told to open, and what is refused before it starts."""

import json

import pytest

from scanvi_core import cli, runtime
from scanvi_core.cli import serve
from scanvi_core.services.projects import at_start


@pytest.fixture
def started(monkeypatch):
    """Commands and environments of servers that would have been started."""
    calls = []
    monkeypatch.setattr(serve, "_wait_for", lambda *call: calls.append(call) or 0)
    return calls


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.delenv(runtime.DATA_ROOT_VARIABLE, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    file = tmp_path / "home" / "cells.h5ad"
    file.parent.mkdir()
    file.touch()
    return file.parent


def test_without_a_command_the_app_opens(started, monkeypatch):
    monkeypatch.setattr("sys.argv", ["scanvi"])
    assert cli.main() == 0
    [(command, folder, environment)] = started
    assert command[-1] == str(folder / "app.py")
    assert runtime.FILES_VARIABLE not in environment


def test_files_are_opened_and_options_go_to_streamlit(started, root):
    assert cli.main(["serve", str(root / "cells.h5ad"), "--", "--server.port=1"]) == 0
    [(command, _, environment)] = started
    assert command[-1] == "--server.port=1"
    assert json.loads(environment[runtime.FILES_VARIABLE]) == [str(root / "cells.h5ad")]
    assert runtime.DATA_ROOT_VARIABLE not in environment


def test_a_file_elsewhere_makes_its_folder_the_data_folder(started, root, tmp_path, capsys):
    other = tmp_path / "disk" / "cells.h5ad"
    other.parent.mkdir()
    other.touch()
    assert cli.main(["serve", str(other)]) == 0
    assert started[0][2][runtime.DATA_ROOT_VARIABLE] == str(other.parent)
    assert str(other.parent) in capsys.readouterr().out


def test_a_data_folder_that_was_chosen_stays(started, root, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv(runtime.DATA_ROOT_VARIABLE, str(root))
    (tmp_path / "cells.h5ad").touch()
    assert cli.main(["serve", str(tmp_path / "cells.h5ad")]) == 2
    assert "outside the data folder" in capsys.readouterr().err and not started


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["nowhere.h5ad"], "There is no file"),
        (["--example", "a.h5ad"], "cannot be opened at once"),
    ],
)
def test_what_cannot_be_opened_is_said_before_the_server_starts(
    started, capsys, monkeypatch, asked, said
):
    monkeypatch.delenv(runtime.DATA_ROOT_VARIABLE, raising=False)
    assert cli.main(["serve", *asked]) == 2
    assert said in capsys.readouterr().err and not started


def test_files_are_opened_once(monkeypatch):
    opened = []
    monkeypatch.setattr(at_start, "open_paths", lambda texts: opened.append(texts) or "id")
    monkeypatch.setenv(runtime.FILES_VARIABLE, json.dumps(["a", "b"]))
    at_start.opened_at_start.cache_clear()
    try:
        assert at_start.opened_at_start() == at_start.opened_at_start() == "id"
    finally:
        at_start.opened_at_start.cache_clear()
    assert opened == [["a", "b"]]
