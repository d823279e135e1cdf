"""Cached answers: worked out once, bounded, never of an earlier state."""

import dataclasses
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scanvi_core.services import workspace
from scanvi_core.services.cache import Cache
from scanvi_core.services.explore import colors, maps
from scanvi_core.services.export import write
from scanvi_core.services.labels import edit, holdout
from scanvi_core.services.labels.holdout import HoldoutRequest
from scanvi_core.services.projects import data_report, open_file, status
from scanvi_core.services.runs import results
from scanvi_core.services.runs.inputs import inputs_of
from tests.projects import copy_of

BUDGET = 1_000


def test_an_answer_is_worked_out_once_for_each_key():
    cache, asked = Cache(BUDGET), []
    for key in ("a", "b", "a", "a", "b"):
        assert cache.get(key, lambda key=key: asked.append(key) or key.upper()) == key.upper()
    assert asked == ["a", "b"]


def test_the_least_used_answer_leaves_once_the_bytes_are_used_up():
    cache = Cache(BUDGET)
    for key in ("a", "b", "a", "c"):
        cache.get(key, lambda: np.zeros(400, np.uint8))
    assert len(cache) == 2 and cache.peek("b") is None
    assert cache.peek("a") is not None and cache.peek("c") is not None
    cache.put("large", np.zeros(2 * BUDGET, np.uint8))
    assert len(cache) == 1, "an answer larger than the budget is there until the next one"
    cache.put("small", 1)
    assert cache.peek("large") is None and cache.peek("small") == 1
    cache.drop("small")
    assert not len(cache) and not cache._n_bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Inner:
    values: np.ndarray


@dataclasses.dataclass(frozen=True)
class Outer:
    inner: Inner
    names: tuple[str, ...]


@pytest.mark.parametrize(
    ("answer", "least"),
    [
        pytest.param(np.zeros(900, np.uint8), 900, id="array"),
        pytest.param(Outer(Inner(np.zeros(900, np.uint8)), ("a",)), 900, id="nested"),
        pytest.param((1, [np.zeros(900, np.uint8)]), 900, id="list"),
        pytest.param({"a": np.zeros(900, np.uint8)}, 900, id="mapping"),
        pytest.param(pd.DataFrame({"a": np.zeros(200)}), 1_600, id="table"),
        pytest.param(("x" * 900,), 900, id="text"),
    ],
)
def test_what_an_answer_takes_is_counted(answer, least):
    cache = Cache(10 * BUDGET)
    cache.put("a", answer)
    assert least <= cache._n_bytes < 3 * least


def test_what_is_mapped_from_a_file_takes_nothing(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(10_000))
    cache = Cache(BUDGET)
    cache.put("a", np.load(tmp_path / "a.npy", mmap_mode="r"))
    assert cache._n_bytes == 0


def test_arrays_anywhere_in_an_answer_cannot_be_written_to():
    cache, values = Cache(BUDGET), np.zeros(3)
    cache.put("a", Outer(Inner(values), ()))
    with pytest.raises(ValueError, match="read-only"):
        values[0] = 1


def test_one_thread_works_and_the_others_wait_for_it():
    cache, asked, begun = Cache(BUDGET), [], threading.Event()

    def work_out():
        asked.append(threading.get_ident())
        begun.wait(5)
        return cache.get("other", lambda: 7)  # answers may ask for answers

    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(cache.get, "a", work_out) for _ in range(8)]
        while not asked:
            time.sleep(0.001)
        begun.set()
        assert {answer.result() for answer in answers} == {7}
    assert len(asked) == 1 and not cache._turns


def test_those_who_wait_for_a_failure_try_themselves():
    cache, asked = Cache(BUDGET), []

    def work_out():
        asked.append(1)
        time.sleep(0.01)
        if len(asked) == 1:
            raise ZeroDivisionError
        return 7

    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(cache.get, "a", work_out) for _ in range(4)]
    failed = [answer for answer in answers if answer.exception() is not None]
    assert len(failed) == 1 and len(asked) == 2
    assert cache.get("a", lambda: 8) == 7 and not cache._turns


def test_shared_arrays_cannot_be_written_to(labeled):
    opened = workspace.workspace(labeled)
    inputs = inputs_of(opened)
    for array in (inputs.y, inputs.rows, inputs.batch_index, opened.batches("batch").index):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_a_failure_is_not_kept():
    cache = Cache(BUDGET)
    with pytest.raises(ZeroDivisionError):
        cache.get("a", lambda: 1 / 0)
    assert cache.get("a", lambda: 2) == 2


def told(project):
    """Everything the pages say that is kept, as comparable values."""
    opened = workspace.workspace(project)
    inputs, now = inputs_of(opened), status.of(project)
    report = data_report.report(workspace.workspace(project))
    key = opened.project.settings.get("batch_key")
    parts = [dataclasses.asdict(inputs), now, results.changed_labels(workspace.workspace(project))]
    parts += [write.source_table(workspace.workspace(project), 0.5), report.median_total]
    parts += [data_report.batch_table(workspace.workspace(project), key)] if key else []
    parts += [
        colors.coloring(workspace.workspace(project), "louvain").codes,
        maps.coordinates(workspace.workspace(project), "X_umap"),
    ]
    return parts


def same(one, other):
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    if isinstance(one, pd.DataFrame):
        return one.equals(other)
    return one == other


def test_what_is_kept_is_what_a_fresh_start_would_say(trained):
    open_ = np.flatnonzero(workspace.workspace(trained).labels().codes < 0)
    donor = HoldoutRequest(holdout.GROUP, column="batch", values=("batch 3",))
    steps = [
        lambda: edit.name_cells(workspace.workspace(trained), open_[:9], "Dendritic", "lasso"),
        lambda: workspace.set_batch_key(workspace.workspace(trained), None),
        lambda: edit.name_cells(workspace.workspace(trained), open_[:4], "Mine", "lasso"),
        lambda: holdout.set_aside(workspace.workspace(trained), donor),
        lambda: edit.undo(workspace.workspace(trained)),
        lambda: workspace.set_batch_key(workspace.workspace(trained), "phase"),
        lambda: edit.redo(workspace.workspace(trained)),
        lambda: edit.set_parents(workspace.workspace(trained), {"Mine": ("Ours",)}),
        lambda: edit.rename(workspace.workspace(trained), "Mine", "Yours"),
        lambda: edit.undo(workspace.workspace(trained)),
        lambda: edit.clear_cells(workspace.workspace(trained), open_[:2], "lasso"),
    ]
    seen = [told(trained)]
    for number, step in enumerate(steps):
        step()
        kept = told(trained)
        workspace._open.clear()  # as after a restart
        fresh = told(trained)
        differing = [
            at for at, pair in enumerate(zip(kept, fresh, strict=True)) if not same(*pair)
        ]
        assert not differing, f"step {number}, answers {differing}"
        assert not all(same(*pair) for pair in zip(seen[-1], fresh, strict=True))
        seen.append(fresh)


def test_reading_a_file_again_forgets_what_was_kept(project):
    before = workspace.workspace(project)
    colors.coloring(workspace.workspace(project), "louvain")
    assert len(before.cache)
    source = before.dataset.manifest["source"]["path"]
    after = open_file.import_into(before.project, Path(source))
    assert after is workspace.workspace(project) is not before
    assert not len(after.cache)


def test_open_projects_are_bounded_and_come_back(home, imported, monkeypatch):
    monkeypatch.setattr(workspace, "OPEN_PROJECTS", 2)
    workspace._open.clear()
    projects = [copy_of(imported) for _ in range(3)]
    edit.name_cells(workspace.workspace(projects[0]), np.array([5]), "Mine", "lasso")
    for project in projects:
        workspace.workspace(project)
    assert list(workspace._open) == projects[1:]
    assert workspace.workspace(projects[0]).labels().counts == {"Mine": 1}


def test_a_project_exists_until_its_folder_is_gone(project, home):
    assert workspace.exists(project)
    (home / "projects" / project / "settings.json").unlink()
    assert not workspace.exists(project)
    assert not workspace.exists("../../etc")
    assert not workspace.exists("")
