"""No change to a project file ends in more than a sentence.

100 tries; 2,000 with SCANVI_FUZZ=all (``python -m tests.fuzz``). A file is opened, and then holds
what it says, or is refused, and then nothing of it is left. The process that looks through it
stays within 600 MB beyond its libraries and never dies.
"""

import io
import json
import os
import resource
import sqlite3
import zipfile
from collections import Counter
from contextlib import closing

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scanvi_core.errors import ScanviError
from scanvi_core.project.folder import open_project
from scanvi_core.services import workspace as workspaces
from scanvi_core.services.projects import library, project_file
from tests.data.intake.damage.fuzzing import damaged
from tests.services import packed as made
from tests.services.packed import array, left, look_in_a_fork, pack_with, read, said_well, told
from tests.services.use_project import OURS, outcome, steps

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
ALL = os.environ.get("SCANVI_FUZZ") == "all"
TRIES = 2_000 if ALL else 100
PEAK_MB = 600.0
USES = ("overview", "check", "flags", "gene", "maps", "results", "doubt", "models")
ODD = st.sampled_from(
    [None, True, 0, -1, 2**31, 2**63, 1e308, float("nan"), float("inf"), "", "x" * 100_000,
     "../../etc/passwd", "/etc/passwd", "\ud800", "0001", [], {}, [None], {"": {}}, [[[[]]]]]
)  # fmt: skip
VALUES = st.sampled_from([-1, 0, 1, 77, 10**6, 2**31 - 1, -(2**31), np.nan, np.inf])
NAMES = st.sampled_from(
    ["../x", "/etc/x", "settings.json ", "SETTINGS.JSON", "runs/0001/../x", "a\\b", "x", "a" * 300,
     "runs/00001/y.npy", "dataset/obsm_9.npy", "source/x.h5ad", "derived/x.npy", ".hidden"]
)  # fmt: skip
SQL = st.sampled_from(
    ["DELETE FROM events", "UPDATE events SET seq = seq + 1", "UPDATE events SET cells = NULL",
     "UPDATE events SET payload = '[]'", "UPDATE events SET after = x'00'", "DROP TABLE events",
     "UPDATE events SET time = ''", "UPDATE events SET digest = ''", "UPDATE meta SET value = ''",
     "CREATE TRIGGER t AFTER UPDATE ON meta BEGIN SELECT 1; END", "CREATE VIEW v AS SELECT 1",
     "UPDATE events SET kind = 'x'", "INSERT INTO meta VALUES ('x', 'y')", "CREATE TABLE t (x)"]
)  # fmt: skip
found: Counter[str] = Counter()


def bytes_of(name, draw):
    seed = draw(st.integers(0, 2**32 - 1))
    return lambda content: damaged(content, np.random.default_rng(seed))


def value_of(name, draw):
    """Change one value of a JSON file, take it away, or add one."""
    steps_down, odd, how = (
        draw(st.lists(st.integers(0, 99), max_size=4)),
        draw(ODD),
        draw(st.sampled_from(["set", "take", "add"])),
    )

    def change(value):
        for step in steps_down:
            inner = list(value.values()) if isinstance(value, dict) else value
            nested = [item for item in inner if isinstance(item, dict | list) and item]
            if not nested:
                break
            value = nested[step % len(nested)]
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        if how == "add" or not keys:
            value.update(more=odd) if isinstance(value, dict) else value.append(odd)
            return
        at = keys[(steps_down or [0])[-1] % len(keys)]
        if how == "take":
            del value[at]
        else:
            value[at] = odd

    return lambda content: lines_or_whole(content, told(change))


def lines_or_whole(content, change):
    """Apply a change of JSON to a file, or to the first line of one that has many."""
    try:
        return change(content)
    except ValueError:
        first, _, rest = content.partition(b"\n")
        return change(first) + b"\n" + rest


def array_of(name, draw):
    """Change values, type or shape of an array."""
    how, at, value = draw(st.integers(0, 5)), draw(st.integers(0, 10**6)), draw(VALUES)

    def change(values):
        if how < 2 and values.size:
            with np.errstate(all="ignore"):
                values.flat[at % values.size] = np.array([value]).astype(values.dtype)[0]
            return None
        made = [
            lambda: values[: at % (len(values) + 1)], lambda: values.astype(np.float64),
            lambda: values[..., None], lambda: np.roll(values, at),
        ]  # fmt: skip
        return made[how - 2]()

    return array(change)


def log_of(name, draw):
    statements = draw(st.lists(SQL, min_size=1, max_size=3))

    def change(content):
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.deserialize(content)
            for statement in statements:
                try:
                    connection.execute(statement)
                except sqlite3.Error:  # an earlier one took what this one is about
                    continue
            connection.commit()
            return connection.serialize()

    return change


KINDS = {
    ".json": value_of,
    ".jsonl": value_of,
    "status": value_of,
    ".npy": array_of,
    ".db": log_of,
}


@st.composite
def changed(draw, names):
    """Return a change of a project file: of one or two members, of a name, or of all its bytes."""
    how = draw(st.sampled_from(["member"] * 6 + ["name", "gone", "whole"]))
    if how == "whole":
        seed = draw(st.integers(0, 2**32 - 1))
        return lambda base: io.BytesIO(damaged(base, np.random.default_rng(seed)))
    chosen = draw(st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True))
    if how == "gone":
        return lambda base: pack_with(base, dict.fromkeys(chosen))
    if how == "name":
        name = draw(NAMES)
        return lambda base: pack_with(base, {chosen[0]: None, name: read(base, chosen[0])})
    changes = {}
    for name in chosen:
        kind = next((KINDS[end] for end in KINDS if name.endswith(end)), bytes_of)
        changes[name] = draw(st.sampled_from([kind, kind, bytes_of]))(name, draw)
    return lambda base: pack_with(base, changes)


@pytest.fixture(scope="module")
def opened(packed, tmp_path_factory):
    """A home for all tries; project files are looked through in forks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCANVI_HOME", str(tmp_path_factory.mktemp("fuzz")))
        patch.setattr(project_file, "run_child", look_in_a_fork)
        yield packed
    print(dict(found), f"peak {max(made.PEAKS):,.0f} MB")


def test_no_change_ends_in_more_than_a_sentence(opened):
    names = zipfile.ZipFile(io.BytesIO(opened)).namelist()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    @settings(
        max_examples=TRIES, deadline=None, database=None, derandomize=not ALL,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(changed(names))
    def attempt(change):
        stream = change(opened)
        try:
            project = library.take_in(stream)
        except ScanviError as error:
            found["refused"] += 1
            said_well(error)
            assert left() == []
            return
        found["opened"] += 1
        try:
            assert_equal(project, stream)
        finally:
            workspaces._open.pop(project).store.close()
            project_file.shutil.rmtree(open_project(project).root)

    attempt()
    assert found.total() >= TRIES
    assert max(made.PEAKS) - before < PEAK_MB


def assert_equal(project, stream):
    """Find that what was opened is what the file says, and can be used."""
    target = open_project(project).root / "out.h5ad"
    todo = steps(project, target)
    said = {name: outcome(todo[name]) for name in USES}
    assert not [text for text in said.values() if OURS in text], said
    root = open_project(project).root
    with zipfile.ZipFile(stream) as pack:
        for name in set(pack.namelist()):
            path, content = root / name, pack.read(name)
            if name.endswith(".npy") and path.exists():
                asked, there = np.load(io.BytesIO(content)), np.load(path)
                assert asked.dtype == there.dtype and np.array_equal(asked, there, True), name
            elif name.endswith(".parquet"):
                asked, there = pd.read_parquet(io.BytesIO(content)), pd.read_parquet(path)
                pd.testing.assert_frame_equal(asked, there)
            elif name.endswith((".safetensors", ".h5ad")) and path.exists():
                assert path.read_bytes() == content
            elif name.endswith(".json") and path.exists():
                assert is_part(json.loads(path.read_text()), json.loads(content)), name


OWN = ("path", "store", "obs_columns", "n_mt_genes")  # of this place, or worked out anew


def is_part(there, asked):
    """Tell whether all that is there is as it was asked for."""
    if isinstance(there, dict):
        return all(key in OWN or is_part(there[key], asked[key]) for key in there)
    if isinstance(there, list):
        return len(there) == len(asked) and all(map(is_part, there, asked))
    return there == asked or (there != there and asked != asked)
