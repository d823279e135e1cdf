"""The description of one array of a zarr store (version 2 or 3), judged without reading it."""

import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from scanvi_core.errors import FileRefused

RATIO_FROM_BYTES = 2**30
MAX_RATIO = 20_000  # zstd packs a column of one value that tightly; blocks of zeros are left out
CODECS = frozenset(
    {"blosc", "bz2", "gzip", "lz4", "lzma", "zlib", "zstd"}  # packers
    | {"bytes", "crc32", "crc32c", "adler32", "fletcher32", "endian", "transpose", "shuffle"}
    | {"bitround", "delta", "packbits", "sharding_indexed"}
)
TEXT_CODECS = frozenset({"vlen-utf8", "vlen-bytes"})
TEXT_BYTES = {"string": 16, "bytes": 16, "variable_length_bytes": 16}  # for each, roughly
CLEAN_COPY = (
    "Only open data from a source you trust. If you do: load it in scanpy where it was made and "
    "save it with adata.write_h5ad."
)
DAMAGED = "Copy or download the whole store again and compare its size with the source."


@dataclass(frozen=True, slots=True)
class Array:
    """An array as described.

    Attributes
    ----------
    path
        Where it lies in the store.
    shape, chunks
        Of the array and of the block that is unpacked at a time.
    itemsize
        Bytes of one value; an estimate for text.
    n_blocks
        Files that the whole array takes.
    is_object
        Whether values are Python objects, which a codec has to make.
    codecs
        Names of everything that unpacks it, in the order of the description.
    """

    path: str
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    itemsize: int
    n_blocks: int
    is_object: bool
    codecs: tuple[str, ...]


def arrays_of(name: str, content: bytes, store: str) -> list[Array]:
    """Return the arrays that a description file speaks of; consolidated ones speak of many.

    Raises
    ------
    FileRefused
        If it is not JSON or does not make sense.
    """
    folder, _, last = name.rpartition("/")
    try:
        described = json.loads(content)
        if last == ".zarray":
            return [_version_2(folder, described)]
        if last == ".zmetadata":
            return [
                _version_2(_join(folder, key.removesuffix("/.zarray")), value)
                for key, value in described["metadata"].items()
                if key.endswith("/.zarray")
            ]
        return _version_3(folder, described) if last == "zarr.json" else []
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FileRefused(f"{store} is damaged: {name[:80]} makes no sense.", DAMAGED) from error


def judge_array(array: Array, n_stored: int, memory_bytes: float) -> None:
    """Raise `FileRefused` when an array is not safe to read.

    Parameters
    ----------
    array
        Its description.
    n_stored
        Bytes of it that are in the store.
    memory_bytes
        Memory that reading may take.
    """
    foreign = [name for name in array.codecs if name not in CODECS | TEXT_CODECS]
    if foreign:
        raise FileRefused(
            f"{array.path} is packed with {foreign[0][:40]!r}, which is not enabled.", CLEAN_COPY
        )
    if array.is_object and not (array.codecs and array.codecs[0] in TEXT_CODECS):
        raise FileRefused(
            f"{array.path} holds Python objects, which may run code when read.", CLEAN_COPY
        )
    declared = math.prod(array.shape) * array.itemsize
    if declared > min(RATIO_FROM_BYTES, memory_bytes) and declared > MAX_RATIO * max(n_stored, 1):
        raise FileRefused(
            f"{array.path} says it holds {declared / 2**30:,.1f} GiB but only {n_stored:,} bytes "
            "of it are in the store.",
            "The store is damaged or made to exhaust the memory. Copy it again from its source.",
        )
    if math.prod(array.chunks) * array.itemsize > memory_bytes:
        raise FileRefused(
            f"{array.path} is stored in blocks larger than the {memory_bytes / 1e9:,.1f} GB of "
            "memory available.",
            "Open it on a machine with more memory and save it again.",
        )


def _version_2(path: str, described: dict[str, Any]) -> Array:
    dtype = described["dtype"]
    codecs = [*(described.get("filters") or []), described.get("compressor") or {"id": "bytes"}]
    shape, chunks = _lengths(described["shape"]), _lengths(described["chunks"])
    return Array(
        path,
        shape,
        chunks,
        _itemsize(dtype),
        _n_blocks(shape, chunks),
        _has_objects(dtype),
        tuple(str(codec["id"]) for codec in codecs),
    )


def _version_3(path: str, described: dict[str, Any]) -> list[Array]:
    if described["node_type"] == "group":
        inner = (described.get("consolidated_metadata") or {}).get("metadata") or {}
        return [
            array
            for key, value in inner.items()
            for array in _version_3(_join(path, key), {**value, "consolidated_metadata": None})
        ]
    if described["chunk_grid"]["name"] != "regular" or described.get("storage_transformers"):
        raise ValueError("a grid or a transformer of an unknown kind")
    shape = _lengths(described["shape"])
    outer = _lengths(described["chunk_grid"]["configuration"]["chunk_shape"])
    names, chunks = _codecs_3(described["codecs"], outer)
    kind = described["data_type"]
    itemsize = _itemsize_3(kind)
    return [Array(path, shape, chunks, itemsize, _n_blocks(shape, outer), False, names)]


def _codecs_3(codecs: list[dict[str, Any]], chunks: tuple[int, ...]) -> Any:
    """Return the names of all codecs, those inside shards included, and the shape unpacked."""
    names: list[str] = []
    for codec in codecs:
        names.append(str(codec["name"]).removeprefix("numcodecs."))
        if names[-1] == "sharding_indexed":
            inside = codec["configuration"]
            more, chunks = _codecs_3(inside["codecs"], _lengths(inside["chunk_shape"]))
            names += [*more, *_codecs_3(inside.get("index_codecs", []), ())[0]]
    return tuple(names), chunks


def _itemsize(dtype: Any) -> int:
    if _has_objects(dtype):
        return 16
    if isinstance(dtype, list):
        dtype = [tuple(tuple(x) if isinstance(x, list) else x for x in field) for field in dtype]
    return int(np.dtype(dtype).itemsize)


def _itemsize_3(kind: Any) -> int:
    if isinstance(kind, dict):
        about = kind.get("configuration") or {}
        if "fields" in about:
            fields = about["fields"]  # two ways of writing them are about
            return sum(_itemsize_3(f["data_type"] if "name" in f else f[1]) for f in fields)
        return int(about.get("length_bytes", 8))
    return TEXT_BYTES.get(kind) or int(np.dtype(kind).itemsize)


def _has_objects(dtype: Any) -> bool:
    if isinstance(dtype, list):
        return any(_has_objects(field[1]) for field in dtype)
    return str(dtype).lstrip("|<>=") == "O"


def _lengths(values: Any) -> tuple[int, ...]:
    """Return a shape as integers that are not negative."""
    if not all(isinstance(value, int) and 0 <= value < 2**63 for value in values):
        raise ValueError(f"the shape {values}")
    return tuple(values)


def _n_blocks(shape: tuple[int, ...], chunks: tuple[int, ...]) -> int:
    if len(shape) != len(chunks):
        raise ValueError(f"blocks of {chunks} in an array of {shape}")
    return math.prod(
        -(-length // max(chunk, 1)) for length, chunk in zip(shape, chunks, strict=True)
    )


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
