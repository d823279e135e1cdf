"""Project folders and run folders."""

import json
import subprocess
import sys
import threading
from dataclasses import dataclass

import numpy as np
import pytest

from scanvi_core.errors import ProjectError, SettingInvalid
from scanvi_core.project import files as project_files
from scanvi_core.project import locks
from scanvi_core.project.folder import create_project, list_projects, open_project
from scanvi_core.project.runs import Run, status_seen
from tests.project.run_settings import settings


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("SCANVI_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def project():
    return create_project("PBMC")


@pytest.fixture
def run(project):
    return Run.create(project, settings())


def test_a_project_is_found_again_by_its_id(project):
    again = open_project(project.id)
    assert (again, again.name) == (project, "PBMC")
    assert project.root.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("bad", ["..", "../../etc/passwd", "", "a" * 16, "a/b" + "c" * 13, "x\0"])
def test_what_is_no_id_opens_nothing(project, bad):
    with pytest.raises(ProjectError, match="no project"):
        open_project(bad)


def test_a_project_needs_a_name():
    with pytest.raises(SettingInvalid):
        create_project("  ")


def test_projects_are_listed_with_the_one_changed_last_first(home):
    assert list_projects() == []
    first, second = create_project("1"), create_project("2")
    (home / "projects" / "something else").mkdir()
    assert set(list_projects()) == {first, second}
    first.update_settings(batch_key="donor")
    assert list_projects()[0] == first


def test_settings_keep_what_is_not_changed(project):
    project.update_settings(batch_key="donor", labels_key="type")
    project.update_settings(labels_key=None)
    settings = open_project(project.id).settings
    assert (settings["name"], settings["batch_key"], settings["labels_key"]) == (
        "PBMC", "donor", None,
    )  # fmt: skip


def test_settings_changed_by_many_threads_are_all_kept(project):
    threads = [
        threading.Thread(target=project.update_settings, kwargs={f"key{i}": i}) for i in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [project.settings[f"key{i}"] for i in range(8)] == list(range(8))


def test_damaged_settings_are_an_error_in_words(project):
    (project.root / "settings.json").write_text("{")
    with pytest.raises(ProjectError, match=r"settings\.json"):
        _ = project.settings


def test_a_write_that_fails_leaves_the_old_file_whole(project, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(project_files.Path, "write_text", full)
    with pytest.raises(ProjectError, match="No space left"):
        project.update_settings(batch_key="donor")
    assert project.settings["name"] == "PBMC"


def test_runs_count_up_and_keep_their_settings(project, run):
    second = Run.create(project, settings(seed=3))
    assert [r.id for r in Run.list(project)] == ["0001", "0002"]
    assert Run.open(project, "0001").settings == settings()
    assert second.settings == settings(seed=3)


@pytest.mark.parametrize("bad", ["0009", "..", "../0001", ""])
def test_a_run_that_is_not_there_is_refused(project, run, bad):
    with pytest.raises(ProjectError, match="no run"):
        Run.open(project, bad)


def test_records_come_back_in_order_from_mappings_and_dataclasses(run):
    @dataclass(frozen=True)
    class Epoch:
        epoch: int
        loss: float

    assert run.records() == ()
    run.append_record(Epoch(0, 1.5))
    run.append_record({"epoch": 1, "loss": np.float32(0.5)})
    assert run.records() == ({"epoch": 0, "loss": 1.5}, {"epoch": 1, "loss": 0.5})


def test_a_line_cut_short_by_a_crash_spoils_no_other(run):
    run.append_record({"epoch": 0})
    with run.paths.records.open("a") as file:
        file.write('{"epoch": 1, "lo')
    run.append_record({"epoch": 2})
    assert [record["epoch"] for record in run.records()] == [0, 2]


@pytest.mark.parametrize(
    "array", [np.eye(3, dtype=np.float32), np.array(["a", "bc"]), np.empty((0, 2))]
)
def test_arrays_come_back_mapped_and_read_only(run, array):
    run.write_array("latent", array)
    again = run.array("latent")
    assert again.dtype == array.dtype
    assert np.array_equal(again, array)
    assert not again.flags.writeable
    assert run.has_array("latent")


def test_an_array_is_replaced_whole_while_the_old_one_is_open(run):
    run.write_array("umap", np.zeros(4))
    old = run.array("umap")
    run.write_array("umap", np.ones(4))
    assert (old.tolist(), run.array("umap").tolist()) == ([0.0] * 4, [1.0] * 4)
    assert [path.name for path in run.root.glob(".*")] == []


@pytest.mark.parametrize("name", ["../x", "A", "", "a.b"])
def test_odd_names_of_arrays_are_refused(run, name):
    with pytest.raises(ProjectError):
        run.write_array(name, np.zeros(1))


def test_objects_are_neither_written_nor_read(run):
    with pytest.raises(ProjectError, match="Python objects"):
        run.write_array("odd", np.array([{}]))
    np.save(run.root / "odd.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(ProjectError, match="no readable result"):
        run.array("odd")


def test_the_summary_is_empty_until_written(run):
    assert run.summary == {}
    run.write_summary({"accuracy": np.float64(0.5), "labels": ("B",)})
    assert run.summary == {"accuracy": 0.5, "labels": ["B"]}


def test_a_run_left_running_by_a_process_that_is_gone_was_interrupted(run):
    assert run.status.status == "queued"
    run.set_status("running", "epoch 3")
    assert status_seen(run).message == "epoch 3"
    status = json.loads(run.paths.status.read_text())
    for gone in ("", "elsewhere 1:0.00", status["process"] + "9", "no mark at all"):
        run.paths.status.write_text(json.dumps(status | {"process": gone}))
        assert status_seen(run).status == "interrupted", gone
    run.set_status("done")
    assert status_seen(run).status == "done"


def test_another_process_is_told_from_one_that_is_gone():
    with subprocess.Popen(["sleep", "60"]) as other:
        mark = locks._mark(other.pid)
        assert locks.lives(mark) and mark != locks.own_mark()
        other.kill()
    assert not locks.lives(mark)


def test_arrays_filled_on_the_disk_are_saved_at_the_end_or_not_at_all(run):
    with run.new_arrays({"first": (3, 2), "second": (3, 1)}) as files:
        files["first"][:] = 7
        assert not run.has_array("first")
        files.clear()
    assert run.array("first").tolist() == [[7, 7]] * 3 and run.array("first").dtype == np.float32
    assert run.array("second").shape == (3, 1)
    with pytest.raises(ZeroDivisionError), run.new_arrays({"first": (3, 2)}) as files:
        files["first"][:] = 1 / 0
    assert run.array("first").tolist() == [[7, 7]] * 3
    assert not list(run.root.glob(".first*"))


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits of POSIX")
def test_no_room_for_an_array_is_said_before_it_is_filled(run):
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(ProjectError, match="first"), run.new_arrays({"first": (10_000, 2)}):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(run.root.glob("*first*"))
