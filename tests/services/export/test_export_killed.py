"""A program killed while it exports: the file is the whole old one or the whole new one."""

import os
import random
import signal
import subprocess
import sys
import threading

import anndata
import numpy as np
import pytest

from scanvi_core import keys
from scanvi_core.services.export import write
from scanvi_core.services.export.write import ExportChoice
from scanvi_core.services.labels import edit
from scanvi_core.services.workspace import workspace
from tests import ROOT

N_KILLS = 25 if os.environ.get("SCANVI_FAULTS") == "all" else 4

SCRIPT = """
import sys
from pathlib import Path
from scanvi_core.services.export import write
from scanvi_core.services.export.write import ExportChoice
from scanvi_core.services.workspace import workspace
print("ready", flush=True)
write.write(workspace(sys.argv[1]), ExportChoice(), Path(sys.argv[2]))
print("done", flush=True)
"""


def cells_named(path, label):
    return int((anndata.read_h5ad(path).obs[keys.CURATED].astype(str) == label).sum())


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_kill_in_the_middle_of_an_export_leaves_a_whole_file(labeled, tmp_path):
    chance, target = random.Random(0), tmp_path / "out.h5ad"
    edit.name_cells(workspace(labeled), np.arange(3), "Mine", "lasso")
    write.write(workspace(labeled), ExportChoice(), target)
    old = target.read_bytes()
    edit.name_cells(workspace(labeled), np.arange(5), "Mine", "lasso")
    whole = {"old": 0, "new": 0}
    for _ in range(N_KILLS):
        target.write_bytes(old)
        command = [sys.executable, "-c", SCRIPT, labeled, str(target)]
        with subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
        ) as program:
            assert program.stdout.readline() == "ready\n"
            threading.Event().wait(chance.uniform(0.2, 1.6))
            os.killpg(program.pid, signal.SIGKILL)  # and the child that writes
        whole["old" if target.read_bytes() == old else "new"] += 1
        assert cells_named(target, "Mine") in (3, 5)
    print(f"kills of an export: {N_KILLS}, whole files: {whole}")
    write.write(workspace(labeled), ExportChoice(), target)
    assert cells_named(target, "Mine") == 5
