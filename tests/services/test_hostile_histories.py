"""Histories made to deceive or to harm: taken over as what they claim, or refused in a sentence.

100 damaged ones; 2,000 with SCANVI_FUZZ=all (``python -m tests.fuzz``).
"""

import base64
import json
import os
import shutil
import tracemalloc
import zlib
from collections import Counter
from contextlib import suppress
from functools import reduce

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scanvi_core import keys, runtime
from scanvi_core.errors import FileRefused, HistoryRefused
from scanvi_core.project import LabelStore
from scanvi_core.project.label_log import events
from scanvi_core.project.label_log.exchange.lines import from_line, pack_log
from scanvi_core.project.label_log.replay import entries as label_log_entries
from scanvi_core.project.label_log.replay.row_sets import pack_values
from scanvi_core.project.label_log.replay.state import Board
from scanvi_core.project.label_log.replay.undo import History
from scanvi_core.services.labels import edit, from_export, history
from scanvi_core.services.workspace import workspace
from tests.projects import copy_of

N = 700
NO_DIGEST = "0" * 32  # of no entry
ALL = os.environ.get("SCANVI_FUZZ") == "all"
TRIES = 2_000 if ALL else 100
MOST_BYTES, MOST_PER_BYTE = 4e6, 250  # memory that looking at a file may take


@pytest.fixture
def fresh(home, imported):
    """A project without labels."""
    return copy_of(imported)


@pytest.fixture
def told(labeled):
    """A history with a step of anna, as text."""
    workspace(labeled).store.actor = "anna"
    edit.name_cells(workspace(labeled), np.array([3, 4, 9]), "Mine", "lasso")
    return history.export_log(labeled)


def entries(text):
    head, *lines = text.decode().split("\n")
    return head, [json.loads(line) for line in lines]


def text_of(head, found):
    return "\n".join([head, *map(json.dumps, found)]).encode()


def sealed(found):
    """Give entries the digests they would have: whoever knows the program can."""
    board, history_ = Board(N), History()
    for entry in found:
        record = from_line(json.dumps(entry | {"digest": NO_DIGEST}), N)._replace(digest="")
        change = label_log_entries.unpack(record, N)
        entry["digest"] = label_log_entries.digest_of(history_.digest, record, change)
        label_log_entries.advance(record, change, entry["digest"], board, history_)
    return found


def lone(**fields):
    """Return one entry that names cells 3 to 5, with other fields as given."""
    label = ["Mine", True, "", "", None]
    payload = {"labels": ["Mine"], "reason": "", "model": "", "n_cells": 3,
               "changes": [[0, ["Mine", False, "", "", None], label]]}  # fmt: skip
    values = {
        "after": pack_values(np.zeros(3, np.int32), np.full(3, 2, np.uint8)),
        "before": pack_values(np.full(3, -1, np.int32), np.zeros(3, np.uint8)),
    }
    entry = {"seq": 1, "time": "2026-01-02T03:04:05+00:00", "actor": "anna", "kind": "assign",
             "payload": payload, "cells": [[3, 5]], "digest": NO_DIGEST}  # fmt: skip
    entry |= {name: base64.b64encode(blob).decode() for name, blob in values.items()}
    return entry | fields


def with_payload(**parts):
    return lone(payload=lone()["payload"] | parts)


def packed(blob):
    return base64.b64encode(blob).decode()


MUCH = zlib.compress(bytes(64 * 2**20), 9)
BOMB = packed(MUCH)
BEFORE, AFTER = lone()["payload"]["changes"][0][1:]
COMBINED = {"n_cells": 3, "with": "x", "knows": [], "changes": lone()["payload"]["changes"]}
HOSTILE = {
    "cells without end": lone(cells=[[0, 400_000_000]]),
    "many such": lone(cells=[[0, 400_000_000]] * 30),
    "cells before the first": lone(cells=[[-5, 2]]),
    "cells backwards": lone(cells=[[5, 3]]),
    "cells twice": lone(cells=[[3, 5], [4, 5]]),
    "too many ranges": lone(cells=[[i, i] for i in range(0, 600, 2)]),
    "cells of yes": lone(cells=[[True, 3]]),
    "cells of halves": lone(cells=[[0.5, 3]]),
    "cells of 2**70": lone(cells=[[2**70, 2**70]]),
    "cells in threes": lone(cells=[[1, 2, 3]]),
    "cells of words": lone(cells="no base64!"),
    "cells of bits without end": lone(cells=packed(b"b" + MUCH)),
    "cells of steps without end": lone(cells=packed(b"s\x02" + MUCH)),
    "cells that stand still": lone(cells=packed(b"s\x00" + zlib.compress(bytes(3)))),
    "values without end": lone(after=packed(b"s\x02" + MUCH)),
    "values of 2**63": lone(after=packed(b"1" + b"\xff" * 8)),
    "values of labels that are not there": lone(
        after=packed(b"1" + (4_000_002).to_bytes(8, "little"))
    ),
    "no values": lone(after=None),
    "nothing before": lone(before=None),
    "number": lone(seq=10**30),
    "number of text": lone(seq="1"),
    "number of yes": lone(seq=True),
    "a later number": lone(seq=5),
    "digest gone": lone(digest=""),
    "digest of another kind": lone(digest=7),
    "actor of a list": lone(actor=["anna"]),
    "actor without end": lone(actor="a" * 100_000),
    "actor with half a letter": lone(actor="\ud800"),
    "actor with a zero": lone(actor="an\0na"),
    "time of no clock": lone(time="yesterday"),
    "time of no calendar": lone(time="0001-01-01T00:00:00+14:00"),
    "time of the far future": lone(time="9999-12-31T23:59:59-12:00"),
    "kind unknown": lone(kind="forge"),
    "kind of a list": lone(kind=[]),
    "payload of a list": lone(payload=[]),
    "no number of cells": lone(payload={"labels": ["Mine"]}),
    "number of cells of text": with_payload(n_cells="three"),
    "number of cells without end": with_payload(n_cells=10**12),
    "another number of cells": with_payload(n_cells=2),
    "labels of numbers": with_payload(labels=[1]),
    "no labels": with_payload(labels=[]),
    "a label without end": with_payload(labels=["x" * 10_000]),
    "another label than it says": with_payload(labels=["Yours"]),
    "changes of words": with_payload(changes="no"),
    "changes of a label far away": with_payload(changes=[[10**6, BEFORE, AFTER]]),
    "changes of a label before the first": with_payload(changes=[[-1, BEFORE, AFTER]]),
    "a color that is code": with_payload(
        changes=[[0, BEFORE, ["Mine", True, "red;}</style>", "", None]]]
    ),
    "a share of nothing": with_payload(
        changes=[[0, BEFORE, ["Mine", True, "", "", float("nan")]]]
    ),
    "a share without end": with_payload(share=float("inf")),
    "a reason of lists": with_payload(reason=[["x"]]),
    "left out without end": with_payload(left_out=10**9, left_out_rows=BOMB),
    "lists in lists": with_payload(more=json.loads("[" * 50 + "]" * 50)),
    "a number beyond any column": with_payload(more=2**63),
    "a note that changes labels": lone(kind="note", payload=lone()["payload"] | {"text": "x"}),
    "an undo of nothing": lone(kind="undo", payload=lone()["payload"] | {"step": 9, "what": "x"}),
    "a redo of nothing": lone(kind="redo", payload=lone()["payload"] | {"step": 1, "what": "x"}),
    "an undo of a word": lone(kind="undo", payload=lone()["payload"] | {"step": "1", "what": "x"}),
    "a field nobody knows": lone(more=1),
    "an origin of a word": lone(origin="here"),
    "an origin that was brought by nobody": lone(origin={"brought_by": 7, "brought_at": "x"}),
    "a signature of a list": lone(mac=[]),
    "a history without end in it": lone(kind="combine", payload=COMBINED | {"logs": [BOMB]}),
    "a history of nothing in it": lone(kind="combine", payload=COMBINED | {"logs": ["no"]}),
    "a history that is no text in it": lone(
        kind="combine", payload=COMBINED | {"logs": [packed(zlib.compress(b"\xff"))]}
    ),
}  # fmt: skip

MINE = base64.b64encode(pack_values(np.zeros(3, np.int32), np.full(3, 2, np.uint8))).decode()
NONE = base64.b64encode(pack_values(np.full(3, -1, np.int32), np.zeros(3, np.uint8))).decode()
NO_CELLS = {"cells": None, "after": None, "before": None}
UNDO = {"n_cells": 3, "step": 1, "what": "x", "changes": [[0, AFTER, BEFORE]]}
SECOND = {  # after the step of `lone`
    "other labels before it": lone(seq=2, payload=lone()["payload"] | {"changes": []}),
    "an undo of fewer cells": lone(seq=2, kind="undo", payload=UNDO | {"n_cells": 2},
                                   cells=[[3, 4]], after=packed(b"1" + bytes(8)),
                                   before=packed(b"1" + (6).to_bytes(8, "little"))),
    "an undo that keeps the label": lone(seq=2, kind="undo", payload=UNDO | {"changes": []},
                                         after=NONE, before=MINE),
    "two labels of one name": lone(
        seq=2, kind="create", payload={"n_cells": 0, "changes": [[1, BEFORE, AFTER]]}, **NO_CELLS
    ),
    "a label gone that cells have": lone(
        seq=2, kind="delete", payload={"n_cells": 0, "changes": [[0, AFTER, BEFORE]]}, **NO_CELLS
    ),
    "cells that get a label that is gone": lone(
        seq=2, kind="clear", payload={"n_cells": 3, "labels": ["Mine"]}, after=NONE, before=NONE
    ),
    "a label that was another": lone(
        seq=2, kind="rename", **NO_CELLS,
        payload={"n_cells": 0, "to": "B", "changes": [[0, ["A", *AFTER[1:]], ["B", *AFTER[1:]]]]},
    ),
    "a redo of what was not undone": lone(
        seq=2, kind="redo", payload={"n_cells": 0, "step": 1, "what": "x"}, **NO_CELLS
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def targets(imported, tmp_path_factory):
    """First lines for a project without labels, and for one with which it would be merged."""
    with runtime.home_at(tmp_path_factory.mktemp("targets")):
        projects = [copy_of(imported) for _ in range(2)]
        edit.use_column(workspace(projects[1]), "cell_type", set())
        yield {project: head_of(project) for project in projects}


def head_of(project):
    return history.export_log(project).decode().split("\n")[0]


def refused(project, text):
    """Return the error of a history that is refused, and see that nothing of it was kept."""
    before = workspace(project).store.export_log()
    tracemalloc.start()
    try:
        with pytest.raises(HistoryRefused) as caught:
            history.import_log(project, text)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert workspace(project).store.export_log() == before
    assert caught.value.message.endswith((".", "…")) or ":" in caught.value.message
    assert peak < MOST_BYTES + MOST_PER_BYTE * len(text)
    return caught.value


def test_the_pattern_of_the_hostile_ones_is_sound_itself(fresh):
    history.import_log(fresh, text_of(head_of(fresh), sealed([lone()])))
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
    history.import_log(fresh, text_of(head_of(fresh), found[:9]))
    assert len(history.table(fresh)) == 9


def test_a_few_lines_that_ask_for_hours_of_work_are_refused(fresh, monkeypatch):
    monkeypatch.setattr("scanvi_core.project.label_log.exchange.audit.HISTORY_CHANGES", 0)
    monkeypatch.setattr("scanvi_core.project.label_log.exchange.audit.HISTORY_CHANGES_PER_CELL", 2)
    store = workspace(copy_of_project(fresh)).store
    for i in range(4):
        store.append(events.assign(np.arange(N), f"type {i % 2}"))
    error = refused(fresh, "\n".join([head_of(fresh), *store.export_log()]).encode())
    assert "many hundred times" in error.message


def copy_of_project(project):
    return copy_of(workspace(project).project.root)


def test_who_and_when_of_a_history_are_what_it_claims(told, fresh):
    """The forger gives every step the digest it would have."""
    head, found = entries(told)
    for entry in found:
        entry |= {"actor": "boss@lab.org", "time": "2001-01-01T00:00:00+00:00"}
        entry |= {"origin": {"signed_in": True}}
    workspace(fresh).store.actor = "mallory"
    history.import_log(fresh, text_of(head, sealed(found)))
    table = history.table(fresh)
    assert not table["verified"].any()
    assert table["proof"].str.startswith("brought by mallory, ").all()
    sentence = table["proof_text"].iloc[0]
    assert sentence.startswith("Brought by mallory (name as typed), ")
    assert "says: boss@lab.org, 1 Jan 2001" in sentence
    _, again = entries(history.export_log(fresh))
    assert {entry["origin"]["brought_by"] for entry in again} == {"mallory"}
    edit.undo(workspace(fresh))
    table = history.table(fresh)
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
    history.import_log(fresh, text_of(head, sealed(found)))
    last = history.table(fresh).iloc[0]
    assert last["who"] == "mallory" and last["verified"]
    assert "the work taken over is claimed" in last["proof"]
    assert "of boss@lab.org is what the other history claims" in last["proof_text"]


def test_what_was_exported_here_and_comes_back_is_claimed_as_well(told, fresh):
    history.import_log(fresh, told)
    assert history.table(fresh)["proof"].str.startswith("brought by ").all()


def test_a_history_in_a_history_holds_what_it_says_it_knows(told, fresh):
    history.import_log(fresh, told)
    other = copy_of_project(fresh)
    for project, name in ((fresh, "A"), (other, "B")):
        edit.name_cells(workspace(project), np.array([1]), name, "lasso")
    history.import_log(fresh, history.export_log(other))
    head, found = entries(history.export_log(fresh))
    sound = text_of(head, found)
    combined = found[-1]["payload"]
    (whole,) = combined["logs"]
    deeper = [json.dumps(sealed([lone(kind="combine", payload=combined | {
        "n_cells": 3, "changes": lone()["payload"]["changes"]})])[0])]  # fmt: skip
    third = copy_of_project(other)
    for logs in ([], [whole]):
        combined["logs"] = logs
        history.import_log(third, text_of(head, found))
    for logs in ([whole[:-8]], ["!"], [pack_log(deeper, N)], [pack_log(["{}"], N)]):
        combined["logs"] = logs
        refused(third, text_of(head, found))
    combined["logs"], combined["knows"] = [whole], ["a" * 32]
    refused(third, text_of(head, sealed(found)))
    history.import_log(third, sound)


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
        from_export.find(labeled, str(path))


# At random --------------------------------------------------------------------------------------

WILD = st.sampled_from(
    [None, True, False, -1, 0, 1, 3, 699, 700, 2**31, 2**63, 10**30, 0.5, float("nan"),
     float("inf"), "", "x", "\0", "\ud800", "x" * 5_000, [], {}, [[]], [[0, 400_000_000]],
     {"a": {}}, "2026-01-02T03:04:05+00:00", "0" * 32, "assign", "undo", "combine", "holdout"]
)  # fmt: skip
SPOT = st.floats(0, 1, exclude_max=True)
MUTATIONS = st.one_of(
    st.tuples(st.just("said"), SPOT, st.sampled_from(["actor", "time", "origin", "mac"])),
    st.tuples(st.just("bytes"), SPOT, st.binary(max_size=3)),
    st.tuples(st.just("cut"), SPOT, SPOT),
    st.tuples(st.sampled_from(["drop", "twice", "swap"]), SPOT, SPOT),
    st.tuples(st.just("value"), SPOT, st.tuples(st.lists(SPOT, min_size=1, max_size=6), WILD)),
    st.tuples(st.just("gone"), SPOT, st.lists(SPOT, min_size=1, max_size=4)),
)


def mutate(text, mutation):
    """Return a history with one thing changed."""
    what, spot, how = mutation
    if what == "bytes":
        at = int(spot * len(text))
        return text[:at] + how + text[at + len(how) :]
    if what == "cut":
        return text[: int(max(spot, how) * len(text))]
    lines = text.split(b"\n")
    at = int(spot * len(lines))
    if what == "drop":
        return b"\n".join(lines[:at] + lines[at + 1 :])
    if what == "twice":
        return b"\n".join([*lines[:at], lines[at], *lines[at:]])
    if what == "swap":
        other = int(how * len(lines))
        lines[at], lines[other] = lines[other], lines[at]
        return b"\n".join(lines)
    if what == "said":
        return b"\n".join([*lines[:at], said(lines[at], how), *lines[at + 1 :]])
    path, value = how if what == "value" else (how, None)
    with suppress(ValueError):  # an earlier change made it no JSON
        entry = json.loads(lines[at])
        put(entry, path, value, gone=what == "gone")
        lines[at] = json.dumps(entry).encode()
    return b"\n".join(lines)


def said(line, name):
    """Return a line with a claim of another kind that nobody could tell from a true one."""
    claims = {
        "actor": "boss@lab.org", "time": "2001-01-01T00:00:00+00:00", "mac": "12345678:90",
        "origin": {"brought_by": "boss", "brought_at": "2001-01-01", "via": [["x", "2000-01-01"]]},
    }  # fmt: skip
    with suppress(ValueError):
        return json.dumps(json.loads(line) | {name: claims[name]}).encode()
    return line


def put(node, path, value, *, gone):
    """Change what lies somewhere in JSON."""
    for i, spot in enumerate(path):
        if not isinstance(node, dict | list) or not node:
            return
        key = (
            list(node)[int(spot * len(node))] if isinstance(node, dict) else int(spot * len(node))
        )
        if i + 1 == len(path) or not isinstance(node[key], dict | list):
            if gone:
                del node[key]
            else:
                node[key] = value
            return
        node = node[key]


def resealed(text):
    """Return a history with the digests it would have; as it is where that cannot be."""
    with suppress(Exception):
        head, found = entries(text)
        return text_of(head, sealed(found))
    return text


def meaning(line):
    """Return what a line says, however its numbers are packed."""
    record = from_line(line, N)
    said = {k: v for k, v in record.payload.items() if k not in ("logs", "left_out_rows")}
    change = label_log_entries.unpack(record, N)
    return (
        record.seq,
        record.time,
        record.actor,
        record.kind,
        said,
        label_log_entries.digest_of("", record, change),
    )


@pytest.fixture
def rich(labeled):
    """A history with steps of every kind."""
    store = workspace(labeled).store
    store.append(events.accept(np.arange(10, 30), ["A", "B"] * 10, model="0001"))
    store.append(events.assign([0, 1, 600], "A", reason="rule"))
    store.append(events.rename("A", "A2"))
    store.append(events.groups({"A2": "Group", "B": "Group"}))
    store.append(events.prior({"A2": 0.5}))
    store.append(events.recolor({"B": "#112233"}))
    store.append(events.split("A2", ["A3"], np.arange(10, 20), np.zeros(10, int)))
    store.append(events.note("seen"))
    store.undo()
    store.append(events.clear([600]))
    store.undo()
    store.redo()
    other = copy_of_project(labeled)
    edit.name_cells(workspace(other), np.array([50]), "Theirs", "lasso")
    store.append(events.delete("A2"))
    store.merge(workspace(other).store.export_log())
    store.append(events.checkpoint("end"))
    return history.export_log(labeled)


def test_a_damaged_history_is_taken_over_as_it_says_or_refused(rich, imported):
    empty, counts, worst = [copy_of(imported)], Counter(), []

    @settings(max_examples=TRIES, deadline=None, derandomize=True, database=None,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(st.lists(MUTATIONS, min_size=1, max_size=2), st.booleans())
    def attempt(mutations, forger):
        text = reduce(mutate, mutations, rich)
        text = resealed(text) if forger else text
        if ALL or counts.total() % 5 == 0:  # it takes most of the time
            tracemalloc.start()
        try:
            history.import_log(empty[-1], text)
        except HistoryRefused as error:
            assert error.message
            assert workspace(empty[-1]).labels().seq == 0
            counts["refused"] += 1
        else:
            check_taken_over(empty[-1], text)
            counts["taken over"] += 1
            empty.append(copy_of(imported))
        finally:
            if tracemalloc.is_tracing():
                worst.append(tracemalloc.get_traced_memory()[1] - MOST_PER_BYTE * len(text))
                tracemalloc.stop()

    attempt()
    print(f"damaged histories: {dict(counts)}")
    assert counts["taken over"] and counts["refused"] > TRIES / 4
    assert max(worst) < MOST_BYTES


def check_taken_over(project, text):
    """See that a project holds what the file says, as a claim, and that it can be undone."""
    lines = [line for line in text.decode().split("\n")[1:] if line.strip()]
    opened = workspace(project)
    assert [*map(meaning, opened.store.export_log())] == [*map(meaning, lines)]
    assert np.array_equal(opened.labels().codes, LabelStore.replay(lines, N).codes)
    assert not history.table(project)["verified"].any()
    opened.store.undo_to(0)
    assert (opened.labels().codes == -1).all()
