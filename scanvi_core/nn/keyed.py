"""Noise that belongs to a cell's place in the minibatch, whoever computes that cell.

Where several processes share the cells of a minibatch, each draws for its own cells the numbers
that a single process would have drawn for them. A number is a hash of seed, step, draw, and place,
by the mixing function of SplitMix64 (Steele, Lea and Flood 2014, 10.1145/2714064.2660195).
"""

import math
from dataclasses import dataclass
from typing import Optional

import torch
from torch import Tensor

WORD = 2**64
GOLDEN = 0x9E3779B97F4A7C15
MIXERS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1))
FRACTION = 53  # bits of a float64


@dataclass
class KeyedNoise:
    """The numbers for some cells of a minibatch, in one step of a run.

    Parameters
    ----------
    key
        Of run, step, and kind of minibatch; see `key_of`.
    first, n_cells
        Place of the first of these cells in the whole minibatch, and the cells of that.
    entries
        For draws at the counts above 0: place of each in the flattened whole minibatch, int64 [n].
    following
        What the next group of cells in the same step draws from.
    """

    key: int
    first: int
    n_cells: int
    entries: Tensor | None = None
    following: Optional["KeyedNoise"] = None
    draws: int = 0

    def normal(self, like: Tensor) -> Tensor:
        """Return standard normal noise of the shape of `like`, by Box and Muller."""
        places = self._places(like) * 2
        radius, angle = (uniform(hashed(places + i, self._next(i))) for i in (0, 1))
        # 1 - u lies in (0, 1], whose logarithm is finite
        noise = (-2.0 * torch.log1p(-radius)).sqrt() * torch.cos(2.0 * math.pi * angle)
        return noise.to(like.dtype)

    def words(self, like: Tensor) -> Tensor:
        """Return uniform 16-bit integers, as numbers of the type and shape of `like`."""
        return (hashed(self._places(like), self._next(0)) >> 48).to(like.dtype)

    def _next(self, part: int) -> int:
        self.draws += part == 0
        return key_of(self.key, self.draws)

    def _places(self, like: Tensor) -> Tensor:
        """Return the place of each number in what a single process would draw, int64."""
        if like.dim() == 1 and self.entries is not None:
            return self.entries
        width = like.shape[-1]
        stacked = like.reshape(-1, like.shape[-2], width)
        layer, cell, column = (torch.arange(n, device=like.device) for n in stacked.shape)
        row = layer[:, None] * self.n_cells + self.first + cell
        return (row[..., None] * width + column).reshape(like.shape)


def key_of(*parts: int) -> int:
    """Return one 64-bit key for several whole numbers; their order matters."""
    key = 0
    for part in parts:
        key = (key + part + GOLDEN) % WORD
        for shift, factor in MIXERS:
            key = (key ^ (key >> shift)) * factor % WORD
    return key


def hashed(places: Tensor, key: int) -> Tensor:
    """Return 64 random bits for each place, int64."""
    bits = places * signed(GOLDEN) + signed(key)
    for shift, factor in MIXERS:
        bits = (bits ^ logical_shift(bits, shift)) * signed(factor)
    return bits


def uniform(bits: Tensor) -> Tensor:
    """Return 64 random bits as a float64 from 0 to 1, 1 excluded."""
    return logical_shift(bits, 64 - FRACTION).double() * 2.0**-FRACTION


def logical_shift(bits: Tensor, by: int) -> Tensor:
    """Shift right and fill up with zeros; torch's shift fills up with the sign."""
    return (bits >> by) & (2 ** (64 - by) - 1)


def signed(word: int) -> int:
    """Return an unsigned 64-bit number as the signed one with the same bits."""
    return word - WORD if word >= WORD // 2 else word
