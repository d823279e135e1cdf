"""What a training run tells about itself."""

from collections.abc import Callable
from dataclasses import dataclass, field

from scanvi_core.module import SCANVI


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """Means over the minibatches since the record before.

    A record closes every pass over the cells, and every 20th part of the run where a pass takes
    longer than that. Losses are nats per cell; `train_accuracy` is measured under dropout.
    """

    epoch: int
    n_epochs: int
    step: int
    n_steps: int
    seconds: float
    loss: float
    reconstruction: float
    kl: float
    classification: float
    train_accuracy: float
    validation_accuracy: float | None = None
    validation_loss: float | None = None


@dataclass(slots=True)
class TrainingHistory:
    """The records of a run, the step whose weights were kept, and what the user should know."""

    records: list[EpochRecord] = field(default_factory=list)
    kept_step: int = 0
    stopped: bool = False
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Hooks:
    """How a run reports and how it is stopped.

    `should_stop` is asked after every minibatch. `on_preview` gets the network in eval mode, at
    most every `scanvi_core.config.PREVIEW_EVERY_S` seconds, first after `PREVIEW_FIRST_S`.
    """

    on_epoch: Callable[[EpochRecord], None] = lambda _: None
    should_stop: Callable[[], bool] = lambda: False
    on_preview: Callable[[SCANVI], None] | None = None
