"""A process killed in the middle of its edits loses none that it was told were saved."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from scanvi_core.project.label_log.store import LabelStore
from tests import ROOT

N = 500
N_KILLS = 200 if os.environ.get("SCANVI_FAULTS") == "all" else 20

# Forks writers one after the other, so that the libraries are loaded once.
SCRIPT = """
import json, os, random, signal, sys, threading
import numpy as np
from pathlib import Path
from scanvi_core.project.label_log.store import LabelStore
from scanvi_core.project.label_log import events

folder, n, n_kills = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
random.seed(0)

def write_for_ever(tell):
    store = LabelStore.open(folder, n)
    step = 0
    while True:
        row = step % n
        rows = np.arange(row, min(row + 50, n))
        seq = store.append(events.assign(rows, f"type {step % 7}"))
        os.write(tell, f"{seq} {row} {step % 7}\\n".encode())
        step += 1

for _ in range(n_kills):
    hear, tell = os.pipe()
    child = os.fork()
    if child == 0:
        write_for_ever(tell)
    os.close(tell)
    with os.fdopen(hear) as told:
        first = told.readline()
        threading.Event().wait(random.uniform(0.0, 0.03))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        lines = [first, *told]
    print(json.dumps([line.split() for line in lines if line.endswith("\\n")]), flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
def test_kill_9_loses_no_edit_that_was_called_saved(tmp_path):
    command = [sys.executable, "-c", SCRIPT, str(tmp_path), str(N), str(N_KILLS)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=True
    )
    told = [entry for line in done.stdout.splitlines() for entry in json.loads(line)]
    store = LabelStore.open(tmp_path, N)
    stored = store.events()
    assert len(done.stdout.splitlines()) == N_KILLS
    assert len(told) <= len(stored) <= len(told) + N_KILLS  # at most the last one, unconfirmed
    assert [event.seq for event in stored] == list(range(1, len(stored) + 1))
    for seq, row, label in told:
        event = store.event(int(seq))
        assert event.rows.tolist() == list(range(int(row), min(int(row) + 50, N)))
        assert event.payload["labels"] == [f"type {label}"]
    assert np.array_equal(
        store.labels().codes, LabelStore.replay(store.export_log(), N).codes
    )  # fmt: skip
    with store._database.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    store.close()
    lost = len(told) - sum(event.seq in {int(seq) for seq, _, _ in told} for event in stored)
    print(f"kills while editing: {N_KILLS}, edits acknowledged: {len(told)}, lost: {lost}")
    assert lost == 0
