"""What a training on other computers is said to need: time and memory, for the queue of a cluster.

Both are generous: a job that takes longer than it asked for is ended and begun again from its
checkpoint; one that takes more memory is ended for good.
"""

import math
from dataclasses import dataclass

from scanvi_core.services.runs.train_request import TrainRequest
from scanvi_core.services.training import estimate
from scanvi_core.services.training.pace import rest, usual_step_s
from scanvi_core.services.workspace import Workspace

SPARE = 3.0  # times as long as estimated: cores of other ages, slow disks
LEAST_S = 1_800
BASE_GB, PROCESS_GB = 2.0, 1.5  # libraries, and each process with its network and minibatches
COUNT_BYTES = 8.0  # of a count above 0, as they are cut out and read


@dataclass(frozen=True, slots=True)
class Needs:
    """Minutes until the end, and GB of memory on each computer."""

    minutes: int
    memory_gb: int

    @property
    def time(self) -> str:
        """The time as Slurm reads it, ``04:30:00``."""
        return f"{self.minutes // 60:02d}:{self.minutes % 60:02d}:00"


def needs(opened: Workspace, request: TrainRequest, processes: int) -> Needs:
    """Return what a training needs, by what was measured here or else by what is usual.

    That several processes share the steps is not counted on.
    """
    n_obs = opened.dataset.n_obs
    n_genes = min(request.train.n_top_genes, opened.dataset.n_vars)
    usual_s = usual_step_s(n_genes, request.train)
    pace = estimate.known(opened, request)
    step_s = usual_s if pace is None else pace.step_s
    seconds = request.train.n_steps(n_obs) * step_s
    seconds += rest(opened.project, n_obs, usual_s).at(step_s)
    counts_gb = COUNT_BYTES * opened.dataset.counts.nnz / 1e9
    return Needs(
        math.ceil(max(LEAST_S, SPARE * seconds) / 60),
        math.ceil(BASE_GB + PROCESS_GB * processes + counts_gb),
    )
