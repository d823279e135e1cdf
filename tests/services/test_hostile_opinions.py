"""Opinions in project files that do not fit together: nothing of the file is left."""

import json

import numpy as np
import pytest

from scanvi_core.project import opinions
from scanvi_core.project.folder import open_project
from scanvi_core.services.projects import library
from tests.services.packed import CELLS, needs_fork, npy, pack_with, refusal

OPINION = {
    "format": 1, "id": "0123abcd", "name": "CellTypist", "source": "column",
    "created": "2026-01-01T00:00:00+00:00", "label_names": ["B cells", "T cells"],
    "names": {"B cells": "B"}, "about": {"column": "x"},
}  # fmt: skip


def opinion_of(record=(), labels=None, scores=None, folder="0123abcd"):
    """Return the files of an opinion, as changes of a pack."""
    labels = np.arange(CELLS, dtype=np.int32) % 3 - 1 if labels is None else labels
    scores = np.full(CELLS, np.nan, np.float32) if scores is None else scores
    content = json.dumps(OPINION | dict(record)).encode()
    files = {"opinion.json": content, "labels.npy": npy(labels), "scores.npy": npy(scores)}
    return {f"opinions/{folder}/{name}": value for name, value in files.items()}


@needs_fork
def test_an_opinion_of_a_pack_is_taken_in_without_what_no_opinion_has(packed, quick):
    made = library.take_in(pack_with(packed, opinion_of({"odd": "x"})))
    (found,) = opinions.listed(open_project(made))
    assert found.names == {"B cells": "B"} and found.labels.shape == (CELLS,)
    record = open_project(made).opinions / "0123abcd" / "opinion.json"
    assert "odd" not in json.loads(record.read_text())


BENT = {
    "id": opinion_of({"id": "ffffffff"}), "source": opinion_of({"source": "a spy"}),
    "format": opinion_of({"format": 2}), "created": opinion_of({"created": "never"}),
    "no names": opinion_of({"label_names": [], "names": {}}),
    "twice": opinion_of({"label_names": ["B cells", "B cells"]}),
    "strange": opinion_of({"names": {"NK": "NK"}}),
    "odd type": opinion_of({"names": {"B cells": " B\u200b"}}),
    "too many": opinion_of(labels=np.full(CELLS, 2, np.int32)),
    "below": opinion_of(labels=np.full(CELLS, -2, np.int32)),
    "kind": opinion_of(labels=np.zeros(CELLS)), "length": opinion_of(labels=np.zeros(3, np.int32)),
    "score": opinion_of(scores=np.full(CELLS, 2, np.float32)),
    "objects": opinion_of() | {"opinions/0123abcd/labels.npy": b"\x80\x04N."},
    "no record": opinion_of() | {"opinions/0123abcd/opinion.json": None},
    "no labels": opinion_of() | {"opinions/0123abcd/labels.npy": None},
    "no JSON": opinion_of() | {"opinions/0123abcd/opinion.json": b"{"},
    "folder": opinion_of(folder="../../evil"), "file": {"opinions/0123abcd/x.npy": b""},
}  # fmt: skip


@needs_fork
@pytest.mark.parametrize("changes", BENT.values(), ids=BENT)
def test_an_opinion_that_does_not_fit_together_is_refused(packed, quick, changes):
    given = {name: content for name, content in changes.items() if content is not None}
    refusal(pack_with(packed, given))
