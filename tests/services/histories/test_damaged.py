"""Histories changed at random: taken over as what they say, or refused in a sentence.

100 of them; 2,000 with SCANVI_FUZZ=all (``python -m tests.fuzz``).
"""

import json
import os
import tracemalloc
from collections import Counter
from contextlib import suppress
from functools import reduce

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scanvi_core.errors import HistoryRefused
from scanvi_core.project.label_log import events
from scanvi_core.project.label_log.exchange.lines import from_line
from scanvi_core.project.label_log.replay import entries as label_log_entries
from scanvi_core.project.label_log.store import LabelStore
from scanvi_core.services.labels import edit, history
from scanvi_core.services.workspace import workspace
from tests.projects import copy_of
from tests.services.histories.forged import (
    MOST_BYTES,
    MOST_PER_BYTE,
    N,
    copy_of_project,
    entries,
    sealed,
    text_of,
)

ALL = os.environ.get("SCANVI_FUZZ") == "all"
TRIES = 2_000 if ALL else 100
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
    store.append(events.parents({"A2": ("Group",), "B": ("Group",)}))
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
    return history.export_log(workspace(labeled))


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
            history.import_log(workspace(empty[-1]), text)
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
    assert not history.table(workspace(project))["verified"].any()
    opened.store.undo_to(0)
    assert (opened.labels().codes == -1).all()
