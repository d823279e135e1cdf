"""Who and when of a history that was brought are what it claims, and are said to be."""

import json

import numpy as np

from scanvi_core.project.label_log.exchange.lines import pack_log
from scanvi_core.services.labels import edit, history
from scanvi_core.services.workspace import workspace
from tests.services.histories.forged import (
    N,
    copy_of_project,
    entries,
    lone,
    refused,
    sealed,
    text_of,
)


def test_who_and_when_of_a_history_are_what_it_claims(told, fresh):
    """The forger gives every step the digest it would have."""
    head, found = entries(told)
    for entry in found:
        entry |= {"actor": "boss@lab.org", "time": "2001-01-01T00:00:00+00:00"}
        entry |= {"origin": {"signed_in": True}}
    workspace(fresh).store.actor = "mallory"
    history.import_log(workspace(fresh), text_of(head, sealed(found)))
    table = history.table(workspace(fresh))
    assert not table["verified"].any()
    assert table["proof"].str.startswith("brought by mallory, ").all()
    sentence = table["proof_text"].iloc[0]
    assert sentence.startswith("Brought by mallory (name as typed), ")
    assert "says: boss@lab.org, 1 Jan 2001" in sentence
    _, again = entries(history.export_log(workspace(fresh)))
    assert {entry["origin"]["brought_by"] for entry in again} == {"mallory"}
    edit.undo(workspace(fresh))
    table = history.table(workspace(fresh))
    assert table["verified"].tolist() == [True] + [False] * len(found)


def test_a_history_whose_digests_were_emptied_is_refused(told, fresh):
    head, found = entries(told)
    for entry in found:
        entry |= {"actor": "boss@lab.org", "digest": ""}
    assert "lost the digest" in refused(fresh, text_of(head, found)).message


def test_a_merge_says_that_the_work_is_claimed(told, fresh):
    head, found = entries(told)
    for entry in found:
        entry["actor"] = "boss@lab.org"
    edit.name_cells(workspace(fresh), np.array([20]), "Ours", "lasso")
    workspace(fresh).store.actor = "mallory"
    history.import_log(workspace(fresh), text_of(head, sealed(found)))
    last = history.table(workspace(fresh)).iloc[0]
    assert last["who"] == "mallory" and last["verified"]
    assert "the work taken over is claimed" in last["proof"]
    assert "of boss@lab.org is what the other history claims" in last["proof_text"]


def test_what_was_exported_here_and_comes_back_is_claimed_as_well(told, fresh):
    history.import_log(workspace(fresh), told)
    assert history.table(workspace(fresh))["proof"].str.startswith("brought by ").all()


def test_a_history_in_a_history_holds_what_it_says_it_knows(told, fresh):
    history.import_log(workspace(fresh), told)
    other = copy_of_project(fresh)
    for project, name in ((fresh, "A"), (other, "B")):
        edit.name_cells(workspace(project), np.array([1]), name, "lasso")
    history.import_log(workspace(fresh), history.export_log(workspace(other)))
    head, found = entries(history.export_log(workspace(fresh)))
    sound = text_of(head, found)
    combined = found[-1]["payload"]
    (whole,) = combined["logs"]
    deeper = [json.dumps(sealed([lone(kind="combine", payload=combined | {
        "n_cells": 3, "changes": lone()["payload"]["changes"]})])[0])]  # fmt: skip
    third = copy_of_project(other)
    for logs in ([], [whole]):
        combined["logs"] = logs
        history.import_log(workspace(third), text_of(head, found))
    for logs in ([whole[:-8]], ["!"], [pack_log(deeper, N)], [pack_log(["{}"], N)]):
        combined["logs"] = logs
        refused(third, text_of(head, found))
    combined["logs"], combined["knows"] = [whole], ["a" * 32]
    refused(third, text_of(head, sealed(found)))
    history.import_log(workspace(third), sound)
