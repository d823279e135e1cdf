"""Projects on a server with sign-in: who finds, sees, changes, shares and takes them along."""

import io
import json
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest

from scanvi_core import runtime
from scanvi_core.errors import FileRefused, ProjectError, ReadOnly, SettingInvalid, TooOften
from scanvi_core.project import access
from scanvi_core.project.access import Access, Person
from scanvi_core.project.folder import Project, open_project
from scanvi_core.services import jobs, paths, request_limits, workspace
from scanvi_core.services.diagnostics import uncertainty_job
from scanvi_core.services.export import write as export_write
from scanvi_core.services.export.write import ExportChoice
from scanvi_core.services.labels import edit, from_project, history, holdout, type_table
from scanvi_core.services.projects import library, open_file, sharing, status
from scanvi_core.services.quality import chosen_limits
from scanvi_core.services.runs import model_in_use, train_request
from scanvi_core.services.training import distributed, resume, start

ANNA, BOB, CARL = "anna@lab.example", "bob@lab.example", "carl@lab.example"


@pytest.fixture
def asks(monkeypatch):
    """Let somebody ask from now on: ``asks(name)``; None: the program."""

    def begin(name, *, is_admin=False):
        person = None if name is None else Person(name, is_admin=is_admin)
        monkeypatch.setattr(access, "_ask", lambda: person)

    return begin


@pytest.fixture
def shared(trained, asks):
    """A project of Anna's with a model, which Bob may see; Bob asks."""
    access.keep(open_project(trained).root, Access(ANNA, people={BOB: sharing.READ}))
    asks(BOB)
    return trained


def offered():
    """Return the projects whose labels are offered to a project of another name."""
    return from_project.candidates(SimpleNamespace(id="other"))  # of it, the id alone is asked


def found():
    away = library.listing(archived=True)
    return {item.id for item in [*library.listing(), *away]}


def opened_by(call):
    """Return a call by id of what takes the opened data set."""
    return lambda project: call(workspace.workspace(project))


READS = [
    open_project, workspace.workspace, workspace.is_ready, status.of, jobs.list_jobs,
    jobs.active, opened_by(type_table.label_table), library.saved_file, library.save,
    library.duplicate, library.start_saving, opened_by(export_write.exported_files),
    opened_by(resume.cut_off), opened_by(distributed.awaited), opened_by(history.table),
    sharing.sharing_of,
    lambda p: export_write.exported_file(workspace.workspace(p), "cells.h5ad"),
]  # fmt: skip


def test_to_others_a_project_is_not_there(trained, asks):
    access.keep(open_project(trained).root, Access(ANNA, people={BOB: sharing.READ}))
    workspace.workspace(trained)  # open already, by another tab
    asks(CARL)
    for read in READS:
        with pytest.raises(ProjectError, match="There is no project"):
            read(trained)
    assert trained not in found() and not workspace.exists(trained)
    assert trained not in offered()


def test_who_may_look_finds_it_and_sees_everything(shared):
    assert shared in found() and shared in offered()
    assert type_table.label_table(workspace.workspace(shared))["labeled"].sum() > 0
    assert status.pages_done(shared) >= {"check", "labels", "train"}
    assert BOB not in edit.read_only(workspace.workspace(shared)) and ANNA in edit.read_only(
        workspace.workspace(shared)
    )


ROW = np.array([1])
WRITES = [
    lambda p: edit.name_cells(workspace.workspace(p), ROW, "T", "lasso"),
    opened_by(edit.undo),
    opened_by(edit.redo),
    lambda p: edit.use_column(workspace.workspace(p), "cell_type", set()),
    lambda p: edit.recolor(workspace.workspace(p), "Dendritic", "#4477aa"),
    lambda p: history.go_back_to(workspace.workspace(p), 0),
    lambda p: history.import_log(
        workspace.workspace(p), history.export_log(workspace.workspace(p))
    ),
    lambda p: holdout.set_aside(workspace.workspace(p), holdout.HoldoutRequest()),
    lambda p: workspace.set_batch_key(workspace.workspace(p), None),
    lambda p: library.rename(p, "Mine"),
    library.archive,
    lambda p: chosen_limits.save(
        workspace.workspace(p), chosen_limits.saved(workspace.workspace(p), None)
    ),
    lambda p: start.start(workspace.workspace(p), train_request.TrainRequest()),
    lambda p: resume.resume(workspace.workspace(p), open_project(p).settings["current_run"]),
    lambda p: resume.leave(workspace.workspace(p), open_project(p).settings["current_run"]),
    opened_by(model_in_use.keep),
    lambda p: export_write.start(workspace.workspace(p), ExportChoice()),
    lambda p: workspace.workspace(p).store.fill([]),
    lambda p: workspace.workspace(p).store.merge([]),
    lambda p: open_file.submit_import(open_project(p), lambda _: None),
    lambda p: open_project(p, to_change=True),
    lambda p: jobs.submit(jobs.JobRequest(p, "any", "test", lambda _: None)),
]


def contents(project):
    files = (path for path in open_project(project).root.rglob("*") if path.is_file())
    return {path: path.read_bytes() for path in files if path.name != "in-use"}


def test_who_may_look_changes_nothing(shared):
    workspace.workspace(shared)
    before = contents(shared)
    for write in WRITES:
        with pytest.raises(ReadOnly):
            write(shared)
    assert contents(shared) == before
    assert not jobs.active(shared)


def test_the_refusal_says_whom_to_ask_and_what_else_there_is(shared):
    with pytest.raises(ReadOnly) as caught:
        edit.name_cells(workspace.workspace(shared), ROW, "T", "lasso")
    assert "Nothing was changed" in caught.value.message
    assert ANNA in caught.value.hint and "copy" in caught.value.hint


def test_a_job_is_seen_by_those_who_see_the_project_and_stopped_by_those_who_change_it(
    shared, asks
):
    asks(ANNA)
    at_work = jobs.submit(
        jobs.JobRequest(
            shared, "long", "test", lambda job: [None for _ in iter(job.should_stop, True)]
        )
    )
    asks(CARL)
    for ask in (jobs.snapshot, jobs.stop, jobs.wait):
        with pytest.raises(ProjectError, match="There is no project"):
            ask(at_work)
    asks(BOB)
    assert jobs.snapshot(at_work).kind == "long"
    with pytest.raises(ReadOnly):
        jobs.stop(at_work)
    asks(ANNA)
    jobs.stop(at_work)
    assert jobs.wait(at_work, 30).status is jobs.JobStatus.STOPPED


def test_what_pages_work_out_for_themselves_is_worked_out_for_who_may_look(shared):
    uncertainty_job.begin(workspace.workspace(shared))
    [job] = jobs.list_jobs(shared)
    jobs.stop(job.id)
    assert jobs.wait(job.id, 60).error is None


def test_who_may_change_it_does_and_is_not_its_owner(shared, asks):
    asks(ANNA)
    sharing.share(shared, "", {BOB: sharing.WRITE})
    asks(BOB)
    edit.name_cells(workspace.workspace(shared), ROW, "T", "lasso")
    library.rename(shared, "Ours")
    assert not edit.read_only(workspace.workspace(shared))
    for action in (
        lambda: sharing.share(shared, sharing.WRITE, {}),
        lambda: sharing.give(shared, BOB),
    ):
        with pytest.raises(ProjectError, match="Only its owner"):
            action()
    assert access.access_of(open_project(shared).root).owner == ANNA


def test_a_job_may_do_what_who_asked_for_it_may(shared, asks):
    asks(ANNA)
    sharing.share(shared, "", {BOB: sharing.WRITE})
    asks(BOB)
    seen = []

    def work(job):
        seen.append(access.asking())
        open_project(shared).update_settings(name="By the job")
        access.keep(open_project(shared).root, Access(ANNA))
        open_project(shared)

    done = jobs.wait(jobs.submit(jobs.JobRequest(shared, "any", "test", work)), 30)
    asks(ANNA)
    assert seen == [Person(BOB)] and open_project(shared).name == "By the job"
    assert done.error is not None and "There is no project" in done.error[0]


def test_nobody_opens_projects_by_their_path(shared, asks, home, tmp_path, monkeypatch):
    monkeypatch.setenv(runtime.DATA_ROOT_VARIABLE, str(tmp_path.parent))
    inside = open_project(shared).root / "source" / "secret.csv"
    inside.parent.mkdir(exist_ok=True)
    inside.write_text("x")
    (tmp_path / "link.csv").symlink_to(inside)
    (tmp_path / "mine.csv").write_text("x")
    for path in (inside, inside.parent, home, tmp_path, tmp_path / "link.csv"):
        with pytest.raises(FileRefused, match="where projects are kept"):
            open_file.allowed_path(str(path), folders=True)
    assert open_file.allowed_path(str(tmp_path / "mine.csv")).name == "mine.csv"
    asks(None)
    assert open_file.allowed_path(str(inside)) == inside.resolve()


def test_what_was_shared_can_be_taken_back_at_once(shared, asks):
    opened = workspace.workspace(shared)
    asks(ANNA)
    sharing.share(shared, "", {})
    asks(BOB)
    assert shared not in found()
    with pytest.raises(ProjectError, match="There is no project"):
        workspace.workspace(shared)
    with pytest.raises(ReadOnly):
        opened.store.undo()


def test_a_copy_and_an_unpacked_project_belong_to_who_made_them(shared, asks):
    copy = library.duplicate(shared)
    packed = library.save(shared).read_bytes()
    assert access.FILE not in {
        n.rpartition("/")[2] for n in zipfile.ZipFile(io.BytesIO(packed)).namelist()
    }
    arrived = library.take_in(io.BytesIO(packed))
    for project in (copy, arrived):
        assert access.access_of(open_project(project).root) == Access(BOB)
        edit.name_cells(workspace.workspace(project), ROW, "T", "lasso")
    asks(ANNA)
    assert not {copy, arrived} & found()


def test_no_owner_comes_with_a_packed_project(shared, asks):
    packed, forged = io.BytesIO(library.save(shared).read_bytes()), io.BytesIO()
    rules = {"owner": CARL, "everyone": "write", "people": {CARL: "write"}}
    with zipfile.ZipFile(packed) as old, zipfile.ZipFile(forged, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "settings.json":
                data = json.dumps(json.loads(data) | rules).encode()
            new.writestr(name, data)
    forged.seek(0)
    try:
        arrived = library.take_in(forged)
    except ProjectError:
        return
    assert access.access_of(open_project(arrived).root) == Access(BOB)
    with zipfile.ZipFile(forged, "a") as more:
        more.writestr(access.FILE, json.dumps(rules))
    with pytest.raises(Exception, match="no project file"):
        library.take_in(forged)


def test_administrators_see_all_and_may_give_away_what_belongs_to_nobody(trained, asks):
    asks(BOB)
    assert trained not in found()
    asks("root@lab.example", is_admin=True)
    assert trained in found()
    sharing.give(trained, "Bob@Lab.example")
    asks(BOB)
    assert sharing.sharing_of(trained).is_mine


def test_an_owner_may_give_a_project_away_and_can_still_change_it(shared, asks):
    asks(ANNA)
    sharing.give(shared, BOB)
    edit.name_cells(workspace.workspace(shared), ROW, "T", "lasso")
    asks(BOB)
    seen = sharing.sharing_of(shared)
    assert seen.is_mine and seen.access.people == {ANNA: sharing.WRITE}


@pytest.mark.parametrize(
    ("everyone", "people"),
    [("own", {}), ("", {BOB: "own"}), ("", {BOB: ""}), ("", {"bob": "read"}), ("", {"": "read"}),
     ("", {"bob@lab.example carl@lab.example": "read"}), ("", {"b\u043eb@lab.example": "read"})],
)  # fmt: skip
def test_only_addresses_are_shared_with_and_only_to_read_or_write(shared, asks, everyone, people):
    asks(ANNA)
    with pytest.raises(SettingInvalid):
        sharing.share(shared, everyone, people)
    assert access.access_of(open_project(shared).root) == Access(ANNA, people={BOB: "read"})


def test_names_are_read_as_people_write_them():
    assert sharing.names_in(" a@b.c,\nd@e.f; g@h.i\t") == ["a@b.c", "d@e.f", "g@h.i"]


def test_new_projects_are_counted_per_person(home, asks, monkeypatch):
    monkeypatch.setitem(
        request_limits._buckets, request_limits.PROJECT, request_limits.Buckets(2, 100.0)
    )
    monkeypatch.setattr(open_file, "TWICE_S", -1.0)  # each click is a wish of its own
    asks(BOB)
    for _ in range(2):
        open_file.open_example()
    with pytest.raises(TooOften, match="Try again in"):
        open_file.open_example()
    asks(ANNA)
    open_file.open_example()


def test_where_nobody_signs_in_nothing_is_asked_or_counted(labeled, monkeypatch):
    monkeypatch.setitem(
        request_limits._buckets, request_limits.PROJECT, request_limits.Buckets(0, 100.0)
    )
    assert sharing.sharing_of(labeled) is None and sharing.may_change(labeled)
    assert not (open_project(library.duplicate(labeled)).root / access.FILE).exists()
    with pytest.raises(ProjectError, match="Nobody signs in"):
        sharing.share(labeled, "read", {})


def test_a_path_in_a_pack_reaches_no_project_of_somebody_else(
    trained, asks, tmp_path, monkeypatch
):
    theirs = open_project(trained).db
    monkeypatch.setenv(runtime.DATA_ROOT_VARIABLE, str(tmp_path))  # the home lies below it
    asks(CARL)
    with pytest.raises(FileRefused, match="is where projects are kept"):
        paths.stored_path(Project("mine", tmp_path / "mine"), str(theirs))
