"""The pace of a training that runs: its latest steps, what follows them, a busy computer."""

import time
from collections import deque
from dataclasses import dataclass, field

from scanvi_core.config import TrainConfig
from scanvi_core.project.folder import Project
from scanvi_core.project.runs import DONE, Run

REST_S, REST_CELL_S = 4.0, 0.0012  # on a core whose step is as long as `usual_step_s` says
BUSY = 1.4  # seconds of the clock per second of work, from here on
WINDOW_S = 10.0  # of steps that tell how long the next ones take


def usual_step_s(n_genes: int, train: TrainConfig) -> float:
    """Return the seconds of a step on the core of reference."""
    return (0.015 + 9e-6 * n_genes) * (train.batch_size + train.labeled_batch_size) / 192


@dataclass(frozen=True, slots=True)
class Rest:
    """What follows the last step takes `seconds` where a step takes `step_s`."""

    seconds: float
    step_s: float

    def at(self, step_s: float) -> float:
        """Return its seconds where a step takes this long: what slows one slows both."""
        return self.seconds * step_s / self.step_s


def rest(project: Project, n_obs: int, usual_s: float) -> Rest:
    """Return how long linear models, predictions and maps take for so many cells.

    As long as in the last run of the project that was trained; before there is one, `REST_S` +
    `REST_CELL_S` per cell where a step takes `usual_s`.
    """
    for run in reversed(Run.list(project)):
        about = run.summary
        if run.status.status == DONE and about["steps"]:
            loop, steps = float(about["loop_seconds"]), int(about["steps"])
            after = float(about["total_seconds"]) - loop
            return Rest(after * n_obs / max(1, int(about["n_cells"])), loop / max(1, steps))
    return Rest(REST_S + REST_CELL_S * n_obs, usual_s)


@dataclass(frozen=True, slots=True)
class Clock:
    """The clock and a thread's own processor time at a moment."""

    wall: float = field(default_factory=time.perf_counter)
    worked: float = field(default_factory=time.thread_time)

    def waiting(self, until: "Clock") -> float:
        """Return seconds of the clock per second of work up to a later moment of the thread."""
        worked = until.worked - self.worked
        return max(1.0, (until.wall - self.wall) / worked) if worked > 0 else 1.0


class Steps:
    """The latest steps of a training: how long one takes now, and how much of that is waiting."""

    def __init__(self) -> None:
        self._marks: deque[tuple[int, Clock]] = deque()

    def reached(self, step: int) -> None:
        """Note that so many steps are done by now; what is older than `WINDOW_S` is dropped."""
        now = Clock()
        self._marks.append((step, now))
        while len(self._marks) > 2 and now.wall - self._marks[1][1].wall > WINDOW_S:
            self._marks.popleft()

    @property
    def step_s(self) -> float | None:
        """Seconds of a step; None before there are two moments to compare."""
        if not self._marks or self._marks[0][0] == self._marks[-1][0]:
            return None
        (first, start), (last, end) = self._marks[0], self._marks[-1]
        return (end.wall - start.wall) / (last - first)

    @property
    def is_busy(self) -> bool:
        """Whether other programs keep the processor from these steps."""
        return len(self._marks) > 1 and self._marks[0][1].waiting(self._marks[-1][1]) > BUSY
