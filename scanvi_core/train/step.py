"""One step of the optimizer for given cells: at once, or in parts where memory runs short."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from scanvi_core.config import DISTILLATION, TrainConfig
from scanvi_core.errors import TrainingError
from scanvi_core.module import SCANVI
from scanvi_core.nn.keyed import KeyedNoise, key_of
from scanvi_core.nn.noise import Noise
from scanvi_core.nn.sparse import Counts, SparseRows
from scanvi_core.train.loader import DeviceRows, TrainingData, rows_of
from scanvi_core.train.spikes import SpikeGuard
from scanvi_core.train.team import Team, check_norm, team

SHORT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "ALLOC_FAILED")


class Piece(NamedTuple):
    """Cells whose gradients are computed at once: rows, labeled rows, shares of all of them."""

    rows: Tensor
    chosen: Tensor
    shares: tuple[float, float]
    first: tuple[int, int] = (0, 0)  # place of the first of each in the whole minibatch
    of: tuple[int, int] = (0, 0)  # cells of the whole minibatch


class Stepper:
    """Takes steps of the optimizer, and adds up what they say about the loss.

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
    teacher
        Probabilities [n, n_labels] of all cells that the network's are drawn to, if any.
    trust
        Weight of the teacher, 0 to 1.
    sums
        Sums over steps [6], on the device: loss, reconstruction, kl, classification, labeled
        cells predicted rightly, labeled cells of a known type.
    guard
        Keeps one step's gradients from throwing the run off.
    number
        Of the step that comes next; where several processes train, its noise depends on it.
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
        self.team, self.number = team(), 0
        if self.team is not None:
            check_norm(use_layer_norm=not has_batch_norm(module), size=self.team.size)
        self.device = module.device
        self.noise = torch.Generator(self.device).manual_seed(config.seed)
        self.rows = rows_of(data.counts, self.device)
        # Labels and batches lie where minibatches are cut.
        at = self.device if isinstance(self.rows, DeviceRows) else None
        self.y = torch.tensor(data.y, dtype=torch.int64, device=at)
        self.batch = torch.tensor(data.batch_index, dtype=torch.int64, device=at)
        self.soft = None if data.soft is None else torch.tensor(data.soft, device=at)
        self.teacher, self.trust = self.soft, 1.0
        self.library: Tensor | None = None
        if not module.use_observed_lib_size:
            self.library = library_priors(data).to(self.device)
        self.optimizer = torch.optim.AdamW(
            [p for p in module.parameters() if p.requires_grad],
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
            fused=self.device.type in ("cpu", "cuda"),
            capturable=self.device.type == "cuda",
        )
        self.guard = SpikeGuard(self.device)
        self.sums = torch.zeros(6, device=self.device)

    def take(
        self, rows: Tensor, chosen: Tensor, rate: float | Tensor, kl_weight: float | Tensor
    ) -> None:
        """Take one step, in as few parts as memory allows.

        Parameters
        ----------
        rows, chosen
            Row numbers of the minibatch, and of its labeled cells; where the rows are cut.
        rate, kl_weight
            Learning rate and weight of the KL terms.

        Raises
        ------
        TrainingError
            If memory is too small for parts of two cells.
        """
        while not self._fits(rows, chosen, rate, kl_weight):
            self._halve(min(len(rows), len(chosen)))

    def step_once(
        self, rows: Tensor, chosen: Tensor, rate: float | Tensor, kl_weight: float | Tensor
    ) -> None:
        """Take one step as `take` does, with as many parts as were needed so far."""
        self.optimizer.zero_grad(set_to_none=True)
        pieces = list(self._pieces(rows, chosen))
        gained = [self._add_gradients(piece, kl_weight) for piece in pieces]
        if self.team is not None:
            self._share_gradients(self.team)
        self.guard.shrink(self._parameters())
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        for piece, values in zip(pieces, gained, strict=True):
            self.sums.add_(values, alpha=piece.shares[0])

    def _parameters(self) -> list[Tensor]:
        return [p for group in self.optimizer.param_groups for p in group["params"]]

    def _pieces(self, rows: Tensor, chosen: Tensor) -> Iterator[Piece]:
        """Yield this process's cells of a minibatch, in as many parts as memory needs."""
        n_rows, n_chosen = len(rows), len(chosen)
        first = [0, 0]
        if self.team is not None:
            own_rows, own_chosen = self.team.share(n_rows, n_chosen)
            first = [own_rows.start or 0, own_chosen.start or 0]
            rows, chosen = rows[own_rows], chosen[own_chosen]
            if not len(rows):
                return
        parts = max(1, min(self.parts, len(rows) // 2, len(chosen) // 2))
        for r, c in zip(rows.tensor_split(parts), chosen.tensor_split(parts), strict=True):
            shares = len(r) / n_rows, len(c) / n_chosen
            yield Piece(r, c, shares, (first[0], first[1]), (n_rows, n_chosen))
            first = [first[0] + len(r), first[1] + len(c)]

    def _share_gradients(self, all_of_us: Team) -> None:
        """Add up the gradients of all processes; those of no cell are 0."""
        parameters = self._parameters()
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        all_of_us.add_up([p.grad for p in parameters if p.grad is not None])

    def _add_gradients(self, piece: Piece, kl_weight: float | Tensor) -> Tensor:
        """Add the gradients of some cells; return `sums` for them."""
        rows, chosen, shares = piece.rows, piece.chosen, piece.shares
        y, batch = self.y[chosen].to(self.device), self.batch[rows].to(self.device)
        mean, var = (None, None) if self.library is None else self.library[:, batch, None]
        x, x_labeled = self.rows.fetch(rows), self.rows.fetch(chosen)
        terms = self.module.loss(
            x,
            batch,
            local_l_mean=mean,
            local_l_var=var,
            labeled=(x_labeled, y),
            soft=self._shares(self.soft, chosen),
            teacher=self._shares(self.teacher, rows),
            kl_weight=kl_weight,
            distillation_ratio=self.config.classification_ratio * DISTILLATION * self.trust,
            classification_ratio=self.config.classification_ratio * shares[1] / shares[0],
            generator=self.noise if self.team is None else self._keyed(piece, x, x_labeled),
        )
        (terms.loss if shares[0] == 1.0 else terms.loss * shares[0]).backward()
        log_probs = terms.log_probs_labeled
        if log_probs is None:
            raise ValueError("the loss is without labeled cells")
        with torch.no_grad():
            typed = y < self.n_labels
            right = (log_probs.argmax(1) == y) & typed
            return torch.stack([*terms[:4], right.sum(), typed.sum()])

    def learn_from(self, teacher: np.ndarray, trust: float) -> None:
        """Draw the labels of all cells to these probabilities [n, n_labels] from now on."""
        self.teacher, self.trust = torch.tensor(teacher, device=self.y.device), trust

    def _shares(self, of_all: Tensor | None, rows: Tensor) -> Tensor | None:
        return None if of_all is None else of_all[rows].to(self.device)

    def _keyed(self, piece: Piece, x: Counts, x_labeled: Counts) -> Noise:
        """Return the noise of these cells, the same however the minibatch is shared."""
        return self._noise_of(piece, 0, x, self._noise_of(piece, 1, x_labeled))

    def _noise_of(
        self, piece: Piece, kind: int, counts: Counts, following: KeyedNoise | None = None
    ) -> KeyedNoise:
        first, entries = piece.first[kind], None
        if isinstance(counts, SparseRows):
            entries = counts.positions + first * counts.shape[1]
        key = key_of(self.config.seed, self.number, kind)
        return KeyedNoise(key, first, piece.of[kind], entries, following)

    def _fits(
        self, rows: Tensor, chosen: Tensor, rate: float | Tensor, kl_weight: float | Tensor
    ) -> bool:
        """Take the step; return whether memory sufficed."""
        try:
            self.step_once(rows, chosen, rate, kl_weight)
        except (MemoryError, RuntimeError) as fault:
            # Others of a team would wait for gradients that this process never adds.
            if self.team is not None or not out_of_memory(fault):
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
        self.optimizer.zero_grad(set_to_none=True)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        self.note(
            f"Memory ran short: every step now takes its cells in {self.parts} parts. That is "
            "slower; the model is nearly the same."
        )


def has_batch_norm(module: SCANVI) -> bool:
    """Tell whether a network takes means over the cells of a minibatch."""
    return any(isinstance(part, torch.nn.BatchNorm1d) for part in module.modules())


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
