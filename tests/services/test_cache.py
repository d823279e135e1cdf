"""Kept answers: worked out once, bounded, never of an earlier state."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from scanvi_core.services import workspace
from scanvi_core.services.cache import Kept
from scanvi_core.services.explore import colours, maps
from scanvi_core.services.export import write
from scanvi_core.services.labels import edit, holdout
from scanvi_core.services.labels.holdout import HoldoutRequest
from scanvi_core.services.projects import data_report, open_file, status
from scanvi_core.services.runs import results
from scanvi_core.services.runs.inputs import inputs_of
from scanvi_core.services.workspace import batches_of
from tests.services.conftest import copy_of


def test_an_answer_is_worked_out_once_for_each_key():
    kept, asked = Kept(), []
    for key in ("a", "b", "a", "a", "b"):
        assert kept.get(key, lambda key=key: asked.append(key) or key.upper()) == key.upper()
    assert asked == ["a", "b"]


def test_the_least_used_answer_leaves_first():
    kept = Kept(size=2)
    for key in ("a", "b", "a", "c"):
        kept.get(key, lambda key=key: key)
    assert len(kept) == 2
    again = []
    for key in ("a", "c", "b"):
        kept.get(key, lambda key=key: again.append(key))
    assert again == ["b"]


def test_shared_arrays_cannot_be_written_to(labelled):
    opened = workspace.workspace(labelled)
    inputs = inputs_of(opened)
    for array in (inputs.y, inputs.rows, inputs.batch_index, batches_of(opened, "batch")[0]):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_a_failure_is_not_kept():
    kept = Kept()
    with pytest.raises(ZeroDivisionError):
        kept.get("a", lambda: 1 / 0)
    assert kept.get("a", lambda: 2) == 2


def told(project):
    """Everything the pages say that is kept, as comparable values."""
    opened = workspace.workspace(project)
    inputs, now = inputs_of(opened), status.of(project)
    report = data_report.report(project)
    key = opened.project.settings.get("batch_key")
    parts = [dataclasses.asdict(inputs), now, results.changed_labels(project)]
    parts += [write.source_table(project, 0.5), report.median_total]
    parts += [data_report.batch_table(project, key)] if key else []
    parts += [
        colours.colouring(project, "louvain").codes,
        maps.coordinates(project, "X_umap"),
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
        lambda: edit.name_cells(trained, open_[:9], "Dendritic", "lasso"),
        lambda: workspace.set_batch_key(trained, None),
        lambda: edit.name_cells(trained, open_[:4], "Mine", "lasso"),
        lambda: holdout.set_aside(trained, donor),
        lambda: edit.undo(trained),
        lambda: workspace.set_batch_key(trained, "phase"),
        lambda: edit.redo(trained),
        lambda: edit.set_groups(trained, {"Mine": "Ours"}),
        lambda: edit.rename(trained, "Mine", "Yours"),
        lambda: edit.undo(trained),
        lambda: edit.clear_cells(trained, open_[:2], "lasso"),
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
    colours.colouring(project, "louvain")
    assert len(before.kept)
    source = before.dataset.manifest["source"]["path"]
    after = open_file.import_into(before.project, workspace.Path(source))
    assert after is workspace.workspace(project) is not before
    assert not len(after.kept)


def test_open_projects_are_bounded_and_come_back(home, imported, monkeypatch):
    monkeypatch.setattr(workspace, "OPEN_PROJECTS", 2)
    workspace._open.clear()
    projects = [copy_of(imported) for _ in range(3)]
    edit.name_cells(projects[0], np.array([5]), "Mine", "lasso")
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
