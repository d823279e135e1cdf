"""The pace of a training that runs: whether the computer is busy, and what follows the steps."""

import time
from dataclasses import dataclass, field

from scanvi_core.project.folder import Project
from scanvi_core.project.runs import DONE, Run

REST_S, REST_CELL_S = 5.0, 0.004  # on a core whose step takes 15 ms + 9 us per gene
BUSY = 1.4  # seconds of the clock per second of work, from here on


def rest(project: Project, n_obs: int, slowness: float = 1.0) -> float:
    """Return about how many seconds follow the last step of a training of so many cells.

    Linear models, predictions and maps took as long in the last run of the project; before there
    is one, `REST_S` + `REST_CELL_S` per cell, longer by as much as a step is.
    """
    for run in reversed(Run.list(project)):
        if run.status.status == DONE:
            about = run.summary
            after = float(about["total_seconds"]) - float(about["loop_seconds"])
            return after * n_obs / max(1, int(about["n_cells"]))
    return slowness * (REST_S + REST_CELL_S * n_obs)


@dataclass(frozen=True, slots=True)
class Clock:
    """The clock and a thread's own processor time at a moment."""

    wall: float = field(default_factory=time.perf_counter)
    worked: float = field(default_factory=time.thread_time)

    def waiting(self, until: "Clock") -> float:
        """Return seconds of the clock per second of work up to a later moment of the thread."""
        worked = until.worked - self.worked
        return max(1.0, (until.wall - self.wall) / worked) if worked > 0 else 1.0
