"""A trained model and everything that can be asked of it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
import torch
from scipy import sparse

from scanvi_core.annotation.genes import differential, expression
from scanvi_core.annotation.genes.differential import DifferentialSettings
from scanvi_core.annotation.model import files
from scanvi_core.annotation.model.align import align
from scanvi_core.annotation.model.calibration import Calibration
from scanvi_core.annotation.model.linear_models import LinearModels, ensemble
from scanvi_core.annotation.model.network import network
from scanvi_core.annotation.model.prediction import Predictions, summarize
from scanvi_core.config import ModelConfig, TrainConfig
from scanvi_core.data.blocks.mapped import let_go
from scanvi_core.data.blocks.rows import filled_rows, take_rows
from scanvi_core.errors import DataDamaged, InputError
from scanvi_core.keys import as_now
from scanvi_core.module import SCANVI
from scanvi_core.runtime import choose_device
from scanvi_core.train.history import TrainingHistory
from scanvi_core.train.loader import blocks, rows_of
from scanvi_core.type_tree import TypeTree, of_one


@dataclass(slots=True)
class TrainedModel:
    """A trained network with everything needed to name cells with it.

    `scanvi_weight` is how much the network counts in the answer against each linear model.
    `history` is that of the training; `validation` [n] marks the cells whose labels were watched;
    `out_of_fold` [n, K] is what the linear models say about labeled cells while they do not know
    their labels, NaN for others (all three empty after `load`, the last after going on from an
    earlier model, too).
    """

    genes: tuple[str, ...]
    label_names: tuple[str, ...]
    batch_names: tuple[str, ...]
    parents: dict[str, tuple[str, ...]]
    model_config: ModelConfig
    train_config: TrainConfig
    module: SCANVI
    linear_models: LinearModels
    scanvi_weight: float = 1.0
    calibration: Calibration = field(default_factory=Calibration)
    history: TrainingHistory = field(default_factory=TrainingHistory)
    validation: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=bool))
    out_of_fold: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), dtype=np.float32))

    def align(self, counts: sparse.csr_array, genes: Sequence[str]) -> sparse.csr_array:
        """Return the counts of this model's genes, found by name; see `align.align`."""
        return align(counts, genes, self.genes)

    @torch.no_grad()
    def predict(
        self,
        counts: sparse.csr_array,
        genes: Sequence[str] | None = None,
        out: Predictions | None = None,
    ) -> Predictions:
        """Say everything the model knows about cells; those without counts get rows of NaN.

        Parameters
        ----------
        counts
            Counts [n, genes].
        genes
            Names of the columns, found in the model by name: their order does not matter, and
            genes of the model that are missing are read as zeros. None only for counts that were
            cut out by `genes` of this very model, in its order.
        out
            Arrays to write into, of the shapes and types of the result; they may be files mapped
            for writing, whose pages are given back (their room should be reserved: on a full disk
            a map ends the process). None makes them in memory.

        Raises
        ------
        InputError
            If too few genes are those of the model.
        ValueError
            If `out` has other shapes.
        """
        counts = self._own_columns(counts, genes)
        filled = filled_rows(counts)
        source = rows_of(counts, self.module.device)
        sizes = counts.shape[0], len(self.label_names), self.model_config.n_latent
        result = out or Predictions.empty(*sizes)
        result.check(*sizes)
        final, alone, z1, z2 = arrays = result.arrays
        for array in arrays:
            array[~filled] = np.nan
        self.module.eval()
        for block in blocks(np.flatnonzero(filled)):
            parts = self.module.predict(source.fetch(block))
            alone[block], z1[block], z2[block] = (part.cpu().numpy() for part in parts)
            linear = self.linear_models.predict(take_rows(counts, block))
            together = ensemble(alone[block], *linear, weight=self.scanvi_weight)
            final[block] = self.calibration.apply(together)
            let_go(*arrays)
        return result

    def predict_labels(
        self, counts: sparse.csr_array, genes: Sequence[str] | None = None
    ) -> np.ndarray:
        """Return the name of the likeliest type of each cell [n]; None without counts."""
        codes = summarize(self.predict(counts, genes).probabilities).label
        return np.array([*self.label_names, None], dtype=object)[codes]

    def predict_proba(
        self, counts: sparse.csr_array, genes: Sequence[str] | None = None
    ) -> np.ndarray:
        """Return the calibrated probabilities [n, K], float32, in the order of `label_names`."""
        return self.predict(counts, genes).probabilities

    def get_latent_representation(
        self, counts: sparse.csr_array, genes: Sequence[str] | None = None
    ) -> np.ndarray:
        """Return the posterior mean of the cell states z1 [n, L], float32."""
        return self.predict(counts, genes).z1

    def get_normalized_expression(
        self,
        counts: sparse.csr_array,
        genes: Sequence[str] | None = None,
        *,
        batches: Sequence[str] | None = None,
        transform_batch: Sequence[str] = (),
        library_size: float | Literal["latent"] = 1.0,
        n_samples: int = 1,
    ) -> np.ndarray:
        """Return what the model thinks each cell expresses, [n, genes], float32, dense.

        Parameters
        ----------
        counts, genes
            As `predict`.
        batches
            Name of each cell's batch [n]; needed where the model knows several, unless
            `transform_batch` is given.
        transform_batch
            Decode every cell as if it came from these batches, and average.
        library_size
            What each row sums to; ``latent``: the library size of each cell.
        n_samples
            1 decodes the mean of the state, without randomness; more average that many draws of
            it, the same in every call.

        Raises
        ------
        InputError
            If too few genes are those of the model, or a batch is not known to it.
        """
        counts = self._own_columns(counts, genes)
        as_batches = self.batch_codes(transform_batch).tolist() or None
        return expression.normalized_expression(
            self.module,
            counts,
            None if as_batches else self._batch_index(batches, counts.shape[0]),
            transform_batch=as_batches,
            library_size=library_size,
            n_samples=n_samples,
        )

    def differential_expression(
        self,
        counts: sparse.csr_array,
        groups: tuple[np.ndarray, np.ndarray],
        genes: Sequence[str] | None = None,
        *,
        batches: Sequence[str] | None = None,
        settings: DifferentialSettings | None = None,
    ) -> pd.DataFrame:
        """Compare the cells of two groups gene by gene; see `differential.compare`.

        Parameters
        ----------
        counts, genes, batches
            As `get_normalized_expression`.
        groups
            Cells of the first and of the second group: positions, or masks [n].
        settings
            How they are compared.

        Returns
        -------
        DataFrame with a row for each gene of the model, named by it.
        """
        counts = self._own_columns(counts, genes)
        batch_index = self._batch_index(batches, counts.shape[0])
        table = differential.compare(
            self.module, counts, groups, batch_index, settings or DifferentialSettings()
        )
        return table.set_axis(pd.Index(self.genes, name="gene"), axis=0)

    def batch_codes(self, names: Sequence[str]) -> np.ndarray:
        """Return the code of each batch name.

        Raises
        ------
        InputError
            If the model was not trained on a batch of that name.
        """
        order = {name: code for code, name in enumerate(self.batch_names)}
        unknown = sorted({str(name) for name in names} - set(order))
        if unknown:
            raise InputError(
                f"The model knows no batch {', '.join(unknown[:3])}; it knows "
                f"{', '.join(self.batch_names[:5])}.",
                "Train with both, or decode as a batch that it knows.",
            )
        return np.array([order[str(name)] for name in names], dtype=np.int64)

    def _batch_index(self, batches: Sequence[str] | None, n: int) -> np.ndarray:
        if batches is None and len(self.batch_names) == 1:
            return np.zeros(n, dtype=np.int64)
        if batches is None or len(batches) != n:
            raise InputError(
                f"The model knows {len(self.batch_names)} batches, but there are "
                f"{0 if batches is None else len(batches)} batch names for {n} cells.",
                "Give the name of each cell's batch.",
            )
        return self.batch_codes(batches)

    def _own_columns(
        self, counts: sparse.csr_array, genes: Sequence[str] | None
    ) -> sparse.csr_array:
        if genes is not None:
            return self.align(counts, genes)
        if counts.shape[1] != len(self.genes):
            raise InputError(
                f"The counts have {counts.shape[1]} genes, the model {len(self.genes)}.",
                "Give the names of the genes.",
            )
        return counts

    def save(self, folder: Path) -> None:
        """Write the model into `folder`: safetensors and one JSON file, no pickle."""
        record = {
            "genes": self.genes,
            "label_names": self.label_names,
            "batch_names": self.batch_names,
            "parents": self.parents,
            "model": asdict(self.model_config),
            "train": asdict(self.train_config),
            "calibration": asdict(self.calibration),
            "scanvi_weight": self.scanvi_weight,
        }
        weights = {name: w.cpu().numpy() for name, w in self.module.state_dict().items()}
        files.write(folder, record, weights, self.linear_models.tensors())

    @classmethod
    def load(cls, folder: Path, device: str = "auto") -> Self:
        """Read what `save` wrote.

        Raises
        ------
        ProjectError
            If `folder` holds no complete model of this format, or a damaged one.
        """
        try:
            return cls._made_of(*files.read(folder), device)
        except files.DAMAGE as error:
            raise DataDamaged(
                f"The model in {folder} is damaged.", "Train again, or go back to another model."
            ) from error

    @classmethod
    def _made_of(
        cls,
        record: dict[str, Any],
        weights: dict[str, np.ndarray],
        linear: dict[str, np.ndarray],
        device: str,
    ) -> Self:
        record = as_now(record)
        genes, names, batches = (
            tuple(record[key]) for key in ("genes", "label_names", "batch_names")
        )
        model_config = ModelConfig(**record["model"])
        parents = of_one(record["parents"])
        module = network(len(genes), len(batches), TypeTree(names, parents), model_config)
        module.load_state_dict({name: torch.from_numpy(w) for name, w in weights.items()})
        return cls(
            genes=genes,
            label_names=names,
            batch_names=batches,
            parents=parents,
            model_config=model_config,
            train_config=TrainConfig(**as_now(record["train"])),
            module=module.to(choose_device(device)).eval(),
            linear_models=LinearModels.from_tensors(linear, len(names)),
            scanvi_weight=record.get("scanvi_weight", 1.0),  # as in earlier versions
            calibration=Calibration(**record["calibration"]),
        )
