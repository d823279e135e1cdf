"""Signals: a library may swallow one or be busy for long; the command ends soon all the same."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from benchmarks.scale.interruptions import interrupted
from scanvi_core import cli
from scanvi_core.cli import stopping
from tests import ROOT
from tests.cli.program import LABELS

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
SOON_S = 5.0
STUBBORN = """
import subprocess, sys, time
from pathlib import Path
from scanvi_core import ending
from scanvi_core.__main__ import run
from scanvi_core.cli import gather

def work(_options):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    with ending.unfinished(Path(sys.argv[2])) as half:
        half.mkdir()
        (half / "part").write_text("half")
        ending.say("More was said.")
        said = False
        while True:
            try:
                if not said:
                    print(child.pid, flush=True)
                    said = True
                time.sleep(60)
            except KeyboardInterrupt:
                pass

gather.run = work
run()
"""


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, cli.INTERRUPTED), (signal.SIGTERM, cli.TERMINATED)],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_signal_that_is_swallowed_ends_the_command_and_its_children(tmp_path, number, status):
    half = tmp_path / "half"
    command = [sys.executable, "-c", STUBBORN, "gather", str(half), "FILE"]
    with subprocess.Popen(
        command, env=os.environ | {"PYTHONPATH": str(ROOT)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        try:
            child = int(process.stdout.readline())
            began = time.monotonic()
            process.send_signal(number)
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == status
    assert stopping.GRACE_S < time.monotonic() - began < SOON_S
    assert err == f"error: {cli.STOPPED} More was said.\n"
    assert not half.exists()
    assert not psutil.pid_exists(child)


@pytest.mark.parametrize(
    ("words", "number", "kept"),
    [
        ("Copying the counts", signal.SIGTERM, False),
        ("Choosing genes", signal.SIGINT, False),
        ("Drawing the map", signal.SIGINT, True),
        ("Looking for doublets", signal.SIGTERM, True),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_a_phase_is_ended_soon_and_leaves_nothing_but_what_was_trained(
    many_cells, tmp_path, words, number, kept
):
    output = tmp_path / "results" / "out.h5ad"
    output.parent.mkdir()
    command = [sys.executable, "-m", "scanvi_core", "annotate", str(many_cells), *LABELS,
               "-o", str(output), "--max-epochs", "1"]  # fmt: skip
    seen = interrupted(command, words, number, output)
    assert seen is not None, "it ended before that"
    assert seen.seconds < SOON_S
    assert seen.status == 128 + number
    assert seen.said.startswith(f"error: {cli.STOPPED}")
    assert (seen.kept, seen.left) == (kept, [])


@pytest.fixture(scope="module")
def many_cells(whole, tmp_path_factory):
    """So many that a phase lasts until the signal has come."""
    import anndata

    path = tmp_path_factory.mktemp("many") / "in.h5ad"
    many = anndata.concat([whole] * 6, index_unique="-")
    many.write_h5ad(path)
    return path
