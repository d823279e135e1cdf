"""Parts of a foreign file, HDF5 or zarr, checked to be what a reader takes them for.

Libraries raise what they please for a part that is missing, damaged or of another kind. Here it
becomes one error, with the library's as its cause, and nothing else does: an error that comes from
anywhere else is a fault of the program and is never taken for one of the file.
"""

import asyncio
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

FAILED = "the library that reads such files failed on it"
NUMBERS = "biuf"  # kinds of numpy types that hold plain numbers


class Unreadable(Exception):
    """A part of a file is missing, damaged or not what it has to be: the rest of a sentence."""


def is_damage(error: Exception) -> bool:
    """Tell whether HDF5 itself raised an error, and not a program that asks for a wrong key."""
    return not isinstance(error, KeyError) or "synchronously" in str(error)


def is_group(node: Any) -> bool:
    """Tell whether a part of a file holds other parts."""
    return hasattr(node, "keys")


def part_in(parent: Any, name: str) -> Any:
    """Return a part of a group, whatever it is.

    Raises
    ------
    Unreadable
        If it is missing or damaged.
    """
    try:
        is_there = is_group(parent) and name in parent
    except (TypeError, ValueError, KeyError, OSError, RuntimeError) as error:
        raise Unreadable(FAILED) from error
    if not is_there:
        raise Unreadable(f"{name} is missing")
    return read(parent, name)


def group_in(parent: Any, name: str, needed: Iterable[str] = ()) -> Any:
    """Return the group `name` of a group, which has to hold the parts `needed`.

    Raises
    ------
    Unreadable
        If it does not.
    """
    node = part_in(parent, name)
    if not is_group(node):
        raise Unreadable(f"{name} is no group")
    for part in needed:
        if part not in node:
            raise Unreadable(f"{name}/{part} is missing")
    return node


def names_in(node: Any) -> list[str]:
    """Return the names of the parts of a group.

    Raises
    ------
    Unreadable
        If they cannot be listed.
    """
    try:
        return list(node)
    except (TypeError, ValueError, KeyError, OSError, RuntimeError) as error:
        names = _names_stored(node)
        if not names:
            raise Unreadable("its parts cannot be listed") from error
        return names


def _names_stored(node: Any) -> list[str]:
    """Return what the store of a zarr group lists in it.

    zarr lists nothing where it cannot read one of the parts: it is damaged, or of a type that a
    later release brought (records, since zarr 3.2).
    """
    store, path = getattr(node, "store", None), getattr(node, "path", "")
    if store is None:
        return []

    async def listed() -> list[str]:
        return [name async for name in store.list_dir(path)]

    own = {"zarr.json", ".zgroup", ".zattrs", ".zmetadata"}
    with ThreadPoolExecutor(1) as apart:  # whoever reads may have an event loop of its own
        return sorted(set(apart.submit(asyncio.run, listed()).result()) - own)


def array_in(parent: Any, name: str, ndim: int = 1, kinds: str | None = None) -> Any:
    """Return the array `name` of a group, not read yet.

    Parameters
    ----------
    parent
        An open group.
    name
        The part.
    ndim
        Dimensions it has to have.
    kinds
        Kinds of numpy types its values may have; None for any.

    Raises
    ------
    Unreadable
        If it is missing or anything else.
    """
    node = part_in(parent, name)
    if is_group(node) or len(shape_of(node) or ()) != ndim:
        raise Unreadable(f"{name} is no array of {ndim} dimension{'s' if ndim > 1 else ''}")
    kind = dtype_of(node)
    if kind is None or (kinds is not None and kind.kind not in kinds):
        raise Unreadable(f"the type of {name}, {kind or 'unknown here'}, is another one")
    return node


def shape_of(node: Any) -> tuple[int, ...] | None:
    """Return the shape of an array; None of what has none: groups, stored types, empty arrays."""
    return getattr(node, "shape", None)


def stated_shape(node: Any) -> tuple[int, int] | None:
    """Return the shape that a sparse matrix states; None where it states none."""
    stated = np.asarray(attribute(node, "shape", attribute(node, "h5sparse_shape")))
    if stated.shape != (2,) or stated.dtype.kind not in "iuf" or not np.isfinite(stated).all():
        return None
    return int(stated[0]), int(stated[1])


def sparse_format(node: Any) -> str:
    """Return how a group says it stores a sparse matrix: ``csr``, ``csc``, or another word."""
    stated = attribute(node, "encoding-type", attribute(node, "h5sparse_format", ""))
    return text(stated).removesuffix("_matrix")


def dtype_of(node: Any) -> np.dtype | None:
    """Return the type of an array's values; None of a group, or where numpy has no such type."""
    if is_group(node):
        return None
    try:
        return np.dtype(node.dtype)
    except (TypeError, ValueError):
        return None


def attribute(node: Any, name: str, default: Any = None) -> Any:
    """Return an attribute of a part, or a default where it has none.

    Raises
    ------
    Unreadable
        If the library cannot read it.
    """
    try:
        return node.attrs.get(name, default)
    except (TypeError, ValueError, OSError, RuntimeError) as error:
        raise Unreadable(f"its attribute {name} cannot be read") from error


def texts(values: Any) -> list[str]:
    """Return what an attribute lists as texts; a single value is a list of one."""
    return [text(value) for value in np.atleast_1d(np.asarray(values, dtype=object)).ravel()]


def text(value: Any) -> str:
    """Return a value as text, bytes decoded."""
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def read(node: Any, where: Any = ()) -> Any:
    """Return the values of an array, all or those of an index.

    Raises
    ------
    Unreadable
        If the library cannot read them; its error is the cause.
    """
    try:
        return node[where]
    except MemoryError:
        raise
    except Exception as error:
        raise Unreadable(FAILED) from error
