"""A child process that is a fork does and suffers what a fresh one does."""

import os

import pytest

from scanvi_core.data.guard import subprocess_limits
from scanvi_core.data.guard.child_process import run_child
from scanvi_core.data.guard.subprocess_limits import Talk
from scanvi_core.data.intake.import_file import inspect_file
from scanvi_core.errors import (
    ChildCrashed,
    FileRefused,
    ImportStopped,
)
from tests import children
from tests.data.intake.damage import bad_inputs

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@pytest.fixture(params=["fork", "fresh"])
def begun(request):
    """Begin children in one way or the other."""
    if request.param == "fork":
        yield
        return
    with children.fresh():
        yield


@pytest.fixture
def sound(tmp_path):
    return bad_inputs.sound(tmp_path / "sound.h5ad")


def test_forks_are_what_tests_use_where_they_can(fresh_children):
    assert subprocess_limits.subprocess.Popen.__name__ == "Popen"
    with children.forked():
        assert subprocess_limits.subprocess.Popen.__name__ != "Popen"


def test_it_answers(begun, sound):
    assert inspect_file(sound)["counts_source"] == "X"


def test_its_error_crosses_with_what_it_wrote(begun, sound):
    sound.write_bytes(sound.read_bytes()[:-200])
    with pytest.raises(FileRefused) as refused:
        inspect_file(sound)
    assert refused.value.hint and "Traceback" in "".join(refused.value.__notes__)


def test_it_is_killed_when_it_takes_more_memory_than_it_may(begun, sound):
    request = {"task": "inspect", "path": str(sound), "matrix": None, "answers": {}}
    with pytest.raises((FileRefused, ChildCrashed)):
        run_child(request | {"memory_mb": -3_900.0, "timeout_s": 60})


def test_it_is_ended_when_asked(begun, sound):
    request = {"task": "inspect", "path": str(sound), "matrix": None, "answers": {}}
    with pytest.raises(ImportStopped):
        run_child(request | {"memory_mb": 900.0, "timeout_s": 60}, Talk(should_stop=lambda: True))
