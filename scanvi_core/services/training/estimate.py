"""How long a training takes: from a short run on these cells, here and now.

A run of `MEASURED_STEPS` steps or `MEASURED_S` seconds with the settings asked for tells the
seconds of a step, and whether other programs keep the processor: then the clock runs ahead of the
work's own processor time. :mod:`scanvi_core.services.training.pace` tells what follows the steps.
"""

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from scanvi_core import config, runtime
from scanvi_core.services import jobs
from scanvi_core.services.formatting import duration
from scanvi_core.services.runs.inputs import inputs_of
from scanvi_core.services.runs.train_request import PACE, TrainRequest, lane
from scanvi_core.services.training.pace import BUSY, Clock, rest, usual_step_s
from scanvi_core.services.workspace import Workspace

if TYPE_CHECKING:
    from scanvi_core.train.history import EpochRecord

MEASURED_STEPS, MEASURED_S = 40, 3.0  # after the first record, which has the warming up in it
MEASURED_CELLS = 512


@dataclass(frozen=True, slots=True)
class Pace:
    """What a short run showed.

    Attributes
    ----------
    step_s
        Seconds of a step.
    waiting
        Seconds of the clock per second of the work's own processor time.
    """

    step_s: float
    waiting: float


def known(opened: Workspace, request: TrainRequest) -> Pace | None:
    """Return what was measured with such settings; None before."""
    pace: Pace | None = opened.cache.peek(_key(opened, request))
    return pace


def begin(opened: Workspace, request: TrainRequest) -> None:
    """Start measuring in the background, unless it is known or under way."""
    if known(opened, request) is None and not jobs.active(opened.id):
        last = [job for job in jobs.list_jobs(opened.id) if job.kind == PACE][-1:]
        if not last or last[0].result != _key(opened, request):  # it did not succeed before
            jobs.submit(
                jobs.JobRequest(
                    opened.id, PACE, lane(request.train.device),
                    lambda job: _measure(opened, request, job), changes=False,
                )
            )  # fmt: skip


def words(opened: Workspace, request: TrainRequest, n_obs: int) -> str:
    """Say how long a training takes, in a sentence or two; say so while that is measured."""
    pace = known(opened, request)
    if pace is None:
        if jobs.active(opened.id, PACE):
            return "Measuring how long it takes on this computer…"
        return ""
    steps = config.RETRAIN_STEPS if request.warm else request.train.n_steps(n_obs)
    n_genes = min(request.train.n_top_genes, opened.dataset.n_vars)
    after = rest(opened.project, n_obs, usual_step_s(n_genes, request.train))
    seconds = steps * pace.step_s + after.at(pace.step_s)
    if pace.waiting < BUSY:
        return f"About {duration(seconds)}, as measured on this computer just now."
    return (
        f"About {duration(seconds)}: this computer is busy with other programs. With nothing else "
        f"running, about {duration(seconds / pace.waiting)}."
    )


def _key(opened: Workspace, request: TrainRequest) -> tuple[object, ...]:
    """Return what the length of a step depends on."""
    same = replace(request.train, preset="quick", max_epochs=None, seed=0)
    return "pace", request.model, same, len(inputs_of(opened).label_names)


def _measure(opened: Workspace, request: TrainRequest, job: jobs.Job) -> tuple[object, ...]:
    import torch

    from scanvi_core.annotation.model.annotator import learn
    from scanvi_core.services.training.in_process import chosen_genes
    from scanvi_core.train.history import Hooks

    key, inputs = _key(opened, request), inputs_of(opened)
    genes = chosen_genes(opened, request, inputs)
    rows = _some_cells(inputs.y, inputs.rows)
    part = replace(
        inputs, counts=opened.dataset.counts[rows][:, genes], y=inputs.y[rows],
        genes=tuple(opened.dataset.var_names[genes]), batch_index=inputs.batch_index[rows],
        rows=np.ones(len(rows), dtype=bool), holdout=np.zeros(len(rows), dtype=bool),
    )  # fmt: skip
    torch.set_num_threads(runtime.worker_threads())
    seen: list[tuple[EpochRecord, Clock]] = []

    def stop() -> bool:
        enough = len(seen) > 1 and time.perf_counter() - seen[0][1].wall > MEASURED_S
        return job.should_stop() or enough

    hooks = Hooks(lambda record: seen.append((record, Clock())), stop)
    epochs = replace(request.train, max_epochs=MEASURED_STEPS, validation_fraction=0.0)
    learn(part, request.model, epochs, hooks=hooks)
    pace = _of(seen)
    if pace is not None:
        opened.cache.put(key, pace)
    return key


def _some_cells(y: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Return some cells, of which at most half have labels: as many steps are taken on both."""
    random = np.random.default_rng(0)
    labeled, others = np.flatnonzero(usable & (y >= 0)), np.flatnonzero(usable & (y < 0))
    first = random.permutation(labeled)[: MEASURED_CELLS // 2]
    return np.sort(np.append(first, random.permutation(others)[: MEASURED_CELLS - len(first)]))


def _of(seen: "list[tuple[EpochRecord, Clock]]") -> Pace | None:
    """Return the pace after the first record, which has the warming up in it."""
    if len(seen) < 2:
        return None
    (first, clock), (last, end) = seen[0], seen[-1]
    step_s = (last.seconds - first.seconds) / (last.step - first.step)
    return Pace(step_s, clock.waiting(end))
