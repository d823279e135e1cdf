"""What pages say on a full disk and in a folder that cannot be written to."""

import os
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pytest

from scanvi_core import runtime
from scanvi_core.project.folder import open_project
from scanvi_core.services import jobs
from scanvi_core.services import workspace as workspaces
from scanvi_core.services.labels import edit, history
from scanvi_core.services.projects import library
from scanvi_core.services.workspace import workspace
from tests.pages.conftest import said
from tests.pages.trouble.test_durability import names, pick

ADDED = 400  # bytes that still fit: no page of a database does


@contextmanager
def full_disk():
    """Let this process write no file beyond a few bytes: real writes fail as on a full disk."""
    resource = pytest.importorskip("resource", reason="limits of files are of POSIX")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ADDED, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def locked(folder):
    """Make a folder read-only: for root by a mount, else by its permissions."""
    if os.geteuid():
        files = [folder, *folder.rglob("*")]
        for path in files:
            path.chmod(0o500 if path.is_dir() else 0o400)
        try:
            yield
        finally:
            for path in files:
                path.chmod(0o700)
        return
    bind = ["mount", "--bind", str(folder), str(folder)]
    if subprocess.run(bind, capture_output=True, check=False).returncode:
        pytest.skip("cannot mount a folder read-only: needs root on Linux")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(folder)], check=True)
        yield
    finally:
        # lazily: the app keeps maps of files open
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def restart():
    """Forget what is open, as a new program does."""
    for opened in workspaces._open.values():
        opened.store.close()
    workspaces._open.clear()


def test_on_a_full_disk_a_name_is_refused_in_words_and_given_once_there_is_space(
    visit,
    labeled,
):
    app = visit("labels", labeled)
    pick(app, labeled, [3, 4])
    app.selectbox(key="picked-name").set_value("CD19+ B").run()
    before, seq = names(labeled), workspace(labeled).labels().seq
    with full_disk():
        app.button(key="name-cells").click().run()
        told = said(app)
    assert not app.exception
    assert "The label log could not be saved" in told and "Free some" in told
    assert (names(labeled) == before).all()
    app.button(key="name-cells").click().run()
    assert names(labeled)[[3, 4]].tolist() == ["CD19+ B"] * 2
    assert workspace(labeled).labels().seq == seq + 1


@pytest.mark.parametrize("slug", ["open", "labels", "train", "history", "export"])
def test_every_page_opens_on_a_full_disk(visit, labeled, slug):
    workspace(labeled)
    with full_disk():
        app = visit(slug, labeled)
        assert not app.exception
        assert "Something went wrong" not in said(app)


def test_other_writes_on_a_full_disk_are_refused_in_words(visit, labeled):
    app = visit("open", labeled)
    with full_disk():
        app.button(key=f"copy-{labeled}").click().run()
        told = said(app)
    assert not app.exception
    assert "could not be written" in told and "Free some disk space" in told
    assert len(library.listing()) == 1


def test_a_job_on_a_full_disk_says_so():
    def work(job):
        with full_disk():
            runtime.home().mkdir(parents=True, exist_ok=True)
            (runtime.home() / "result").write_bytes(b"x" * 10_000)

    job = jobs.wait(jobs.submit(jobs.JobRequest("full", "train", "lane", work)), 30.0)
    assert job.error == (
        "The disk is full.",
        "Free some space and try again; all that was saved is safe.",
    )


@pytest.mark.skipif(sys.platform == "win32", reason="folders of Windows are locked otherwise")
def test_a_folder_that_cannot_be_written_to_is_shown_and_said_so_on_every_page(
    visit,
    labeled,
):
    edit.name_cells(workspace(labeled), np.array([3]), "Mine", "lasso")
    restart()
    with locked(open_project(labeled).root):
        for slug in ("open", "labels", "train", "history"):
            app = visit(slug, labeled)
            assert not app.exception, slug
            assert "You can look, but not change anything: nothing can be saved." in said(app)
            assert "Something went wrong" not in said(app), slug
        assert visit("labels", labeled).button(key="undo").disabled
        for slug in ("check", "explore", "review", "evaluate", "export"):
            app = visit(slug, labeled)
            assert not app.exception and "Something went wrong" not in said(app), slug
        app = visit("history", labeled)
        next(item for item in app.text_input if item.label == "Note").set_value("a note")
        next(item for item in app.button if item.label == "Write it down").click().run()
        assert "Nothing was saved: the project can only be read." in said(app)
        assert names(labeled)[3] == "Mine"
        restart()
    history.note(workspace(labeled), "again")
    assert workspace(labeled).store.read_only == ""
