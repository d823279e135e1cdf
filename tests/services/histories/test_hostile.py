"""Histories made to harm: refused in a sentence, before they take memory or time."""

import shutil
from contextlib import suppress

import h5py
import numpy as np
import pytest

from scanvi_core import keys, runtime
from scanvi_core.errors import FileRefused
from scanvi_core.project.label_log import events
from scanvi_core.services.labels import edit, from_export, history
from scanvi_core.services.workspace import workspace
from tests.projects import copy_of
from tests.services.histories.forged import (
    NO_DIGEST,
    N,
    copy_of_project,
    head_of,
    lone,
    refused,
    sealed,
    text_of,
)
from tests.services.histories.hostile import HOSTILE, SECOND


@pytest.fixture(scope="module")
def targets(imported, tmp_path_factory):
    """First lines for a project without labels, and for one with which it would be merged."""
    with runtime.home_at(tmp_path_factory.mktemp("targets")):
        projects = [copy_of(imported) for _ in range(2)]
        edit.use_column(workspace(projects[1]), "cell_type", set())
        yield {project: head_of(project) for project in projects}


def test_the_pattern_of_the_hostile_ones_is_sound_itself(fresh):
    history.import_log(workspace(fresh), text_of(head_of(fresh), sealed([lone()])))
    assert workspace(fresh).labels().counts == {"Mine": 3}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_hostile_is_refused_in_a_sentence_before_it_takes_memory(name, targets):
    entry = dict(HOSTILE[name])
    if entry["digest"] == NO_DIGEST:
        with suppress(Exception):  # a forger gives it the one it would have, where there is one
            sealed([entry])
    for project, head in targets.items():
        error = refused(project, text_of(head, [entry]))
        assert "not what was written" not in error.message  # but for what it says


@pytest.mark.parametrize("name", SECOND)
def test_a_step_that_does_not_fit_the_one_before_it_is_refused(name, targets):
    found = [lone(), dict(SECOND[name])]
    with suppress(Exception):
        sealed(found)
    for project, head in targets.items():
        error = refused(project, text_of(head, found))
        assert "not what was written" not in error.message


@pytest.mark.parametrize(
    "line",
    ["[" * 100_000, '{"a":' * 100_000, "[]", "null", "7", '{"seq": ' + "9" * 100_000 + "}",
     '{"seq": ' + "9" * 4_000 + "}", "{" + '"a": [[]],' * 60_000 + "}", "[" + "7," * 900_000],
    ids=["lists", "objects", "a list", "null", "a number", "digits", "fewer", "parts", "commas"],
)  # fmt: skip
def test_lines_that_take_more_memory_than_they_have_are_refused(fresh, line):
    refused(fresh, f"{head_of(fresh)}\n{line}".encode())


def test_more_steps_than_anybody_makes_are_refused(fresh, monkeypatch):
    monkeypatch.setattr("scanvi_core.project.label_log.exchange.lines.HISTORY_EVENTS", 9)
    note = {"kind": "note", "payload": {"n_cells": 0, "text": "x"}, "cells": None,
            "after": None, "before": None}  # fmt: skip
    found = sealed([lone(seq=i, **note) for i in range(1, 11)])
    assert "9 steps" in refused(fresh, text_of(head_of(fresh), found)).message
    history.import_log(workspace(fresh), text_of(head_of(fresh), found[:9]))
    assert len(history.table(workspace(fresh))) == 9


def test_a_few_lines_that_ask_for_hours_of_work_are_refused(fresh, monkeypatch):
    monkeypatch.setattr("scanvi_core.project.label_log.exchange.audit.HISTORY_CHANGES", 0)
    monkeypatch.setattr("scanvi_core.project.label_log.exchange.audit.HISTORY_CHANGES_PER_CELL", 2)
    store = workspace(copy_of_project(fresh)).store
    for i in range(4):
        store.append(events.assign(np.arange(N), f"type {i % 2}"))
    error = refused(fresh, "\n".join([head_of(fresh), *store.export_log()]).encode())
    assert "many hundred times" in error.message


# In an exported file ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["one long", "many"])
def test_a_packed_list_of_steps_is_not_unpacked_without_end(labeled, tmp_path, monkeypatch, kind):
    monkeypatch.setenv(runtime.DATA_ROOT_VARIABLE, str(tmp_path))
    path = tmp_path / "bomb.h5ad"
    source = workspace(labeled).dataset.manifest["source"]["path"]
    shutil.copy(source, path)
    length, number = (80 * 2**20, 1) if kind == "one long" else (1, 200_000)
    with h5py.File(path, "r+") as file:
        group = file.require_group("uns")
        group.create_dataset(
            keys.UNS_LOG, shape=(number,), dtype=f"S{length}", compression="gzip",
            chunks=(min(number, 1000),),
        )[...] = b"x" * min(length, 1000)  # fmt: skip
    assert path.stat().st_size < 2e6
    with pytest.raises(FileRefused):
        from_export.find(workspace(labeled), str(path))
