"""Packed projects whose arrays, tables, labels or data file are damaged or made to do harm.

Most are looked through in a fork of the test, as the child process does it; some by that itself.
"""

import hashlib
import io
import json
import sqlite3
import subprocess
import sys
import zipfile
import zlib
from contextlib import closing

import h5py
import numpy as np
import pandas as pd
import pytest

from scanvi_core.errors import ExportError, FileRefused, ProjectError
from scanvi_core.project.folder import list_projects, open_project
from scanvi_core.services import workspace
from scanvi_core.services.export import write
from scanvi_core.services.export.write import ExportChoice
from scanvi_core.services.projects import library
from scanvi_core.services.runs import results
from tests import ROOT
from tests.services.packed import (
    GENES,
    HUGE,
    array,
    left,
    needs_fork,
    npy,
    pack_with,
    read,
    refusal,
    told,
)


def one(at, value):
    return array(lambda values: values.__setitem__(at, value))


# Arrays ----------------------------------------------------------------------------------------

COUNTS = {
    "far": ("indices", one(7, GENES)), "very far": ("indices", one(7, HUGE)),
    "below": ("indices", one(7, -1)), "all far": ("indices", array(lambda v: v + GENES)),
    "not in order": ("indices", array(lambda v: v[::-1])), "twice": ("indices", one(slice(2), 5)),
    "short": ("indices", array(lambda v: v[:-1])), "wide": ("indices", array(np.int64)),
    "floats": ("indices", array(np.float32)),
    "swapped": ("indices", array(lambda v: v.astype(">i4"))),
    "flat": ("indices", array(lambda v: v[None])), "no number": ("data", one(3, np.nan)),
    "without end": ("data", one(3, np.inf)), "below 0": ("data", one(3, -1)),
    "zero": ("data", one(3, 0)), "other": ("data", one(3, 77)),
    "doubles": ("data", array(np.float64)),
    "objects": ("data", lambda _: npy(np.array([{}], dtype=object))), "gone": ("data", None),
    "no head": ("data", lambda _: b""), "cut off": ("data", lambda c: c[: len(c) // 2]),
    "text": ("data", lambda _: b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 70_000),
    "shrinks": ("indptr", one(5, 0)), "jumps": ("indptr", one(5, HUGE)),
    "below at": ("indptr", one(5, -7)), "starts late": ("indptr", one(0, 1)),
    "ends late": ("indptr", one(-1, HUGE)), "few": ("indptr", array(lambda v: v[:-1])),
    "empty": ("indptr", lambda _: npy(np.empty(0, np.int32))),
}  # fmt: skip


@needs_fork
@pytest.mark.parametrize(("part", "change"), COUNTS.values(), ids=COUNTS)
def test_counts_that_would_lead_astray_are_refused(packed, quick, part, change):
    said = refusal(pack_with(packed, {f"dataset/counts_{part}.npy": change})).message
    assert "dataset/counts_" in said


@needs_fork
def test_a_file_that_says_it_is_larger_than_it_is_is_refused(packed, quick):
    head = io.BytesIO()
    about = {"descr": "<f4", "fortran_order": False, "shape": (2**40,)}
    np.lib.format.write_array_header_1_0(head, about)
    refusal(pack_with(packed, {"dataset/counts_data.npy": head.getvalue()}))


ARRAYS = {
    "type": ("runs/0001/y.npy", one(3, 99)), "type 2": ("runs/0001/y.npy", one(3, -2)),
    "type 3": ("runs/0001/y.npy", array(lambda v: v.astype(np.float32))),
    "batch": ("runs/0001/batch_index.npy", one(3, -1)),
    "batch 2": ("runs/0001/batch_index.npy", one(3, HUGE)),
    "truth": ("runs/0001/truth.npy", one(3, HUGE)), "gone": ("runs/0001/z1.npy", None),
    "cells": ("runs/0001/holdout.npy", array(lambda v: v[:-1])),
    "kind": ("runs/0001/rows.npy", array(lambda v: v.astype(np.int8))),
    "types": ("runs/0001/probabilities.npy", array(lambda v: v[:, :-1])),
    "latent": ("runs/0001/z1.npy", array(lambda v: v[:, :-1])),
    "map": ("runs/0001/umap_z1.npy", array(lambda v: np.hstack([v, v]))),
    "reason": ("runs/0002/reason.npy", one(3, 9)), "flag": ("runs/0002/qc.npy", one(3, -1)),
    "embedding": ("dataset/obsm_0.npy", array(lambda v: v[:-1])),
    "embedding 2": ("dataset/obsm_0.npy", array(lambda v: v.astype(np.complex64))),
    "embedding 3": ("dataset/obsm_0.npy", array(lambda v: v[:, :0])),
    "wrong": ("runs/0002/label_issue_score.npy", one(slice(None), np.inf)),
    "wrong 2": ("runs/0002/label_issue_score.npy", one(3, -5)),
    "novel": ("runs/0002/novelty.npy", one(3, 2)),
    "share": ("runs/0002/probabilities.npy", one(3, 2.5)),
    "share 2": ("runs/0002/probabilities_scanvi.npy", one(3, -1)),
    "clusters": ("derived/clusters-", one(3, 10**6)),
    "base map": ("derived/base_map-", array(lambda v: v[:3])),
}  # fmt: skip


@needs_fork
@pytest.mark.parametrize(("name", "change"), ARRAYS.values(), ids=ARRAYS)
def test_other_arrays_that_would_lead_astray_are_refused(packed, quick, name, change):
    whole = next(there for there in names(packed) if there.startswith(name))
    refusal(pack_with(packed, {whole: change}))


# Tables ----------------------------------------------------------------------------------------


def frame(change):
    """Return the change of a parquet file: of its table in place, or to what is returned."""

    def apply(content):
        table = pd.read_parquet(io.BytesIO(content))
        made = change(table)
        stream = io.BytesIO()
        (table if made is None else made).to_parquet(stream, index=False)
        return stream.getvalue()

    return apply


TABLES = {
    "no table": lambda _: b"PAR1", "cut off": lambda content: content[:-9],
    "rows": frame(lambda table: table[:-1]), "names": frame(lambda table: table.assign(names="x")),
    "numbers": frame(lambda table: table.assign(names=range(len(table)))),
    "columns": frame(lambda table: table.drop(columns="0")),
    "more": frame(lambda table: table.assign(more=1)),
    "lists": frame(lambda table: table.assign(**{"0": [[1]] * len(table)})),
    "times": frame(lambda table: table.assign(**{"0": pd.Timestamp("2020-01-01")})),
    "bytes": frame(lambda table: table.assign(**{"0": [b"x"] * len(table)})),
    "bomb": frame(lambda table: table.assign(**{"0": "x" * 2_000_000})),
}  # fmt: skip


@needs_fork
@pytest.mark.parametrize("change", TABLES.values(), ids=TABLES)
def test_a_table_that_is_not_of_these_cells_is_refused(packed, quick, change):
    said = refusal(pack_with(packed, {"dataset/obs.parquet": change})).message
    assert "dataset/obs.parquet" in said


# Labels ----------------------------------------------------------------------------------------


def log(*statements):
    """Return the change of a label log by SQL."""

    def apply(content):
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.deserialize(content)
            for statement in statements:
                connection.execute(*statement if isinstance(statement, tuple) else (statement,))
            connection.commit()
            return connection.serialize()

    return apply


SCHEMA = "PRAGMA writable_schema = ON"
LOGS = {
    "no database": lambda _: b"SQLite format 3\0" + b"x" * 5000, "empty": lambda _: b"",
    "cut off": lambda content: content[:5000],
    "bytes": lambda content: content[:8000] + b"\xff" * 200 + content[8200:],
    "trigger": log("CREATE TRIGGER t AFTER INSERT ON events BEGIN DELETE FROM events; END"),
    "view": log("CREATE VIEW v AS SELECT * FROM events"), "table": log("CREATE TABLE t (x)"),
    "index": log("CREATE INDEX i ON events (actor)"), "gone": log("DROP TABLE meta"),
    "column": log("ALTER TABLE events ADD COLUMN more TEXT"),
    "made": log("ALTER TABLE meta ADD COLUMN more AS (upper(value))"),
    "search": log("CREATE VIRTUAL TABLE f USING fts4(x)"),
    "masked": log("ALTER TABLE events RENAME TO t", "CREATE VIEW events AS SELECT * FROM t"),
    "text": log("UPDATE events SET time = 5"), "text 2": log("UPDATE events SET actor = x'00'"),
    "long": log(("UPDATE meta SET value = ? WHERE key = 'n_obs'", ["9" * 9999])),
    "bytes 2": log(("UPDATE events SET cells = ? WHERE seq = 1", [bytes(10**6)])),
    "json": log("UPDATE events SET payload = '{' WHERE seq = 1"),
    "changed": log("UPDATE events SET actor = 'mallory' WHERE seq = 2"),
    "hole": log("DELETE FROM events WHERE seq = 1"),
    "cells": log("UPDATE meta SET value = '9' WHERE key = 'n_obs'"),
    "newer": log("UPDATE meta SET value = '99' WHERE key = 'schema_version'"),
    "schema": log(SCHEMA, "UPDATE sqlite_schema SET rootpage = 9999 WHERE name = 'events'"),
}  # fmt: skip


@needs_fork
@pytest.mark.parametrize("change", LOGS.values(), ids=LOGS)
def test_a_label_log_with_anything_but_entries_is_refused(packed, quick, change):
    with pytest.raises((FileRefused, ProjectError)) as caught:
        library.take_in(pack_with(packed, {"project.db": change}))
    assert left() == [] and caught.value.hint


def test_a_label_log_that_unpacks_without_end_is_refused_within_its_memory(packed, home):
    step = b"s\x02" + zlib.compress(bytes(2**32 - 2**12), 1)
    change = log(("UPDATE events SET cells = ? WHERE seq = 1", [step[:3000]]))
    refusal(pack_with(packed, {"project.db": change}))


# The data file ---------------------------------------------------------------------------------


def with_source(packed, content):
    about = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    change = told(lambda value: value["source"].update(about))
    return pack_with(packed, {"source/small.h5ad": content, "dataset/manifest.json": change})


@needs_fork
def test_a_data_file_that_is_another_one_is_refused(packed, quick):
    other = read(packed, "source/small.h5ad")[:-1] + b"x"
    said = refusal(pack_with(packed, {"source/small.h5ad": other})).message
    assert "the data file in it is not the one it was made from" in said


@needs_fork
def test_a_data_file_that_leads_outside_is_refused(packed, quick, tmp_path):
    path = tmp_path / "x.h5ad"
    path.write_bytes(read(packed, "source/small.h5ad"))
    with h5py.File(path, "r+") as file:
        file["uns/secret"] = h5py.ExternalLink("/etc/passwd", "x")
    assert "a link to a file outside" in refusal(with_source(packed, path.read_bytes())).message


SECRETS = ["/etc/passwd", "../../../../etc/passwd", "source/../../settings.json", "C:\\secret"]


@needs_fork
@pytest.mark.parametrize("where", SECRETS)
def test_no_file_that_a_pack_names_is_read(packed, quick, tmp_path, where):
    change = told(lambda value: value["source"].update(path=where))
    changes = {"dataset/manifest.json": change, "source/small.h5ad": None}
    made = library.take_in(pack_with(packed, changes))
    project = open_project(made)
    path = workspace.source_path(workspace.workspace(made))
    assert path.is_relative_to(project.root.resolve()) and not path.exists()
    again = library.save(made).read_bytes()
    assert b"root:" not in again and not [n for n in names(again) if n.startswith("source/")]
    with pytest.raises(ExportError, match="is no longer there"):
        write.write(workspace.workspace(made), ExportChoice(), tmp_path / "out.h5ad")


def names(content):
    return zipfile.ZipFile(io.BytesIO(content)).namelist()


# From end to end -------------------------------------------------------------------------------


def test_a_sound_pack_is_opened_and_equal(packed, home, tmp_path):
    made = library.take_in(io.BytesIO(packed))
    assert left() == [made]
    opened = workspace.workspace(made)
    assert opened.labels().seq == 3 and "Mine" in opened.labels().active
    assert opened.current_run().id == "0002"
    found = np.load(io.BytesIO(read(packed, "runs/0002/probabilities.npy")))
    assert np.array_equal(
        results.current(workspace.workspace(made)).probabilities, found, equal_nan=True
    )
    before = json.loads(read(packed, "dataset/manifest.json"))
    assert opened.dataset.manifest | {"source": 0} == before | {"source": 0}
    again = library.save(made).read_bytes()
    for name in names(packed):
        if name.endswith("/status"):  # who worked at it is no matter any more
            stood, stands = (json.loads(read(pack, name)) for pack in (packed, again))
            assert stands == stood | {"process": ""}
        elif not name.endswith((".db", ".json")):
            assert read(again, name) == read(packed, name), name
    written = write.write(workspace.workspace(made), ExportChoice(), tmp_path / "out.h5ad")
    assert written.stat().st_size > 0


def test_project_files_of_earlier_versions_are_opened(packed, home):
    earlier = {
        "dataset/by_gene_data.npy": b"?", "dataset/by_gene_indices.npy": b"?",
        "dataset/by_gene_indptr.npy": b"?", "dataset/totals.npy": b"?",
        "dataset/cut_0123456789abcdef/data": b"?", "dataset/variable_genes_0123.npy": b"?",
        "runs/0001/processes.log": b"?", "derived/map_scores_0001.json": b"?",
        "source/uploaded/matrix.mtx": b"?", "source/other.csv": b"?",
        "dataset/manifest.json": told(
            lambda value: value["source"].update(path="/home/ann/small.h5ad")
        ),
    }  # fmt: skip
    made = open_project(library.take_in(pack_with(packed, earlier)))
    assert [path.name for path in made.source.iterdir()] == ["small.h5ad"]
    assert not (made.dataset / "cut_0123456789abcdef").exists()
    dataset = workspace.workspace(made.id).dataset
    assert np.array_equal(dataset.totals, np.asarray(dataset.counts.sum(axis=1)).ravel())
    assert (dataset.counts_by_gene != dataset.counts.tocsc()).nnz == 0


@pytest.mark.parametrize(
    ("name", "change"),
    [("dataset/counts_indices.npy", one(7, HUGE)), ("dataset/counts_indptr.npy", one(5, HUGE)),
     ("settings.json", told(lambda value: value.pop("created") and None))],
    ids=["positions", "pointers", "settings"],
)  # fmt: skip
def test_the_process_itself_refuses_and_the_server_goes_on(
    packed, home, fresh_children, name, change
):
    good = library.take_in(io.BytesIO(packed))
    refusal(pack_with(packed, {name: change}))
    assert [entry.id for entry in library.listing()] == [good]


FULL = """
import resource, sys
from scanvi_core.errors import ProjectError
from scanvi_core.services.projects import library as projects
from scanvi_core.services.projects import project_file

def fill(room):
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

look = project_file.run_child
project_file.run_child = lambda *said, **more: (fill(20_000), look(*said, **more))[1]
with open(sys.argv[1], "rb") as stream:
    if sys.argv[2] == "keeping it":
        fill(20_000)
    try:
        projects.take_in(stream)
    except ProjectError as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of files are of POSIX")
@pytest.mark.parametrize("when", ["keeping it", "looking through it"])
def test_on_a_full_disk_nothing_is_left(packed, home, tmp_path, when):
    (tmp_path / "x.zip").write_bytes(packed)
    command = [sys.executable, "-c", FULL, str(tmp_path / "x.zip"), when]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "could not be written" in done.stdout, done.stderr
    assert left() == [] and list_projects() == []
