"""The History page tells what is proven of a step from what is claimed."""

import json

import numpy as np
import pytest

from scanvi_core.project import locks
from scanvi_core.project.folder import open_project
from scanvi_core.services.labels import edit, history
from scanvi_core.services.projects import library
from scanvi_core.services.workspace import workspace
from tests.pages.conftest import said
from tests.project.label_log.views import sql


@pytest.fixture(autouse=True)
def nobody_after(monkeypatch):
    """Whoever a page said is at work is gone after the test."""
    monkeypatch.setattr(locks, "_ask", locks._ask)
    monkeypatch.setattr(locks, "_signed_in", locks._signed_in)


def steps(app):
    """Return the table of steps as it is shown."""
    return app.dataframe[0].value


def test_steps_of_a_project_from_elsewhere_are_shown_as_claims(visit, labeled):
    workspace(labeled).store.actor = "boss"
    edit.name_cells(workspace(labeled), np.array([3]), "Mine", "lasso")
    with library.save(labeled).open("rb") as packed:
        arrived = library.take_in(packed)
    edit.name_cells(workspace(arrived), np.array([4]), "Here", "lasso")
    app = visit("history", arrived)
    here, theirs = steps(app).iloc[0], steps(app).iloc[1]
    assert not here["who"].startswith("says") and here["proof"] == "verified, name as typed"
    assert theirs["who"] == "says: boss" and theirs["proof"].startswith("brought by ")
    assert json.loads(app.dataframe[0].proto.columns)["who"]["width"] >= 190  # most addresses
    opened = visit("open", arrived)
    (told,) = (item.value for item in opened.info if "of its history came in a file" in item.value)
    assert "3 steps" in told and "boss" in told and "not verified" in told
    opened.session_state["scanvi.arrived"] = True  # as right after it was unpacked
    assert "was brought from elsewhere" in opened.run().info[0].value
    assert not any("came in a file" in item.value for item in visit("open", labeled).info)
    app.text_input(key="history-text").set_value("brought by").run()
    assert len(steps(app)) == 3
    assert len(steps(visit("history", labeled))) == 3
    assert not steps(visit("history", labeled))["who"].str.startswith("says").any()


def test_who_signed_in_is_shown_as_verified(visit, labeled, monkeypatch):
    monkeypatch.setattr(locks, "_ask", lambda: "ada@lab.org")
    monkeypatch.setattr(locks, "_signed_in", lambda: True)
    edit.name_cells(workspace(labeled), np.array([3]), "Mine", "lasso")
    last = steps(visit("history", labeled)).iloc[0]
    assert (last["who"], last["proof"]) == ("ada@lab.org", "verified")
    assert "for ada@lab.org" in history.table(workspace(labeled))["proof_text"].iloc[0]
    assert "(signed in)" in history.table(workspace(labeled))["proof_text"].iloc[0]


def test_a_history_that_was_changed_says_so(visit, labeled):
    edit.name_cells(workspace(labeled), np.array([3]), "Mine", "lasso")
    assert not visit("history", labeled).warning
    folder, store = open_project(labeled).root, workspace(labeled).store
    sql(folder, "UPDATE events SET mac = '' WHERE seq = 2")
    sql(folder, "DELETE FROM events WHERE seq = 3")
    store._forget()
    store._read_all()
    app = visit("history", labeled)
    assert "Step 2 of this history is not as this program wrote it" in said(app)
    assert "newest steps of this history were taken off" in said(app)
    assert steps(app)["proof"].tolist() == ["altered", "verified, name as typed"]


def test_the_work_of_a_colleague_is_taken_over_by_their_own_word(visit, labeled):
    other = library.duplicate(labeled)
    workspace(other).store.actor = "ben"
    edit.name_cells(workspace(other), np.array([7]), "Theirs", "lasso")
    edit.name_cells(workspace(labeled), np.array([7]), "Mine", "lasso")
    app = visit("history", labeled)
    file = ("ben.jsonl", history.export_log(workspace(other)), "application/jsonl")
    app.file_uploader(key="upload-log").set_value(file).run()
    assert "1 step taken over, by their own word of ben." in said(app)
    assert "Names from a history that was taken over are what it claims." in said(app)
    assert "the work taken over is claimed" in steps(app)["proof"].iloc[0]
