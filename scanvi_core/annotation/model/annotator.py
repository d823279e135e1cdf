"""`Annotator`: learns cell types from labeled and unlabeled cells, and names cells."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import sparse

from scanvi_core.annotation.model.calibration import fit_temperature
from scanvi_core.annotation.model.inputs import Inputs
from scanvi_core.annotation.model.linear_models import (
    DECIDED_WEIGHT,
    TAUGHT_WEIGHT,
    Components,
    LinearModels,
    components_of,
    fit_linear_models,
)
from scanvi_core.annotation.model.network import build, training_data
from scanvi_core.annotation.model.out_of_fold import linear_models_out_of_fold
from scanvi_core.annotation.model.teacher import Teacher
from scanvi_core.annotation.model.trained import TrainedModel
from scanvi_core.config import (
    RETRAIN_LEARNING_RATE,
    RETRAIN_STEPS,
    ModelConfig,
    TrainConfig,
)
from scanvi_core.data.collection.counts import StoredCounts
from scanvi_core.errors import SettingInvalid
from scanvi_core.module import SCANVI
from scanvi_core.train.history import Hooks, TrainingHistory
from scanvi_core.train.loader import TrainingData
from scanvi_core.train.loop import fit
from scanvi_core.train.training import TAUGHT_STEPS, taught_at
from scanvi_core.train.warmstart import carry_over


@dataclass(frozen=True, slots=True)
class Learned:
    """A trained network, and the cells it was trained on: `usable` are their rows.

    `space` are their principal components, where they were needed, or those of the model it went
    on from; `weight` is how much the network counts against each linear model.
    """

    module: SCANVI
    history: TrainingHistory
    usable: np.ndarray
    data: TrainingData
    space: Components | None
    weight: float
    model_config: ModelConfig
    train_config: TrainConfig

    @property
    def allowed(self) -> np.ndarray:
        """The types that each code of a label leaves open, bool [codes, K]."""
        return self.module.allowed.cpu().numpy()


def learn(
    inputs: Inputs,
    model_config: ModelConfig,
    train_config: TrainConfig,
    *,
    hooks: Hooks | None = None,
    warm_start: "Annotator | None" = None,
    checkpoint: Path | None = None,
) -> Learned:
    """Train the network alone, which is the part that several processes can share.

    Arguments and errors are those of `Annotator.fit`, which goes on from here in one process.
    """
    if inputs.soft is not None:  # every label is learned from: decisions are few
        train_config = replace(train_config, validation_fraction=0.0)
    usable, data = training_data(inputs, train_config)
    n_steps = train_config.n_steps(data.counts.shape[0])
    module, schedule = build(inputs, model_config, train_config), train_config
    if warm_start is not None:
        warm_start.hand_over(module, inputs, model_config)
        schedule, n_steps = _retrain(train_config), RETRAIN_STEPS
    space = None if warm_start is None else warm_start.linear_models.space
    teacher = Teacher(data, module.allowed.cpu().numpy(), train_config.seed, space)
    own = data.soft is None and not isinstance(data.counts, StoredCounts)
    history = fit(
        module, data, schedule, n_steps=n_steps, hooks=hooks or Hooks(), checkpoint=checkpoint,
        teach=teacher if own else None,
    )  # fmt: skip
    is_taught = own and history.kept_step > taught_at(n_steps)
    weight = _weight(n_steps, is_taught=is_taught, is_soft=data.soft is not None)
    return Learned(
        module, history, usable, data, teacher.space, weight, model_config, train_config
    )


def _weight(n_steps: int, *, is_taught: bool, is_soft: bool) -> float:
    """Return how much the network counts in the answer against each linear model."""
    if is_taught:
        return max(1.0, TAUGHT_WEIGHT * min(1.0, n_steps / TAUGHT_STEPS))
    return DECIDED_WEIGHT if is_soft else 1.0


@dataclass(slots=True)
class Annotator(TrainedModel):
    """A model that learns to name cells; made by `Annotator.fit` or `Annotator.load`."""

    @classmethod
    def fit(
        cls,
        inputs: Inputs,
        model_config: ModelConfig,
        train_config: TrainConfig,
        *,
        hooks: Hooks | None = None,
        warm_start: "Annotator | None" = None,
        checkpoint: Path | None = None,
    ) -> "Annotator":
        """Train on `inputs`; with `warm_start`, go on from that model in a few steps.

        Confidence is calibrated on labeled cells out of fold; going on from an earlier model
        keeps that model's calibration.

        Cells without counts are left out. Types with one or two labeled cells are trained on.
        With `checkpoint`, the run is kept in that file while it lasts, and taken up again from it
        if it is there already: the model is then that of an unbroken run. Remove the file once
        the model is saved.

        Raises
        ------
        LabelsUnusable
            If fewer than two types have labeled cells with counts.
        SettingInvalid
            If `warm_start` has other genes, batches or model settings.
        TrainingError
            If the training diverges at once, or `checkpoint` is of another run.
        """
        learned = learn(
            inputs, model_config, train_config,
            hooks=hooks, warm_start=warm_start, checkpoint=checkpoint,
        )  # fmt: skip
        return cls.complete(inputs, learned, warm_start)

    @classmethod
    def complete(
        cls, inputs: Inputs, learned: "Learned", warm_start: "Annotator | None" = None
    ) -> "Annotator":
        """Join a trained network with the linear models and the calibration; see `fit`."""
        data, seed = learned.data, learned.train_config.seed
        annotator = cls(
            genes=inputs.genes,
            label_names=inputs.label_names,
            batch_names=inputs.batch_names,
            parents=dict(inputs.parents),
            model_config=learned.model_config,
            train_config=learned.train_config,
            module=learned.module,
            linear_models=_linear_models(learned, seed),
            scanvi_weight=learned.weight,
            history=learned.history,
            validation=np.zeros(len(inputs.y), dtype=bool),
        )
        annotator.validation[learned.usable] = data.validation
        if warm_start is not None:
            annotator.calibration = warm_start.calibration
        else:
            annotator._calibrate(learned)
        return annotator

    def _calibrate(self, learned: "Learned") -> None:
        """Fit the temperature on labeled cells, each judged by models that were not shown it."""
        data, random = learned.data, np.random.default_rng(self.train_config.seed)
        judged = linear_models_out_of_fold(
            data.counts, data.y, data.n_labels, random,
            components=self.linear_models.space, allowed=learned.allowed,
        )  # fmt: skip
        self.calibration = fit_temperature(judged, data.y)
        self.out_of_fold = np.full((len(self.validation), data.n_labels), np.nan, np.float32)
        self.out_of_fold[learned.usable] = judged

    def hand_over(self, module: SCANVI, inputs: Inputs, model_config: ModelConfig) -> None:
        """Copy the weights into a fresh network for `inputs`, type by type.

        A type that is new here begins with those of the nearest one that it stands under.

        Raises
        ------
        SettingInvalid
            If this model has other genes, batches or settings.
        """
        wrong = [
            name
            for name, same in (
                ("genes", self.genes == inputs.genes),
                ("batches", self.batch_names == inputs.batch_names),
                ("model settings", self.model_config == model_config),
            )
            if not same
        ]
        if wrong:
            raise SettingInvalid(
                f"The earlier model has other {' and '.join(wrong)}.", "Train from the start."
            )
        old, tree = {name: code for code, name in enumerate(self.label_names)}, inputs.tree
        above = ([old[n] for n in tree.above(name) if n in old] for name in inputs.label_names)
        carry_over(self.module, module, np.array([next(iter(codes), -1) for codes in above]))


def _linear_models(learned: Learned, seed: int) -> LinearModels:
    data = learned.data
    random = np.random.default_rng(seed)  # not that of the components: they may be known already
    space = learned.space or components_of(data.counts, np.random.default_rng(seed))
    return fit_linear_models(
        data.counts, data.y, data.n_labels, random, space, data.soft, learned.allowed
    )


def warm_up() -> None:
    """Train on a few random cells, so that the first real training does not wait for imports."""
    random = np.random.default_rng(0)
    counts = sparse.csr_array(1.0 + random.poisson(1.0, (40, 20)), dtype=np.float32)
    y, one = np.arange(40) % 2, np.zeros(40, dtype=np.int64)
    inputs = Inputs(counts, tuple("abcdefghijklmnopqrst"), y, ("a", "b"), one, ("a",))
    Annotator.fit(inputs, ModelConfig(), TrainConfig(max_epochs=1, device="cpu"))


def _retrain(config: TrainConfig) -> TrainConfig:
    return replace(config, learning_rate=RETRAIN_LEARNING_RATE, kl_warmup=0.0)
