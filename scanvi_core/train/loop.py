"""Joint training of SCANVI on labeled and unlabeled cells.

One step sees a minibatch of all cells, whose labels are marginalized, and a minibatch of labeled
cells for the classifier (Xu et al. 2021, "Probabilistic harmonization and annotation of
single-cell transcriptomics data with deep generative models"); there is no pretraining.
"""

import math
import time
from pathlib import Path

from scanvi_core.config import PREVIEW_EVERY_S, PREVIEW_FIRST_S, TrainConfig
from scanvi_core.module import SCANVI
from scanvi_core.runtime import keep_memory
from scanvi_core.train import checkpoint as checkpoints
from scanvi_core.train.compiled import compile_beside
from scanvi_core.train.device import quick_products
from scanvi_core.train.history import Hooks, TrainingHistory
from scanvi_core.train.loader import TrainingData
from scanvi_core.train.training import Teach, Training

CHECKPOINT_EVERY_S = 2.0


def fit(
    module: SCANVI,
    data: TrainingData,
    config: TrainConfig,
    *,
    n_steps: int,
    hooks: Hooks,
    checkpoint: Path | None = None,
    teach: Teach | None = None,
) -> TrainingHistory:
    """Train `module` in place and leave it in eval mode with the weights worth keeping.

    With validation cells these are the weights of the best record in the last fifth of the run
    (highest accuracy, then lowest loss), else those of the last step. A stopped run keeps the
    best weights so far.

    Parameters
    ----------
    module
        The network, on its training device.
    data
        The cells; `LabelsUnusable` is raised when none has a label to train on.
    config
        Minibatch sizes, learning rate, seed and weights of the loss.
    n_steps
        Number of optimizer steps.
    hooks
        How the run reports and how it is stopped.
    checkpoint
        File in which the run is kept after every record, or every 2 seconds where records come
        faster. When it is there already, the run goes on from it, and on a CPU ends with the very
        weights of an unbroken run.
    teach
        Called halfway with what the network says of all cells; what it returns is learned from
        then on, beside the labels. None: nothing is.

    Raises
    ------
    TrainingError
        If the loss is not a number before any record was good, `checkpoint` is of another run, or
        memory is too small even for parts of a minibatch (see :mod:`scanvi_core.train.step`).
    """
    keep_memory()
    run = Training(module, data, config, n_steps, teach)
    with quick_products(module):
        compile_beside(module, n_steps, run.note)
        return _train(run, hooks, checkpoint)


def _train(run: Training, hooks: Hooks, checkpoint: Path | None) -> TrainingHistory:
    if checkpoint is not None and checkpoint.exists():
        checkpoints.load(checkpoint, run)
    start = time.monotonic() - run.seconds
    previews, saves = Timer(PREVIEW_EVERY_S, PREVIEW_FIRST_S), Timer(CHECKPOINT_EVERY_S, 0.0)
    while not run.finished:
        stopped = run.train_until_record(hooks.should_stop)
        record = run.record(time.monotonic() - start)
        if not math.isfinite(record.loss):
            run.give_up(record)
            break
        run.remember(record)
        hooks.on_epoch(record)
        if checkpoint is not None and run.writes and (stopped or saves.due()):
            checkpoints.save(checkpoint, run)
            saves.rest()
        if stopped:
            run.history.stopped = True
            break
        if hooks.on_preview is not None and previews.due():
            hooks.on_preview(run.module.eval())
            previews.rest()
    run.keep_best()
    return run.history


class Timer:
    """Says when something that costs time is due again: it gets a fifth of the time at most."""

    def __init__(self, interval: float, first: float | None = None) -> None:
        self.interval, self.last = interval, time.monotonic()
        self.pause = interval if first is None else first

    def due(self) -> bool:
        """Tell whether the pause is over; when it is, the next one starts."""
        now = time.monotonic()
        if now - self.last < self.pause:
            return False
        self.last, self.pause = now, self.interval
        return True

    def rest(self) -> None:
        """Say that the work is done: the next pause starts now, four times as long as the work."""
        now = time.monotonic()
        self.last, self.pause = now, max(self.interval, 4.0 * (now - self.last))
