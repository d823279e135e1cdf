"""`Annotator`: learns cell types from labelled and unlabelled cells, and names cells."""

import json
from collections.abc import Mapping
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
from scanvi_core.config import (
    MIN_LABELS,
    RETRAIN_LEARNING_RATE,
    RETRAIN_STEPS,
    ModelConfig,
    TrainConfig,
)
from scanvi_core.errors import InputError, LabelsUnusable, ProjectError, SettingInvalid
from scanvi_core.module import SCANVI
from scanvi_core.runtime import choose_device, replacing
from scanvi_core.train.history import History, Hooks
from scanvi_core.train.loader import TrainingData, blocks, rows_of
from scanvi_core.train.loop import fit
from scanvi_core.train.sampler import choose_validation
from scanvi_core.train.warmstart import carry_over

WEIGHTS, COMPANIONS, RECORD = "model.safetensors", "companions.safetensors", "annotator.json"
FORMAT = 1
MIN_PRIOR = 1e-4  # a type with prior 0 makes the loss infinite


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """The cells an `Annotator` learns from.

    Parameters
    ----------
    counts
        Counts [n, genes], CSR, float32.
    genes
        Names of the genes.
    y
        Label codes [n]: -1 none, 0 to K - 1 a type, K + g only known to be in group g (numbered
        as in `group_names`).
    label_names
        Names of the K types.
    batch_index, batch_names
        Batch codes [n] and their names.
    groups
        Type name to the name of its group; a type left out is a group of its own.
    prior
        Type name to the share of cells expected; types left out share what remains evenly.
    rows
        Cells [n] to train on; None: all of them.
    """

    counts: sparse.csr_array
    genes: tuple[str, ...]
    y: np.ndarray
    label_names: tuple[str, ...]
    batch_index: np.ndarray
    batch_names: tuple[str, ...]
    groups: Mapping[str, str] = field(default_factory=dict)
    prior: Mapping[str, float] = field(default_factory=dict)
    rows: np.ndarray | None = None


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
        usable, data = _training_data(cells, train_config)
        module = build(cells, model_config, train_config)
        n_steps = train_config.n_steps(data.counts.shape[0])
        if warm_start is not None:
            warm_start.check_same_model(cells, model_config)
            old = {name: code for code, name in enumerate(warm_start.label_names)}
            source = np.array([old.get(name, -1) for name in cells.label_names])
            carry_over(warm_start.module, module, source)
            n_steps = RETRAIN_STEPS
        schedule = train_config if warm_start is None else _retrain(train_config)
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

    def check_same_model(self, cells: TrainingSet, model_config: ModelConfig) -> None:
        """Raise `SettingInvalid` unless this model can go on with `cells`."""
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
        module = _network(
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


def group_names(label_names: tuple[str, ...], groups: Mapping[str, str]) -> tuple[str, ...]:
    """Return the groups in the order of their codes: as their first type comes."""
    return tuple(dict.fromkeys(groups.get(name, name) for name in label_names))


def build(cells: TrainingSet, model_config: ModelConfig, train_config: TrainConfig) -> SCANVI:
    """Return a fresh network for `cells` on the training device; the seed decides its weights."""
    module = _network(
        len(cells.genes), len(cells.batch_names), cells.label_names, cells.groups, model_config
    )
    module.draw_parameters(torch.Generator().manual_seed(train_config.seed))
    if cells.prior:
        prior = prior_of(cells.label_names, cells.prior)
        module.y_prior.data = torch.as_tensor(prior, dtype=torch.float32)[None]
    return module.to(choose_device(train_config.device))


def prior_of(label_names: tuple[str, ...], prior: Mapping[str, float]) -> np.ndarray:
    """Return the prior of each type [K], summing to 1; types left out share the rest evenly."""
    given = {name: max(0.0, float(prior[name])) for name in label_names if name in prior}
    rest = max(0.0, 1.0 - sum(given.values())) / max(1, len(label_names) - len(given))
    shares = np.array([given.get(name, rest) for name in label_names])
    shares = np.maximum(shares, MIN_PRIOR)
    return shares / shares.sum()


def _network(
    n_genes: int,
    n_batch: int,
    label_names: tuple[str, ...],
    groups: Mapping[str, str],
    config: ModelConfig,
) -> SCANVI:
    order = {name: code for code, name in enumerate(group_names(label_names, groups))}
    codes = [order[groups.get(name, name)] for name in label_names]
    return SCANVI(
        n_genes,
        n_batch=n_batch,
        n_labels=len(label_names),
        n_hidden=config.n_hidden,
        n_latent=config.n_latent,
        n_layers=config.n_layers,
        dropout_rate=config.dropout_rate,
        dispersion=config.dispersion,
        reconstruction_loss=config.gene_likelihood,
        labels_groups=codes if groups else None,
        use_labels_groups=1 < len(order) < len(label_names),
        use_observed_lib_size=config.use_observed_lib_size,
        encoder_input="log_normalized",
        input_dropout_rate=config.input_dropout_rate,
        use_layer_norm=config.use_layer_norm,
    )


def _training_data(cells: TrainingSet, config: TrainConfig) -> tuple[np.ndarray, TrainingData]:
    """Return the cells that are trained on: their rows, and what the training needs of them."""
    usable = np.asarray(cells.counts.sum(axis=1)).ravel() > 0
    if cells.rows is not None:
        usable &= cells.rows
    counts = cells.counts if usable.all() else cells.counts[usable]
    n_labels = len(cells.label_names)
    known = np.where(usable, cells.y, -1).astype(np.int64)
    y = known[usable]
    present = np.unique(y[(y >= 0) & (y < n_labels)])
    if len(present) < MIN_LABELS:
        names = ", ".join(cells.label_names[code] for code in present) or "none"
        raise LabelsUnusable(
            f"Types with labelled cells that have counts: {names}.",
            f"Name cells of at least {MIN_LABELS} types.",
        )
    random = np.random.default_rng(config.seed)
    validation = choose_validation(known, n_labels, config.validation_fraction, random)[usable]
    batch_index = cells.batch_index[usable].astype(np.int64)
    n_batch = len(cells.batch_names)
    return np.flatnonzero(usable), TrainingData(
        counts, batch_index, n_batch, y, n_labels, validation
    )


def _retrain(config: TrainConfig) -> TrainConfig:
    return replace(config, learning_rate=RETRAIN_LEARNING_RATE, kl_warmup=0.0)
