"""Where the random numbers of the networks come from: one generator, set for a while.

The generator belongs to the thread, not to a module: a training and a map drawn beside it do not
disturb each other, and a compiled step, which cannot carry a generator, draws the same numbers
as a plain one.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

_local = threading.local()


@contextmanager
def drawing_from(generator: torch.Generator | None) -> Iterator[None]:
    """Draw the noise of this thread from `generator` for a while; None changes nothing."""
    before = generator_in_use()
    _local.generator = before if generator is None else generator
    try:
        yield
    finally:
        _local.generator = before


def generator_in_use() -> torch.Generator | None:
    """Return the generator the noise comes from; None is torch's default."""
    return getattr(_local, "generator", None)


def normal_like(like: Tensor) -> Tensor:
    """Return standard normal noise of the shape of `like`."""
    return (_normal_op if torch.compiler.is_compiling() else _normal)(like.detach())


def words_like(like: Tensor) -> Tensor:
    """Return uniform 16-bit integers, as numbers of the type and shape of `like`."""
    return (_words_op if torch.compiler.is_compiling() else _words)(like.detach())


def _normal(like: Tensor) -> Tensor:
    return torch.empty_like(like).normal_(generator=generator_in_use())


def _words(like: Tensor) -> Tensor:
    # Four from each 64-bit draw: drawing is what costs.
    words = torch.empty((like.numel() + 3) // 4, dtype=torch.int64, device=like.device)
    words.random_(-(2**63), None, generator=generator_in_use())
    return words.view(torch.int16)[: like.numel()].view(like.shape).to(like.dtype)


# The compiler sees the draws as black boxes that must be run once each, in the forward pass.
_SEEDED = (torch.Tag.nondeterministic_seeded,)
_normal_op = torch.library.custom_op(
    "scanvi::normal", _normal, mutates_args=(), schema="(Tensor like) -> Tensor", tags=_SEEDED
)
_words_op = torch.library.custom_op(
    "scanvi::words", _words, mutates_args=(), schema="(Tensor like) -> Tensor", tags=_SEEDED
)
for _op in (_normal_op, _words_op):
    _op.register_fake(lambda like: torch.empty(like.shape, dtype=like.dtype, device=like.device))
