"""One training run: its parts, one step, one record, and the weights to go back to."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from scanvi_core.config import TrainConfig
from scanvi_core.data.collection.counts import StoredCounts
from scanvi_core.errors import LabelsUnusable, TrainingError
from scanvi_core.module import SCANVI
from scanvi_core.train.device import Replay
from scanvi_core.train.history import EpochRecord, TrainingHistory
from scanvi_core.train.loader import DeviceRows, TrainingData, blocks
from scanvi_core.train.sampler import BlockSampler, EpochSampler, LabeledSampler
from scanvi_core.train.schedule import kl_weight, one_cycle
from scanvi_core.train.step import Stepper
from scanvi_core.train.stored import StoredRows, few_enough

MIN_RECORDS = 20  # per run, where a pass over the cells takes longer than a 20th of it
MAX_VALIDATION = 2_000  # cells watched per record
# A best record is looked for once this share of the run is over: before, the learning rate is high
# and a lucky record on a few validation cells is worse than the last (measured on real data).
SETTLED = 0.8
TAUGHT_FROM = 0.5  # share of the run after which the network learns from its teacher
TAUGHT_STEPS = 300  # a run of more steps knows more by itself: the teacher counts less in it

Teach = Callable[[np.ndarray], np.ndarray]
"""Makes of what the network says of all cells [n, n_labels] what it is to say."""


def taught_at(n_steps: int) -> int:
    """Return the number of the step before which the network's teacher is asked."""
    return int(TAUGHT_FROM * n_steps)


class Training:
    """The state of one run: network, samplers, what takes the steps, and what was best."""

    def __init__(
        self,
        module: SCANVI,
        data: TrainingData,
        config: TrainConfig,
        n_steps: int,
        teach: Teach | None = None,
    ) -> None:
        train = data.hide_validation()
        labeled = np.flatnonzero(train.y >= 0)
        if not len(labeled):
            raise LabelsUnusable("No labeled cell to train on.", "Name some cells first.")
        self.module, self.data, self.config, self.n_steps = module, train, config, n_steps
        self.random = np.random.default_rng(config.seed)
        n_obs = data.counts.shape[0]
        self.history, self.best, self.score = TrainingHistory(), dict[str, Tensor](), (-1.0, 0.0)
        self.cells: EpochSampler | BlockSampler
        if isinstance(data.counts, StoredCounts):
            self.cells = BlockSampler(n_obs, config.batch_size, config.seed)
            labeled = self._few(labeled)
        else:
            self.cells = EpochSampler(n_obs, config.batch_size, self.random)
        codes = train.y[labeled] if config.balance_labels else None
        self.labeled = LabeledSampler(labeled, config.labeled_batch_size, self.random, codes)
        self.stepper = Stepper(module, train, config, self.note)
        self.teach, self.taught_at = teach, taught_at(n_steps)
        self.replay = self._new_replay()
        self.steps_per_epoch = config.steps_per_epoch(n_obs)
        self.record_every = min(self.steps_per_epoch, max(1, n_steps // MIN_RECORDS))
        self.watched = np.flatnonzero(data.validation)[:MAX_VALIDATION]
        self.watched_y = torch.as_tensor(data.y[self.watched], device=self.stepper.device)
        self._read_ahead(labeled)
        self.step, self.since, self.seconds = 0, 0, 0.0

    def _new_replay(self) -> Replay | None:
        if not isinstance(self.stepper.rows, DeviceRows) or self.stepper.team is not None:
            return None
        n_obs, config = len(self.data.y), self.config
        sizes = min(config.batch_size, n_obs), config.labeled_batch_size
        return Replay(self.stepper, sizes)

    def _read_ahead(self, labeled: np.ndarray) -> None:
        """Have a store read what is asked for in any order once, and the rest before its turn."""
        if isinstance(self.stepper.rows, StoredRows) and isinstance(self.cells, BlockSampler):
            team = self.stepper.team
            self.stepper.rows.keep(np.concatenate([labeled, self.watched]))
            part = (0, 1) if team is None else (team.rank, team.size)
            self.stepper.rows.follow(self.cells.blocks, part)

    def _few(self, labeled: np.ndarray) -> np.ndarray:
        """Return the labeled cells that fit into memory where the others stay in a store."""
        random = np.random.default_rng([self.config.seed, len(labeled)])
        few = few_enough(labeled, self.data.y[labeled], random)
        if len(few) < len(labeled):
            self.note(
                f"Of {len(labeled):,} labeled cells, {len(few):,} of all types teach the types: "
                "as many as are kept in memory."
            )
        return few

    @property
    def finished(self) -> bool:
        """Whether all steps are done."""
        return self.step >= self.n_steps

    @property
    def writes(self) -> bool:
        """Whether this process is the one that keeps the run on disk."""
        return self.stepper.team is None or self.stepper.team.first

    def train_until_record(self, should_stop: Callable[[], bool]) -> bool:
        """Take steps until a record is due; return whether the user asked to stop."""
        self.module.train()
        self.stepper.sums.zero_()
        self.since = 0
        while not self.finished:
            self.take_step()
            if self._agree(should_stop()):
                return True
            if self.step % self.record_every == 0:
                break
        return False

    def _agree(self, stop: bool) -> bool:
        """Tell whether to stop; a team agrees on it with the gradients of the next step."""
        team = self.stepper.team
        if team is None:
            return stop
        team.stop = stop
        return team.stopping

    def take_step(self) -> None:
        """Take one step of the optimizer; halfway, let the network learn from its teacher."""
        if self.teach is not None and self.step == self.taught_at:
            self.learn_from(self.teach(self._label_probabilities()))
            self.replay = self._new_replay()  # what was recorded knows no teacher
        self.stepper.number = self.step
        rows, chosen = self.cells.take(), self.labeled.take()
        rate = one_cycle(self.step, self.n_steps, self.config.learning_rate)
        weight = kl_weight(self.step, self.n_steps, self.config.kl_warmup)
        if self.replay is not None:
            self.replay.take(rows, chosen, rate, weight)
        else:
            self.stepper.take(torch.from_numpy(rows), torch.from_numpy(chosen), rate, weight)
        self.step += 1
        self.since += 1

    def learn_from(self, teacher: np.ndarray) -> None:
        """Draw the labels of all cells to these probabilities, less so the longer the run is."""
        self.stepper.learn_from(teacher, min(1.0, TAUGHT_STEPS / self.n_steps))

    @torch.no_grad()
    def _label_probabilities(self) -> np.ndarray:
        """Return what the network says of all cells now [n, n_labels], float32."""
        self.module.eval()
        of_all = np.empty((len(self.data.y), self.data.n_labels), np.float32)
        for block in blocks(np.arange(len(of_all))):
            of_all[block] = self.module.predict(self.stepper.rows.fetch(block))[0].cpu().numpy()
        self.module.train()
        return of_all

    def note(self, sentence: str) -> None:
        """Keep a sentence for the user."""
        self.history.notes.append(sentence)

    def record(self, seconds: float) -> EpochRecord:
        """Return the means since the last record; the one place where the device is waited for."""
        self.seconds = seconds
        if self.stepper.team is not None:
            self.stepper.team.add_up([self.stepper.sums])
        loss, reconstruction, kl, classification, right, typed = self.stepper.sums.tolist()
        accuracy, validation_loss = self._validate()
        return EpochRecord(
            epoch=math.ceil(self.step / self.steps_per_epoch),
            n_epochs=math.ceil(self.n_steps / self.steps_per_epoch),
            step=self.step,
            n_steps=self.n_steps,
            seconds=seconds,
            loss=loss / self.since,
            reconstruction=reconstruction / self.since,
            kl=kl / self.since,
            classification=classification / self.since,
            train_accuracy=right / typed if typed else math.nan,
            validation_accuracy=accuracy,
            validation_loss=validation_loss,
        )

    @torch.no_grad()
    def _validate(self) -> tuple[float | None, float | None]:
        if not len(self.watched):
            return None, None
        self.module.eval()
        fetched = map(self.stepper.rows.fetch, blocks(self.watched))
        log_probs = torch.cat([self.module.log_classify(x) for x in fetched])
        right = (log_probs.argmax(1) == self.watched_y).float().mean()
        loss = torch.nn.functional.nll_loss(log_probs, self.watched_y)
        return float(right), float(loss)

    def remember(self, record: EpochRecord) -> None:
        """Keep a copy of the weights when they are the ones to go back to."""
        score = (-1.0, 0.0)
        if record.validation_accuracy is not None and record.validation_loss is not None:
            settled = record.step >= SETTLED * self.n_steps
            score = (record.validation_accuracy if settled else -1.0, -record.validation_loss)
        if score >= self.score or not self.best or self.score[0] < 0:
            state = self.module.state_dict()
            self.best = {name: value.detach().clone() for name, value in state.items()}
            self.score, self.history.kept_step = score, record.step
        self.history.records.append(record)

    def give_up(self, record: EpochRecord) -> None:
        """Say why the loss is no number; raise when there are no good weights to go back to."""
        if not self.best:
            raise TrainingError(
                f"The loss was {record.loss} by step {record.step}.",
                "The learning rate is too large or the values are not counts: "
                f"try a learning rate below {self.config.learning_rate:g}.",
            )
        self.history.notes.append(
            f"The loss was {record.loss} at step {record.step}: kept the model of step "
            f"{self.history.kept_step}. Most likely the learning rate of "
            f"{self.config.learning_rate:g} is too large: try a tenth of it."
        )

    def keep_best(self) -> None:
        """Load the remembered weights and switch to eval mode."""
        self.module.load_state_dict(self.best)
        self.module.eval()
