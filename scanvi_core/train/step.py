"""One step of the optimiser for given cells: at once, or in parts where memory runs short."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from scanvi_core.config import TrainConfig
from scanvi_core.errors import TrainingError
from scanvi_core.module import SCANVI
from scanvi_core.train.loader import DeviceRows, TrainingData, rows_of

SHORT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "ALLOC_FAILED")


class Stepper:
    """Takes steps of the optimiser, and adds up what they say about the loss.

    When memory runs out, the minibatch is cut into halves, quarters, ... whose gradients add up
    to those of the whole, for this step and all that follow. The one difference is batch norm,
    which then sees the mean and variance of the part instead of the whole minibatch.

    Parameters
    ----------
    module, data, config
        As for `scanvi_core.train.loop.fit`; the labels of validation cells are hidden already.
    note
        Called with a sentence the user should read.

    Attributes
    ----------
    sums
        Sums over steps [6], on the device: loss, reconstruction, kl, classification, labelled
        cells predicted rightly, labelled cells of a known type.
    """

    def __init__(
        self,
        module: SCANVI,
        data: TrainingData,
        config: TrainConfig,
        note: Callable[[str], None],
    ) -> None:
        self.module, self.config, self.note = module, config, note
        self.n_labels, self.parts = data.n_labels, 1
        self.device = next(module.parameters()).device
        self.noise = torch.Generator(self.device).manual_seed(config.seed)
        self.rows = rows_of(data.counts, self.device)
        # Labels and batches lie where minibatches are cut.
        at = self.device if isinstance(self.rows, DeviceRows) else None
        self.y = torch.tensor(data.y, dtype=torch.int64, device=at)
        self.batch = torch.tensor(data.batch_index, dtype=torch.int64, device=at)
        self.library: Tensor | None = None
        if not module.use_observed_lib_size:
            self.library = library_priors(data).to(self.device)
        self.optimiser = torch.optim.AdamW(
            [p for p in module.parameters() if p.requires_grad],
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
            fused=self.device.type in ("cpu", "cuda"),
            capturable=self.device.type == "cuda",
        )
        self.sums = torch.zeros(6, device=self.device)

    def take(
        self, rows: Tensor, chosen: Tensor, rate: float | Tensor, kl_weight: float | Tensor
    ) -> None:
        """Take one step, in as few parts as memory allows.

        Parameters
        ----------
        rows, chosen
            Row numbers of the minibatch, and of its labelled cells; where the rows are cut.
        rate, kl_weight
            Learning rate and weight of the KL terms.

        Raises
        ------
        TrainingError
            If memory is too small for parts of two cells.
        """
        while not self._fits(rows, chosen, rate, kl_weight):
            self._halve(min(len(rows), len(chosen)))

    def attempt(
        self, rows: Tensor, chosen: Tensor, rate: float | Tensor, kl_weight: float | Tensor
    ) -> None:
        """Take one step as `take` does, with as many parts as were needed so far."""
        parts = max(1, min(self.parts, len(rows) // 2, len(chosen) // 2))
        self.optimiser.zero_grad(set_to_none=True)
        pairs = zip(rows.tensor_split(parts), chosen.tensor_split(parts), strict=True)
        gained = [
            self._add_gradients(r, c, kl_weight, (len(r) / len(rows), len(c) / len(chosen)))
            for r, c in pairs
        ]
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.step()
        for values in gained:
            self.sums.add_(values, alpha=1 / parts)

    def _add_gradients(
        self,
        rows: Tensor,
        chosen: Tensor,
        kl_weight: float | Tensor,
        shares: tuple[float, float],
    ) -> Tensor:
        """Add the gradients of some cells, given their shares of the minibatch; return `sums`."""
        y, batch = self.y[chosen].to(self.device), self.batch[rows].to(self.device)
        mean, var = (None, None) if self.library is None else self.library[:, batch, None]
        terms = self.module.loss(
            self.rows.fetch(rows),
            batch,
            local_l_mean=mean,
            local_l_var=var,
            labelled=(self.rows.fetch(chosen), y),
            kl_weight=kl_weight,
            classification_ratio=self.config.classification_ratio * shares[1] / shares[0],
            generator=self.noise,
        )
        (terms.loss if shares[0] == 1.0 else terms.loss * shares[0]).backward()
        assert terms.log_probs_labelled is not None  # noqa: S101  (labelled cells were given)
        with torch.no_grad():
            typed = y < self.n_labels
            right = (terms.log_probs_labelled.argmax(1) == y) & typed
            return torch.stack([*terms[:4], right.sum(), typed.sum()])

    def _fits(
        self, rows: Tensor, chosen: Tensor, rate: float | Tensor, kl_weight: float | Tensor
    ) -> bool:
        """Take the step; return whether memory sufficed."""
        try:
            self.attempt(rows, chosen, rate, kl_weight)
        except (MemoryError, RuntimeError) as fault:
            if not out_of_memory(fault):
                raise
            return False
        return True

    def _halve(self, n_cells: int) -> None:
        """Cut minibatches into twice as many parts; what the failed step held is free by now."""
        self.parts *= 2
        if 2 * self.parts > n_cells:
            raise TrainingError(
                f"Memory ran out, even with {n_cells} cells in {self.parts // 2} parts.",
                "Close other programs, or use fewer variable genes or a smaller network.",
            )
        self.optimiser.zero_grad(set_to_none=True)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        self.note(
            f"Memory ran short: every step now takes its cells in {self.parts} parts. That is "
            "slower; the model is nearly the same."
        )


def out_of_memory(fault: BaseException) -> bool:
    """Tell whether an error of numpy or torch, on any device, says that memory ran out."""
    if isinstance(fault, (MemoryError, torch.OutOfMemoryError)):
        return True
    return any(words in str(fault) for words in SHORT_OF_MEMORY)


def library_priors(data: TrainingData) -> Tensor:
    """Return mean and variance of the log totals of each batch, [2, n_batch]."""
    logs = np.log(np.asarray(data.counts.sum(axis=1)).ravel())
    priors = np.tile([[logs.mean()], [logs.var()]], data.n_batch)
    for batch in np.unique(data.batch_index):
        own = logs[data.batch_index == batch]
        priors[:, batch] = own.mean(), own.var()
    return torch.as_tensor(priors, dtype=torch.float32)
