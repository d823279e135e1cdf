"""Background jobs: lanes, stopping, failing, and snapshots that never change."""

import dataclasses
import functools
import gc
import subprocess
import sys
import threading
import weakref

import numpy as np
import pytest

from scanvi_core.errors import (
    JobRefused,
    LabelsUnusable,
    ProjectError,
)
from scanvi_core.services import jobs
from scanvi_core.services.jobs import JobRequest, JobStatus
from tests import ROOT

WAIT_S = 60.0


@pytest.fixture(autouse=True)
def clean_home(tmp_path, monkeypatch):
    monkeypatch.setenv("SCANVI_HOME", str(tmp_path))
    yield
    assert jobs.shutdown(WAIT_S), "a test left a job running"


class Gate:
    """Work that waits until the test opens it, or until it is asked to stop."""

    def __init__(self):
        self.entered, self.opened = threading.Event(), threading.Event()

    def __call__(self, job):
        self.entered.set()
        while not self.opened.wait(0.01):
            if job.should_stop():
                return "early"
        return "all"


def submit(work, *, kind="train", lane="cpu", project="p"):
    return jobs.submit(JobRequest(project, kind, lane, work))


def test_a_job_reports_and_ends_with_its_result():
    def work(job):
        job.report(0.5, "half")
        job.report(0.7)
        job.add_record({"loss": 1.0})
        return 42

    seen = jobs.wait(submit(work), WAIT_S)
    assert (seen.status, seen.result, seen.fraction) == (JobStatus.DONE, 42, 1.0)
    assert (seen.message, [dict(r) for r in seen.records]) == ("half", [{"loss": 1.0}])
    assert seen.started_at <= seen.finished_at


def test_progress_stays_between_0_and_1():
    seen = []

    def work(job):
        for fraction in (-1, 7):
            job.report(fraction)
            seen.append(jobs.snapshot(job.id).fraction)

    jobs.wait(submit(work), WAIT_S)
    assert seen == [0.0, 1.0]


def test_a_stopped_job_keeps_what_it_returns():
    gate = Gate()
    job_id = submit(gate)
    assert gate.entered.wait(WAIT_S)
    jobs.stop(job_id)
    assert jobs.snapshot(job_id).stopping or jobs.snapshot(job_id).status.final
    seen = jobs.wait(job_id, WAIT_S)
    assert (seen.status, seen.result, seen.stopping) == (JobStatus.STOPPED, "early", False)


def test_a_queued_job_that_is_stopped_never_starts():
    first, second = Gate(), Gate()
    first_id, second_id = submit(first), submit(second, project="q")
    jobs.stop(second_id)
    assert jobs.snapshot(second_id).status is JobStatus.STOPPED
    first.opened.set()
    jobs.wait(first_id, WAIT_S)
    third = jobs.wait(submit(lambda _: 3), WAIT_S)
    assert third.result == 3
    assert not second.entered.is_set()


def test_stopping_a_job_that_ended_changes_nothing():
    job_id = submit(lambda _: 1)
    before = jobs.wait(job_id, WAIT_S)
    jobs.stop(job_id)
    assert jobs.snapshot(job_id) == before


def test_an_error_for_users_is_passed_on_in_its_words():
    def work(job):
        raise LabelsUnusable("Only one label.", "Choose another column.")

    seen = jobs.wait(submit(work), WAIT_S)
    assert seen.status is JobStatus.FAILED
    assert seen.error == ("Only one label.", "Choose another column.")


@pytest.mark.parametrize(
    "failure", [ZeroDivisionError("secret"), SystemExit(3), OSError(5, "secret of a library")]
)
def test_an_unforeseen_error_becomes_a_sentence_and_a_log_file(failure, tmp_path):
    def work(job):
        raise failure

    job_id = submit(work)
    seen = jobs.wait(job_id, WAIT_S)
    log = tmp_path / "logs" / f"{job_id}.log"
    assert seen.status is JobStatus.FAILED
    assert str(log) in seen.error[1]
    said = " ".join(seen.error)
    assert not any(word in said for word in ("Traceback", "secret", type(failure).__name__))
    assert type(failure).__name__ in log.read_text()


def test_memory_running_out_is_said_as_such():
    def work(job):
        raise MemoryError

    assert jobs.wait(submit(work), WAIT_S).error[0] == "The machine ran out of memory."


def test_a_job_fails_in_words_even_when_the_log_cannot_be_written(tmp_path):
    (tmp_path / "logs").write_text("a file where the folder should be")
    seen = jobs.wait(submit(lambda _: 1 / 0), WAIT_S)
    assert (seen.status, "division by zero" in seen.error[1]) == (JobStatus.FAILED, True)


def test_a_lane_goes_on_after_a_failure():
    jobs.wait(submit(lambda _: 1 / 0), WAIT_S)
    assert jobs.wait(submit(lambda _: 2), WAIT_S).result == 2


def test_jobs_of_one_lane_wait_in_sight_for_each_other():
    order = []
    gates = [Gate() for _ in range(3)]
    ids = [
        submit(lambda job, i=i, gate=gate: (order.append(i), gate(job)), project=f"p{i}")
        for i, gate in enumerate(gates)
    ]
    assert gates[0].entered.wait(WAIT_S)
    statuses = [jobs.snapshot(job_id).status for job_id in ids]
    assert statuses == [JobStatus.RUNNING, JobStatus.QUEUED, JobStatus.QUEUED]
    for gate in gates:
        gate.opened.set()
    for job_id in ids:
        jobs.wait(job_id, WAIT_S)
    assert order == [0, 1, 2]


def test_lanes_run_side_by_side():
    gate = Gate()
    waiting = submit(gate, lane="cpu")
    assert jobs.wait(submit(lambda _: 1, kind="read", lane="io"), WAIT_S).result == 1
    gate.opened.set()
    jobs.wait(waiting, WAIT_S)


def test_a_second_active_job_of_a_kind_is_refused_for_the_project_only():
    gate = Gate()
    first = submit(gate)
    with pytest.raises(JobRefused):
        submit(gate, lane="other")
    others = [submit(lambda _: 1, kind="export"), submit(lambda _: 1, project="q")]
    gate.opened.set()
    for job_id in (first, *others):
        jobs.wait(job_id, WAIT_S)
    assert jobs.wait(submit(lambda _: 5), WAIT_S).result == 5


def test_of_many_submitting_at_once_one_gets_through():
    gate, ids, refused = Gate(), [], []
    start = threading.Barrier(8)

    def press():
        start.wait()
        try:
            ids.append(submit(gate))
        except JobRefused as error:
            refused.append(error)

    threads = [threading.Thread(target=press) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gate.opened.set()
    jobs.wait(ids[0], WAIT_S)
    assert (len(ids), len(refused)) == (1, 7)


def test_active_jobs_are_those_of_project_and_kind():
    gate = Gate()
    job_id = submit(gate)
    assert [job.id for job in jobs.active("p", "train")] == [job_id]
    assert jobs.active("p", "export") == jobs.active("q") == []
    gate.opened.set()
    jobs.wait(job_id, WAIT_S)
    assert jobs.active("p") == []
    assert jobs.list_jobs("p")[-1].id == job_id


def test_a_snapshot_never_changes():
    gate = Gate()
    given, array = {"loss": 1.0}, np.zeros(3)

    def work(job):
        job.add_record(given)
        job.set_preview("map", array)
        given["loss"], array[:] = 2.0, 9.0
        gate(job)
        job.add_record({"loss": 3.0})
        job.set_preview("map", array)

    job_id = submit(work)
    assert gate.entered.wait(WAIT_S)
    early = jobs.snapshot(job_id)
    gate.opened.set()
    late = jobs.wait(job_id, WAIT_S)
    assert [record["loss"] for record in early.records] == [1.0]
    assert (early.previews["map"][0], early.previews["map"][1].tolist()) == (1, [0.0] * 3)
    assert late.previews["map"][0] == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        early.fraction = 1.0
    with pytest.raises(TypeError):
        early.previews["map"] = 1
    with pytest.raises(TypeError):
        early.records[0]["loss"] = 0
    with pytest.raises(ValueError, match="read-only"):
        early.previews["map"][1][0] = 1


def test_the_version_grows_with_each_change_and_can_be_waited_for():
    gate = Gate()

    def work(job):
        gate(job)
        job.report(0.1)
        job.add_record({})
        job.set_preview("a", 1)

    job_id = submit(work)
    assert gate.entered.wait(WAIT_S)
    before = jobs.snapshot(job_id).version
    assert jobs.wait(job_id, 0.01, newer_than=before).version == before
    gate.opened.set()
    assert jobs.wait(job_id, WAIT_S, newer_than=before).version > before
    assert jobs.wait(job_id, WAIT_S).version == before + 4  # three changes and the end


def test_finished_jobs_are_kept_up_to_a_number(monkeypatch):
    monkeypatch.setattr(jobs, "KEPT_PER_PROJECT", 3)
    ids = []
    for i in range(6):
        ids.append(submit(lambda _, i=i: i, project="many"))
        jobs.wait(ids[-1], WAIT_S)
    kept = [job.id for job in jobs.list_jobs("many")]
    assert kept == ids[-len(kept) :]
    assert len(kept) == 4  # three and the one submitted last
    with pytest.raises(ProjectError):
        jobs.snapshot(ids[0])


def test_what_the_work_held_is_let_go_when_it_ends():
    class Data:
        pass

    data = Data()
    held = weakref.ref(data)
    jobs.wait(submit(functools.partial(lambda _data, _: None, data)), WAIT_S)
    del data
    jobs.wait(submit(lambda _: None), WAIT_S)  # the lane is past the first job
    gc.collect()
    assert held() is None


def test_shutdown_stops_the_running_and_the_queued():
    first, second = Gate(), Gate()
    ids = [submit(first), submit(second, project="q")]
    assert first.entered.wait(WAIT_S)
    assert jobs.shutdown(WAIT_S)
    assert {jobs.snapshot(job_id).status for job_id in ids} == {JobStatus.STOPPED}
    assert not second.entered.is_set()
    assert jobs.wait(submit(lambda _: "again"), WAIT_S).result == "again"


def test_shutdown_does_not_wait_for_ever():
    entered, release = threading.Event(), threading.Event()
    submit(lambda _: (entered.set(), release.wait(WAIT_S)))
    assert entered.wait(WAIT_S)
    assert not jobs.shutdown(0.05)
    release.set()
    for thread in threading.enumerate():
        if thread.name == "lane cpu":
            thread.join(WAIT_S)


def test_leaving_the_program_stops_its_jobs_and_loads_no_heavy_library():
    script = """
import sys, threading
import scanvi_core.project
from scanvi_core.services import jobs
entered = threading.Event()
def work(job):
    entered.set()
    while not job.should_stop():
        threading.Event().wait(0.01)
    print("stopped in order", flush=True)
jobs.submit(jobs.JobRequest("p", "train", "cpu", work))
entered.wait()
print(sorted({"torch", "scanpy", "anndata", "sklearn", "umap"} & set(sys.modules)))
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout.split("\n")[:2]) == (0, ["[]", "stopped in order"])


def test_a_step_ends_the_work_of_a_job_that_was_stopped():
    reached, go_on = threading.Event(), threading.Event()

    def work(job):
        job.step(0.1, "begun")
        reached.set()
        go_on.wait(30)
        job.step(0.5, "never said")

    job = jobs.submit(JobRequest("steps", "step", "steps", work))
    assert reached.wait(30)
    jobs.stop(job)
    go_on.set()
    ended = jobs.wait(job, 30)
    assert (ended.status, ended.error, ended.message) == (JobStatus.STOPPED, None, "begun")
