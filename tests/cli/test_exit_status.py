"""How a command ends when it is stopped, and when the disk is full: a status and a sentence."""

import errno
import os
import signal
import subprocess
import sys
import time

import pytest

from scanvi_core import cli
from scanvi_core.errors import DiskFull, ExportError, ProjectError, is_disk_full, name_abroad
from scanvi_core.services.annotate import command as annotate_service
from tests import ROOT
from tests.cli.program import A_MINUTE, LABELS, annotate

needs_signals = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


def begun(folder, process):
    """Wait until a command has read its file, and is at work in its own folder."""
    until = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < until:
        if list(folder.glob("scanvi-*/projects/*/runs/*/checkpoint.safetensors")):
            return True
        time.sleep(0.05)
    return False


@needs_signals
@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, cli.INTERRUPTED), (signal.SIGTERM, cli.TERMINATED)],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_command_that_is_stopped_says_so_and_leaves_nothing(example, tmp_path, number, status):
    scratch, results = tmp_path / "scratch", tmp_path / "results"
    scratch.mkdir()
    results.mkdir()
    environment = os.environ | {
        "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "TMPDIR": str(scratch),
    }  # fmt: skip
    command = [sys.executable, "-m", "scanvi_core", "annotate", str(example), *LABELS,
               "-o", str(results / "out.h5ad"), "--max-epochs", "5000"]  # fmt: skip
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert begun(scratch, process)
            process.send_signal(number)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == status
    kept = results / "out.h5ad.unfinished"
    assert out == ""
    assert err.startswith(f"error: {cli.STOPPED} What was trained is in {kept}: the same command ")
    assert err.count("\n") == 1
    assert list(results.iterdir()) == [kept]
    assert list(scratch.glob("scanvi-*")) == []


def test_a_full_disk_has_a_status_of_its_own(capsys, example, tmp_path, monkeypatch, flat_map):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(annotate_service, "_write", full)
    status, out, err = annotate(capsys, example, tmp_path / "out.h5ad")
    assert (status, out) == (cli.DISK_FULL, "")
    *progress, told = err.splitlines()
    assert told.startswith("error: The disk is full. Free some space and try again.")
    assert all(A_MINUTE.match(line) for line in progress)


@pytest.mark.skipif(os.name == "nt", reason="limits of POSIX")
def test_a_disk_that_fills_while_the_file_is_written_has_that_status(
    capsys, example, tmp_path, monkeypatch, flat_map, fresh_children
):
    """The writing process meets it, and tells it to this one."""
    import resource

    whole = annotate_service._write

    def in_little_room(*given):
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (example.stat().st_size + 2_000, hard))
        try:
            whole(*given)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    monkeypatch.setattr(annotate_service, "_write", in_little_room)
    status, out, err = annotate(capsys, example, tmp_path / "out.h5ad")
    assert (status, out) == (cli.DISK_FULL, ""), err
    assert "What was trained is in" in err  # the training need not be done again
    assert [path.name for path in tmp_path.glob("out*")] == ["out.h5ad.unfinished"]


def test_any_other_fault_is_a_fault(capsys, example, tmp_path, monkeypatch, flat_map):
    def odd(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(annotate_service, "_write", odd)
    status, _, err = annotate(capsys, example, tmp_path / "out.h5ad")
    assert status == cli.FAULT
    assert "full" not in err


@pytest.mark.parametrize(
    ("number", "full"), [(errno.ENOSPC, True), (errno.EFBIG, True), (errno.EIO, False)]
)
def test_a_full_disk_is_known_by_what_hdf5_says(number, full):
    said = f"Can't synchronously write data (file write failed: errno = {number}, offset = 0)"
    assert is_disk_full(OSError(said)) is full


@pytest.mark.parametrize("kind", [ProjectError, ExportError])
def test_a_full_disk_stays_one_in_another_process(kind):
    try:
        try:
            raise OSError(errno.ENOSPC, "full")
        except OSError as error:
            raise kind("It could not be written.") from error
    except kind as error:
        assert name_abroad(error) == "DiskFull"
    assert name_abroad(kind("Another reason.")) == kind.__name__
    assert issubclass(DiskFull, kind)
