"""What `annotate` writes beside the columns, and what it does not write over."""

import getpass
import os
import socket

import pytest

from scanvi_core.errors import ExportError
from scanvi_core.export.replaceable import check_replaceable
from scanvi_core.project import locks
from tests.cli.program import LABELS, annotate, refusal

ACCOUNT = "erika-mustermann"


@pytest.fixture
def account(monkeypatch):
    monkeypatch.delenv(locks.USER_VARIABLE, raising=False)
    monkeypatch.setattr(getpass, "getuser", lambda: ACCOUNT)


def test_a_table_of_labels_and_the_name_of_the_account_are_written(
    capsys, example, tmp_path, flat_map, account
):
    assert annotate(capsys, example, tmp_path / "out.h5ad")[0] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.h5ad", "out.labels.csv"]
    assert ACCOUNT.encode() in (tmp_path / "out.h5ad").read_bytes()


def test_neither_is_written_where_that_is_asked_for(capsys, example, tmp_path, flat_map, account):
    status, _, _ = annotate(capsys, example, tmp_path / "out.h5ad", "--no-table", "--no-name")
    assert status == 0
    assert [path.name for path in tmp_path.iterdir()] == ["out.h5ad"]
    assert ACCOUNT.encode() not in (tmp_path / "out.h5ad").read_bytes()
    assert locks.USER_VARIABLE not in os.environ


def test_a_name_that_is_set_to_nothing_is_no_name(monkeypatch, account):
    assert locks.this_user() == ACCOUNT
    monkeypatch.setenv(locks.USER_VARIABLE, "Erika")
    assert locks.this_user() == "Erika"
    monkeypatch.setenv(locks.USER_VARIABLE, "")
    assert locks.this_user() == ""


def folder(path):
    path.mkdir()


def link(path):
    path.with_name("elsewhere").write_text("mine")
    path.symlink_to("elsewhere")


def broken_link(path):
    path.symlink_to("nowhere")


def pipe(path):
    os.mkfifo(path)


def a_socket(path):
    os.chdir(path.parent)  # the name of a socket is short
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(path.name)


KINDS = {folder: "a folder", link: "a link", broken_link: "a link", pipe: "a pipe",
         a_socket: "a socket"}  # fmt: skip
needs_posix = pytest.mark.skipif(os.name == "nt", reason="pipes and sockets of POSIX")


@needs_posix
@pytest.mark.parametrize(
    ("make", "words"), KINDS.items(), ids=lambda v: getattr(v, "__name__", "")
)
def test_only_a_plain_file_is_replaced(tmp_path, monkeypatch, make, words):
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "out.h5ad")
    before = (tmp_path / "out.h5ad").lstat()
    with pytest.raises(ExportError, match=f"out.h5ad is {KINDS[make]}, and only a plain file"):
        check_replaceable(tmp_path / "out.h5ad")
    assert (tmp_path / "out.h5ad").lstat() == before


def test_a_plain_file_and_nothing_are_replaced(tmp_path):
    check_replaceable(tmp_path / "out.h5ad")
    (tmp_path / "out.h5ad").write_text("an older one")
    check_replaceable(tmp_path / "out.h5ad")


@needs_posix
def test_that_is_told_before_the_training(capsys, example, tmp_path):
    link(tmp_path / "out.h5ad")
    line = refusal(capsys, "annotate", example, "-o", tmp_path / "out.h5ad", *LABELS)
    assert "is a link, and only a plain file is replaced. Choose another name with -o." in line
    assert (tmp_path / "elsewhere").read_text() == "mine"
    pipe(tmp_path / "new.labels.csv")
    line = refusal(capsys, "annotate", example, "-o", tmp_path / "new.h5ad", *LABELS)
    assert "new.labels.csv is a pipe" in line
    assert "is a device" in refusal(capsys, "annotate", example, "-o", "/dev/null", *LABELS)
