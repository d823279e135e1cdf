"""Ask a method that lives in another environment, by files.

The question is an .npz with the counts as CSR (``data, indices, indptr, shape``), the labels the
method may see ``y`` [n] (-1: hidden), ``batch`` [n], ``seed``, and ``cache``: a folder of the data
set; or, in place of counts and cache, the ``path`` of a file to read. The answer is an .npz with
``probabilities`` [n, K], ``seconds`` (on the wall, of computing) without imports, ``versions`` as
JSON, and ``peak_rss_mb`` where it was measured.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy.task import Answer, Task
from benchmarks.results_file import ROOT

WORKERS = Path(__file__).parent / "outside"
OTHERS = ROOT.parent / "bench" / "bin" / "python"  # of the environment in CONTRIBUTING.md
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def ask(python: Path, worker: str, task: Task, path: Path | None = None) -> Answer:
    """Run ``outside/WORKER.py`` with another interpreter; with `path`, on that file.

    Raises
    ------
    RuntimeError
        If it fails; with the last lines of what it said.
    SystemExit
        If there is no such interpreter.
    """
    if not Path(python).is_file():
        sys.exit(f"There is no {python}: name the Python that has {worker} with --python.")
    with tempfile.TemporaryDirectory() as folder:
        question, answer = Path(folder, "in.npz"), Path(folder, "out.npz")
        np.savez(question, **_question(task, path))
        done = subprocess.run(  # noqa: S603  the interpreter is the user's choice
            [python, "-P", WORKERS / f"{worker}.py", question, answer],
            env=os.environ | dict.fromkeys(THREADS, str(task.threads)),
            cwd=folder,  # some libraries leave files behind
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{worker} failed:\n{done.stderr[-2000:]}")
        with np.load(answer) as found:
            wall, cpu = found["seconds"]
            return Answer(
                {worker.replace("_", "-"): found["probabilities"]},
                float(wall),
                float(cpu),
                json.loads(str(found["versions"])),
                float(found["peak_rss_mb"]) if "peak_rss_mb" in found else np.nan,
            )


def _question(task: Task, path: Path | None) -> dict[str, Any]:
    counts = task.counts
    common = {"y": task.y, "batch": task.batch, "seed": task.seed}
    if path is not None:
        return common | {"path": str(path.resolve())}
    return common | {
        "data": counts.data,
        "indices": counts.indices,
        "indptr": counts.indptr,
        "shape": counts.shape,
        "cache": str(task.cache),
    }
