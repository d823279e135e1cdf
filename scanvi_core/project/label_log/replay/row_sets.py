"""Sets of cells, and one value per cell of a set, as few bytes as possible.

A set of cells is kept as a bit per cell where it holds at least every eighth, else as the steps
from one row to the next, and made smaller by zlib; the first byte tells which.
"""

import zlib

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scanvi_core.errors import LogDamaged, SettingInvalid

Rows = NDArray[np.int64]
Codes = NDArray[np.int32]
Sources = NDArray[np.uint8]

N_SOURCES = 4  # none, given, manual, accepted: two bits beside the code
_BITS, _STEPS, _ONE = b"b", b"s", b"1"
_WIDTHS = ("<u1", "<u2", "<u4")
_MOST = np.iinfo("<u4").max


def as_rows(rows: ArrayLike, n_obs: int) -> Rows:
    """Return row positions sorted and without repeats.

    Raises
    ------
    SettingInvalid
        If a position is not a whole number from 0 to ``n_obs - 1``.
    """
    positions = np.asarray(rows)
    if positions.size and positions.dtype.kind not in "iu":
        raise SettingInvalid("The cells are not given by their row positions.")
    lowest, highest = positions.min(initial=0), positions.max(initial=-1)
    if lowest < 0 or highest >= n_obs:
        seen = lowest if lowest < 0 else highest
        raise SettingInvalid(
            f"Row {seen} was named, but the data set has {n_obs} cells.",
            "Select the cells again.",
        )
    mask = np.zeros(n_obs, dtype=np.bool_)  # ten times faster than sorting a large selection
    mask[positions.astype(np.int64)] = True
    return np.flatnonzero(mask)


def pack_rows(rows: Rows, n_obs: int) -> bytes:
    """Return the compact form of sorted, distinct row positions below `n_obs`."""
    if len(rows) * 8 < n_obs:
        return _STEPS + _pack_numbers(np.diff(rows, prepend=-1))
    mask = np.zeros(n_obs, dtype=np.bool_)
    mask[rows] = True
    return _BITS + _squeeze(np.packbits(mask))


def unpack_rows(blob: bytes, n_obs: int) -> Rows:
    """Return the sorted row positions that `pack_rows` stored.

    Raises
    ------
    ProjectError
        If the bytes are damaged or name rows the data set does not have.
    """
    try:
        if blob[:1] == _BITS:
            bits = np.frombuffer(inflate(blob[1:], -(-n_obs // 8)), dtype=np.uint8)
            return np.flatnonzero(np.unpackbits(bits, count=n_obs))
        steps = _unpack_numbers(blob[1:], n_obs)
    except (zlib.error, ValueError, IndexError) as error:
        raise _damaged() from error
    rows = np.cumsum(steps) - 1
    if rows.size and (rows[-1] >= n_obs or not steps.all()):
        raise _damaged()
    return rows


def pack_values(codes: Codes, sources: Sources) -> bytes:
    """Return the compact form of one label code (-1: none) and one source per cell."""
    pairs = (codes.astype(np.int64) + 1) * N_SOURCES + sources
    if pairs.size and np.all(pairs == pairs[0]):
        return _ONE + int(pairs[0]).to_bytes(8, "little")
    return _STEPS + _pack_numbers(pairs)


def unpack_values(blob: bytes, n: int) -> tuple[Codes, Sources]:
    """Return the `n` codes and sources that `pack_values` stored.

    Raises
    ------
    ProjectError
        If the bytes are damaged or hold another number of cells.
    """
    try:
        if blob[:1] == _ONE:
            pairs = np.full(n, int.from_bytes(blob[1:9], "little"), dtype=np.int64)
        else:
            pairs = _unpack_numbers(blob[1:], n)
    except (zlib.error, ValueError, IndexError, OverflowError) as error:
        raise _damaged() from error
    if len(pairs) != n or pairs.max(initial=0) > _MOST:
        raise _damaged()
    codes, sources = np.divmod(pairs, N_SOURCES)
    return (codes - 1).astype(np.int32), sources.astype(np.uint8)


def _pack_numbers(numbers: NDArray[np.int64]) -> bytes:
    """Return non-negative numbers below 2**32 at the smallest width that holds them."""
    largest = int(numbers.max(initial=0))
    width = next(i for i, kind in enumerate(_WIDTHS) if largest <= np.iinfo(kind).max)
    return bytes([width]) + _squeeze(numbers.astype(_WIDTHS[width]))


def _squeeze(array: NDArray[np.unsignedinteger]) -> bytes:
    """Return an array's bytes, compressed by runs: selections repeat nothing but runs.

    Half the wait of zlib's level 1, and smaller, for scattered cells and for blocks alike.
    """
    packer = zlib.compressobj(level=1, strategy=zlib.Z_RLE)
    return packer.compress(array.tobytes()) + packer.flush()


def _unpack_numbers(blob: bytes, most: int) -> NDArray[np.int64]:
    """Return at most `most` numbers."""
    kind = np.dtype(_WIDTHS[blob[0]])
    return np.frombuffer(inflate(blob[1:], most * kind.itemsize), dtype=kind).astype(np.int64)


def inflate(blob: bytes, most: int) -> bytes:
    """Return what zlib packed, without taking memory for more than `most` bytes.

    Raises
    ------
    ValueError
        If it is more, or not whole.
    zlib.error
        If it is nothing that zlib packed.
    """
    unpacker = zlib.decompressobj()
    values = unpacker.decompress(blob, most + 1)
    if len(values) > most or not unpacker.eof:
        raise ValueError(f"more than {most} bytes, or cut off")
    return values


def _damaged() -> LogDamaged:
    return LogDamaged("the cells of an entry cannot be read")
