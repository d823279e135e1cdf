"""The time a training takes: measured by a short run, and said to be longer on a busy machine."""

import threading
import time

import pytest

from scanvi_core import runtime
from scanvi_core.config import TrainConfig
from scanvi_core.services import jobs
from scanvi_core.services.labels import edit
from scanvi_core.services.runs.train_request import PACE, TrainRequest
from scanvi_core.services.training import estimate, pace
from scanvi_core.services.training.estimate import Pace
from scanvi_core.services.workspace import workspace
from tests.projects import SMALL, copy_of, train_now

REQUEST = TrainRequest(SMALL, TrainConfig(preset="quick", device="cpu"))
WAIT_S = 120


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
    assert pace.rest(opened.project, 700, 99.0) == pytest.approx(after)  # known from this run now


def test_another_preset_needs_no_second_measurement(opened):
    opened.cache.put(estimate._key(opened, REQUEST), Pace(0.1, 1.0, 1.0))
    thorough = TrainRequest(SMALL, TrainConfig(preset="thorough", device="cpu"))
    estimate.begin(opened, thorough)
    assert not jobs.active(opened.id, PACE)
    assert estimate.words(opened, REQUEST, 700).startswith("About 38 s, as measured")
    assert estimate.words(opened, thorough, 700).startswith("About 68 s")


def test_a_busy_computer_is_called_busy(opened):
    opened.cache.put(estimate._key(opened, REQUEST), Pace(0.3, 3.0, 3.0))
    said = estimate.words(opened, REQUEST, 700)
    assert "busy with other programs" in said and "about 38 s" in said


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


def _work(seconds):
    """Work for so many seconds of this thread's processor time."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def _spin(until):
    while not until.is_set():
        pass
