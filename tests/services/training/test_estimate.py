"""The time a training takes: measured by a short run, and said to be longer on a busy machine."""

import threading
import time

import pytest

from scanvi_core import runtime
from scanvi_core.config import TrainConfig
from scanvi_core.services import jobs
from scanvi_core.services.foreground import ForegroundJob
from scanvi_core.services.labels import edit
from scanvi_core.services.runs.train_request import PACE, TrainRequest
from scanvi_core.services.training import estimate, in_process, pace, trainer
from scanvi_core.services.training.estimate import Pace
from scanvi_core.services.training.pace import Clock
from scanvi_core.services.workspace import workspace
from tests.projects import SMALL, copy_of, train_now

REQUEST = TrainRequest(SMALL, TrainConfig(preset="quick", device="cpu"))
WAIT_S = 120
STEP_S = pace.usual_step_s(765, REQUEST.train)  # of the genes of the example


@pytest.fixture
def opened(imported, tmp_path, monkeypatch):
    """A labeled project in a home of its own."""
    monkeypatch.setenv(runtime.HOME_VARIABLE, str(tmp_path))
    opened = workspace(copy_of(imported))
    edit.use_column(opened, "cell_type", set())
    return opened


def test_a_short_run_tells_how_long_the_whole_takes(opened):
    assert estimate.words(opened, REQUEST, 700) == ""
    estimate.begin(opened, REQUEST)
    assert "Measuring" in estimate.words(opened, REQUEST, 700)
    (job,) = jobs.active(opened.id, PACE)
    jobs.wait(job.id, WAIT_S)
    measured = estimate.known(opened, REQUEST)
    assert measured is not None
    assert "About" in estimate.words(opened, REQUEST, 700)
    began = time.monotonic()
    train_now(opened.id, REQUEST)
    loop = opened.current_run().summary["loop_seconds"]
    told = REQUEST.train.n_steps(700) * measured.step_s
    assert told / 4 < loop < told * 4 and loop < time.monotonic() - began  # noisy machines
    after = opened.current_run().summary["total_seconds"] - loop
    known = pace.rest(opened.project, 700, 99.0)  # from this run now
    assert known.at(known.step_s) == pytest.approx(after)
    assert known.at(3 * known.step_s) == pytest.approx(3 * after)  # slower, as the steps are


def test_another_preset_needs_no_second_measurement(opened):
    opened.cache.put(estimate._key(opened, REQUEST), Pace(STEP_S, 1.0))
    thorough = TrainRequest(SMALL, TrainConfig(preset="thorough", device="cpu"))
    estimate.begin(opened, thorough)
    assert not jobs.active(opened.id, PACE)
    assert estimate.words(opened, REQUEST, 700).startswith("About 11 s, as measured")
    assert estimate.words(opened, thorough, 700).startswith("About 18 s")


def test_a_busy_computer_is_called_busy(opened):
    opened.cache.put(estimate._key(opened, REQUEST), Pace(3 * STEP_S, 3.0))
    said = estimate.words(opened, REQUEST, 700)
    assert said.startswith("About 34 s: this computer is busy") and "about 11 s" in said


def test_a_thread_that_waits_for_the_processor_sees_it():
    go_on = threading.Event()
    rivals = [threading.Thread(target=_spin, args=(go_on,)) for _ in range(4)]
    start = pace.Clock()
    _work(0.1)
    alone = start.waiting(pace.Clock())
    for rival in rivals:
        rival.start()
    start = pace.Clock()
    _work(0.1)
    beside = start.waiting(pace.Clock())
    go_on.set()
    assert beside > pace.BUSY > 1.0 and beside > alone


def test_the_latest_steps_tell_the_pace_and_slow_ones_are_called_busy(monkeypatch):
    steps, now = pace.Steps(), {"wall": 0.0, "worked": 0.0}
    monkeypatch.setattr(pace, "Clock", lambda: Clock(**now))
    assert steps.step_s is None and not steps.is_busy
    for step in range(50):
        steps.reached(step)
        now = {"wall": now["wall"] + 0.5, "worked": now["worked"] + 0.45}
    assert steps.step_s == pytest.approx(0.5) and not steps.is_busy
    for step in range(50, 60):  # others take most of the processor
        steps.reached(step)
        now = {"wall": now["wall"] + 5.0, "worked": now["worked"] + 0.45}
    assert steps.step_s == pytest.approx(5.0) and steps.is_busy


def test_the_time_left_is_told_between_epochs_too(opened, monkeypatch):
    said = []
    monkeypatch.setattr(trainer, "TELL_EVERY_S", 0.0)
    job = ForegroundJob(opened.id, lambda fraction, message: said.append((fraction, message)))
    job.tells_time = True  # as jobs of the app
    in_process.train(opened, REQUEST, job)
    told = [fraction for fraction, message in said if " left" in message]
    assert len(set(told)) > 2 * len(job._now.records) and told == sorted(told)
    assert any("quick models, about" in message for _, message in said)  # after the last step


def _work(seconds):
    """Work for so many seconds of this thread's processor time."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def _spin(until):
    while not until.is_set():
        pass
