"""One process of those that train a run outside the app: ``torchrun -m scanvi_core train RUN``."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType

import torch

from scanvi_core import runtime
from scanvi_core.annotation.layout.preview import Preview
from scanvi_core.data.dataset import Dataset
from scanvi_core.errors import InputError
from scanvi_core.project import heartbeat, runs
from scanvi_core.project.heartbeat import Progress
from scanvi_core.project.runs import Run, status_seen
from scanvi_core.runtime import Report
from scanvi_core.services import jobs
from scanvi_core.services.runs.train_request import TRAIN
from scanvi_core.services.training.trainer import EndRequested, Trainer
from scanvi_core.train.team import joined

LOOK_EVERY_S = 1.0  # for a wish to stop: shared storage is slow to ask
ASKED_TO_END = (signal.SIGTERM, signal.SIGINT)  # by a queue, torchrun or Ctrl-C
CUT_OFF = "The training was asked to end; started again, it goes on from its last checkpoint."


def take_part(folder: Path, report: Report = lambda *_: None) -> None:
    """Do this process's part of a run; the first process also predicts and keeps the results.

    The first one also tells `report` how far it is.

    A run that was cut off goes on from its checkpoint, also with another number of processes.

    Raises
    ------
    InputError
        If `folder` holds no run that can be trained.
    SettingInvalid
        If the network has batch norm and there are several processes.
    TeamBroken
        If another process has ended.
    """
    project, run = Run.at(folder)
    first = int(os.environ.get("RANK", "0")) == 0
    _check(run)
    if first and status_seen(run).status == runs.RUNNING:
        raise InputError(f"Run {run.id} is being trained.", "Wait until it has ended.")
    device = _own_device(run)
    job = Worker(project.id, run if first else None, report)
    if first:
        run.set_status(runs.RUNNING)
    trainer = Trainer(project, Dataset.open(project.dataset), run, job, is_main=first)
    # Who starts this command named the folder: what its run names may be read with their rights.
    trainer.store = Path(run.settings.store) if run.settings.store else None
    try:
        with _watched_over(trainer) if first else nullcontext():
            with joined(device) as me:
                trainer.processes = me.size
                learned = trainer.learn()
            job.leave_if_asked()
            if first:
                trainer.finish(learned)
                trainer.redraw()
    except EndRequested:
        print(CUT_OFF, file=sys.stderr)


@contextmanager
def _watched_over(trainer: Trainer) -> Iterator[None]:
    with heartbeat.signs_of_life(trainer.run.paths), trainer.failure_recorded():
        yield


def _check(run: Run) -> None:
    state = run.status.status
    if state in (runs.DONE, runs.STOPPED):
        done = "has been trained already" if state == runs.DONE else "was given up"
        raise InputError(f"Run {run.id} {done}.", "Prepare another one on the Train page.")
    if not run.settings.processes:
        raise InputError(
            f"Run {run.id} was begun for training in the app.",
            'Choose "elsewhere" on the Train page: it prepares a run for other computers.',
        )


def _own_device(run: Run) -> torch.device:
    """Take this process's graphics card, or its share of the cores."""
    place = int(os.environ.get("LOCAL_RANK", "0"))  # these variables are torchrun's
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    device = runtime.choose_device(run.settings.train.device)
    torch.set_num_threads(max(1, runtime.worker_threads() // here))
    if device.type == "cuda":
        torch.cuda.set_device(place % torch.cuda.device_count())
    return device


class Worker(jobs.Job):
    """The job of one of several processes; the first writes it into the run's folder."""

    def __init__(self, project_id: str, run: Run | None, report: Report = lambda *_: None) -> None:
        super().__init__(jobs.JobRequest(project_id, TRAIN, "", lambda _: None))
        self.run, self.watched, self._tell = run, run is not None, report
        self.ended = threading.Event()
        self._checked_at, self._asked = -LOOK_EVERY_S, False
        for number in ASKED_TO_END:
            signal.signal(number, self._end)

    def _end(self, _number: int, _frame: FrameType | None) -> None:
        self.ended.set()

    def leave_if_asked(self) -> None:
        """End this process if the system asked for it; from now on, end as soon as it does."""
        if self.ended.is_set():
            raise EndRequested(CUT_OFF)

        def end(_number: int, _frame: FrameType | None) -> None:
            raise EndRequested(CUT_OFF)

        for number in ASKED_TO_END:
            signal.signal(number, end)

    def should_stop(self) -> bool:
        """Tell whether the system asks this process to end, or the user the run to stop."""
        now = time.monotonic()
        if self.run is not None and now - self._checked_at >= LOOK_EVERY_S:
            self._checked_at, self._asked = now, heartbeat.is_asked_to_stop(self.run.paths)
        return self._asked or self.ended.is_set()

    def report(self, fraction: float, message: str = "") -> None:
        """Write down how far the run is."""
        super().report(fraction, message)
        if self.run is not None:
            progress = Progress(self._now.fraction, self._now.message)
            heartbeat.write_progress(self.run.paths, progress)
            self._tell(progress.fraction, progress.message)

    def set_preview(self, name: str, value: Preview) -> None:
        """Keep the pictures in the run's folder, where the app finds them."""
        if self.run is not None:
            for part in Preview.__dataclass_fields__:
                self.run.write_array(f"{name}_{part}", getattr(value, part))
