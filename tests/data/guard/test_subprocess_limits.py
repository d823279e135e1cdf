"""A child process is ended when it is asked to stop."""

import os
import sys
import threading

from scanvi_core.data.guard import subprocess_limits
from scanvi_core.data.guard.subprocess_limits import Talk, run_watched


def watched(code, talk):
    limits = {"timeout_s": 30.0, "memory_mb": 4_000.0}
    return run_watched([sys.executable, "-c", code], b"", os.environ, **limits, talk=talk)


def test_a_child_that_is_asked_to_stop_is_ended():
    ended = watched("import time; time.sleep(100)", Talk(should_stop=lambda: True))
    assert ended.stopped and not ended.timed_out


def test_a_child_that_ends_before_anyone_looks_counts_as_stopped(monkeypatch):
    monkeypatch.setattr("scanvi_core.data.guard.subprocess_limits.POLL_SECONDS", 1.0)
    lines = []
    ended = watched("print('here')", Talk(lines.append, lambda: bool(lines)))
    assert ended.stopped and lines == [b"here\n"] and ended.output == b"here\n"


def test_children_beyond_those_that_may_run_at_once_wait_and_can_be_given_up(monkeypatch):
    monkeypatch.setattr(subprocess_limits, "AT_ONCE", threading.BoundedSemaphore(1))
    with subprocess_limits.AT_ONCE:
        stop = subprocess_limits.Talk(should_stop=lambda: True)
        command = [sys.executable, "-c", "raise SystemExit(3)"]
        assert subprocess_limits.run_watched(command, b"", {}, 5, 100, stop).stopped
    ended = subprocess_limits.run_watched(command, b"", {}, 5, 100)
    assert not ended.stopped and ended.reason
