"""The processes that train one network together, as ``torchrun`` starts them.

Each holds the whole network and draws the same minibatches; it computes the gradients of its share
of the cells, and the shares' gradients are added up. The minibatch, and with
:mod:`scanvi_core.nn.keyed` its noise, do not depend on how many processes there are.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor

from scanvi_core.errors import SettingInvalid, TeamBroken

TIMEOUT = timedelta(minutes=10)  # a process may be reading from a slow disk; a dead one is noticed


@dataclass(slots=True)
class Team:
    """One process among those of a run; `rank` counts from 0.

    `stop` tells that this process was asked to stop, `stopping` that one of them all was.
    """

    rank: int
    size: int
    stop: bool = False
    stopping: bool = False

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes and reports."""
        return self.rank == 0

    def share(self, n_rows: int, n_chosen: int) -> tuple[slice, slice]:
        """Return this process's part of a minibatch and of its labeled cells.

        The first process takes all of a minibatch too small to give every one a cell.
        """
        if min(n_rows, n_chosen) < self.size:
            whole = (n_rows, n_chosen) if self.first else (0, 0)
            return slice(whole[0]), slice(whole[1])
        return self._part(n_rows), self._part(n_chosen)

    def _part(self, n: int) -> slice:
        return slice(n * self.rank // self.size, n * (self.rank + 1) // self.size)

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its sum over the processes, and learn whether one is to stop."""
        if self.size == 1:
            self.stopping = self.stop
            return
        flag = tensors[0].new_full((1,), float(self.stop))
        flat = torch.cat([*(tensor.reshape(-1) for tensor in tensors), flag])
        with _together(self.size):
            torch.distributed.all_reduce(flat)
        sums = flat.split([*(tensor.numel() for tensor in tensors), 1])
        for tensor, summed in zip(tensors, sums, strict=False):
            tensor.copy_(summed.view_as(tensor))
        self.stopping = bool(sums[-1] > 0)


@contextmanager
def _together(size: int) -> Iterator[None]:
    """Say in words that a process is gone for which the others wait, in whatever they do.

    Raises
    ------
    TeamBroken
        If one is.
    """
    try:
        yield
    except RuntimeError as error:  # of which those of torch.distributed are
        raise TeamBroken(
            f"Another of the {size} processes that train together has ended.",
            "Start the training again: it goes on from its last checkpoint.",
        ) from error


def team() -> Team | None:
    """Return this thread's place in its team; None where it trains in the ordinary way."""
    return _team.get()


@contextmanager
def joined(device: torch.device) -> Iterator[Team]:
    """Belong to the team that ``torchrun`` started, for a while.

    NCCL carries the gradients between graphics cards, gloo between processors. Where nothing
    started this process as one of several, it is a team of its own: as in any team, the random
    numbers then depend on seed, step and cell only, so that it ends with the model of several.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    several = size > 1
    me = Team(0, 1)
    if several:
        backend = "nccl" if device.type == "cuda" else "gloo"
        with _together(size):
            torch.distributed.init_process_group(backend, timeout=TIMEOUT)
        me = Team(torch.distributed.get_rank(), torch.distributed.get_world_size())
    before = _team.set(me)
    try:
        yield me
        if several:
            with _together(size):
                torch.distributed.barrier()  # nobody leaves while another still sends
    finally:
        _team.reset(before)
        if several:
            torch.distributed.destroy_process_group()


def check_norm(use_layer_norm: bool, size: int) -> None:
    """Refuse batch norm for several processes: each would see its own cells' mean only.

    Raises
    ------
    SettingInvalid
        If the network has batch norm and there is more than one process.
    """
    if size > 1 and not use_layer_norm:
        raise SettingInvalid(
            f"The run has batch norm, whose means {size} processes would each take of their own "
            "cells.",
            "Turn on layer norm (Train page, Advanced) and begin the run again.",
        )


# by thread: another training of this program may be in no team
_team: ContextVar[Team | None] = ContextVar("team", default=None)
