"""`Annotator`: learns cell types from labelled and unlabelled cells, and names cells."""

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file as load_arrays
from safetensors.numpy import save_file as save_arrays
from scipy import sparse

from scanvi_core.annotation.calibration import Calibration, fit_temperature
from scanvi_core.annotation.companions import Companions, fit_companions, stack
from scanvi_core.annotation.prediction import Predictions
from scanvi_core.annotation.training_set import (
    TrainingSet,
    build,
    group_names,
    network,
    prior_of,
    training_data,
)
from scanvi_core.config import (
    RETRAIN_LEARNING_RATE,
    RETRAIN_STEPS,
    ModelConfig,
    TrainConfig,
)
from scanvi_core.errors import InputError, ProjectError, SettingInvalid
from scanvi_core.module import SCANVI
from scanvi_core.runtime import choose_device, replacing
from scanvi_core.train.history import History, Hooks
from scanvi_core.train.loader import blocks, rows_of
from scanvi_core.train.loop import fit
from scanvi_core.train.warmstart import carry_over

WEIGHTS, COMPANIONS, RECORD = "model.safetensors", "companions.safetensors", "annotator.json"
FORMAT = 1
__all__ = ["Annotator", "TrainingSet", "group_names", "prior_of", "warm_up"]


@dataclass(slots=True)
class Annotator:
    """A trained model with everything needed to name cells with it.

    Made by `Annotator.fit` or `Annotator.load`. `history` is that of the training;
    `validation` [n] marks the cells whose labels were watched (both empty after `load`).
    """

    genes: tuple[str, ...]
    label_names: tuple[str, ...]
    batch_names: tuple[str, ...]
    groups: dict[str, str]
    model_config: ModelConfig
    train_config: TrainConfig
    module: SCANVI
    companions: Companions
    calibration: Calibration = field(default_factory=Calibration)
    history: History = field(default_factory=History)
    validation: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=bool))

    @classmethod
    def fit(
        cls,
        cells: TrainingSet,
        model_config: ModelConfig,
        train_config: TrainConfig,
        *,
        hooks: Hooks | None = None,
        warm_start: "Annotator | None" = None,
    ) -> "Annotator":
        """Train on `cells`; with `warm_start`, go on from that model in a few steps.

        Cells without counts are left out. Types with one or two labelled cells are trained on.

        Raises
        ------
        LabelsUnusable
            If fewer than two types have labelled cells with counts.
        SettingInvalid
            If `warm_start` has other genes, batches or model settings.
        TrainingError
            If the training diverges at once.
        """
        usable, data = training_data(cells, train_config)
        n_steps = train_config.n_steps(data.counts.shape[0])
        module, schedule = build(cells, model_config, train_config), train_config
        if warm_start is not None:
            warm_start.hand_over(module, cells, model_config)
            schedule, n_steps = _retrain(train_config), RETRAIN_STEPS
        history = fit(module, data, schedule, n_steps=n_steps, hooks=hooks or Hooks())
        companions = fit_companions(
            data.counts,
            data.hide_validation().y,
            data.n_labels,
            np.random.default_rng(train_config.seed),
        )
        annotator = cls(
            genes=cells.genes,
            label_names=cells.label_names,
            batch_names=cells.batch_names,
            groups=dict(cells.groups),
            model_config=model_config,
            train_config=train_config,
            module=module,
            companions=companions,
            history=history,
            validation=np.zeros(len(cells.y), dtype=bool),
        )
        annotator.validation[usable] = data.validation
        watched = np.flatnonzero(data.validation)
        predicted = annotator.predict(data.counts[watched]).probabilities
        annotator.calibration = fit_temperature(predicted, data.y[watched])
        return annotator

    def hand_over(self, module: SCANVI, cells: TrainingSet, model_config: ModelConfig) -> None:
        """Copy the weights into a fresh network for `cells`, type by type.

        Raises
        ------
        SettingInvalid
            If this model has other genes, batches or settings.
        """
        wrong = [
            name
            for name, same in (
                ("genes", self.genes == cells.genes),
                ("batches", self.batch_names == cells.batch_names),
                ("model settings", self.model_config == model_config),
            )
            if not same
        ]
        if wrong:
            raise SettingInvalid(
                f"The earlier model has other {' and '.join(wrong)}.", "Train from the start."
            )
        old = {name: code for code, name in enumerate(self.label_names)}
        carry_over(self.module, module, np.array([old.get(n, -1) for n in cells.label_names]))

    @torch.no_grad()
    def predict(self, counts: sparse.csr_array) -> Predictions:
        """Name the cells of `counts` [n, genes]; cells without counts get rows of NaN.

        Raises
        ------
        InputError
            If the number of genes is not that of the model.
        """
        n, n_genes = counts.shape
        if n_genes != len(self.genes):
            raise InputError(
                f"The counts have {n_genes} genes, the model {len(self.genes)}.",
                "Give the genes of the model, in its order.",
            )
        rows = np.flatnonzero(np.asarray(counts.sum(axis=1)).ravel() > 0)
        source = rows_of(counts, next(self.module.parameters()).device)
        k, d = len(self.label_names), self.model_config.n_latent
        final, alone, z1, z2 = (np.full((n, w), np.nan, np.float32) for w in (k, k, d, d))
        self.module.eval()
        for block in blocks(rows):
            x = source.fetch(block)
            alone[block] = self.module.classify(x).cpu().numpy()
            z1[block], z2[block] = (z.cpu().numpy() for z in self.module.get_latents(x))
            together = stack(alone[block], *self.companions.predict(counts[block]))
            final[block] = self.calibration.apply(together)
        return Predictions(final, alone, z1, z2)

    def save(self, folder: Path) -> None:
        """Write the model into `folder`: safetensors and one JSON file, no pickle."""
        folder.mkdir(parents=True, exist_ok=True)
        weights = {name: w.cpu().numpy() for name, w in self.module.state_dict().items()}
        arrays = ((WEIGHTS, weights), (COMPANIONS, self.companions.tensors()))
        for name, values in arrays:
            with replacing(folder / name) as path:
                save_arrays({k: np.ascontiguousarray(v) for k, v in values.items()}, path)
        record = {
            "format": FORMAT,
            "genes": self.genes,
            "label_names": self.label_names,
            "batch_names": self.batch_names,
            "groups": self.groups,
            "model": asdict(self.model_config),
            "train": asdict(self.train_config),
            "calibration": asdict(self.calibration),
        }
        with replacing(folder / RECORD) as path:  # last: a folder with this file is complete
            path.write_text(json.dumps(record, indent=1, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, device: str = "auto") -> "Annotator":
        """Read what `save` wrote.

        Raises
        ------
        ProjectError
            If `folder` holds no complete model of this format.
        """
        if not (folder / RECORD).exists():
            raise ProjectError(f"No model in {folder}.", "Train one first.")
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        if record["format"] != FORMAT:
            raise ProjectError(
                f"The model in {folder} has format {record['format']}.",
                "Open it with the version of the program that wrote it, or train again.",
            )
        names = tuple(record["label_names"])
        model_config = ModelConfig(**record["model"])
        module = network(
            len(record["genes"]), len(record["batch_names"]), names, record["groups"], model_config
        )
        weights = load_arrays(folder / WEIGHTS)
        module.load_state_dict({name: torch.from_numpy(w) for name, w in weights.items()})
        return cls(
            genes=tuple(record["genes"]),
            label_names=names,
            batch_names=tuple(record["batch_names"]),
            groups=record["groups"],
            model_config=model_config,
            train_config=TrainConfig(**record["train"]),
            module=module.to(choose_device(device)).eval(),
            companions=Companions.from_tensors(load_arrays(folder / COMPANIONS), len(names)),
            calibration=Calibration(**record["calibration"]),
        )


def warm_up() -> None:
    """Train on a few random cells, so that the first real training does not wait for imports."""
    random = np.random.default_rng(0)
    counts = sparse.csr_array(1.0 + random.poisson(1.0, (40, 20)), dtype=np.float32)
    y, one = np.arange(40) % 2, np.zeros(40, dtype=np.int64)
    cells = TrainingSet(counts, tuple("abcdefghijklmnopqrst"), y, ("a", "b"), one, ("a",))
    Annotator.fit(cells, ModelConfig(), TrainConfig(max_epochs=1, device="cpu"))


def _retrain(config: TrainConfig) -> TrainConfig:
    return replace(config, learning_rate=RETRAIN_LEARNING_RATE, kl_warmup=0.0)
