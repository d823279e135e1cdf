"""What a stored element of a table is: one description for who reads it and for who exports it.

The encodings are those of anndata's on-disk format, 0.7 to 0.13, and what R writers leave out of
it: https://anndata.readthedocs.io/en/stable/fileformat-prose.html
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from scanvi_core.data.blocks.nodes import (
    attribute,
    group_in,
    is_group,
    part_in,
    shape_of,
    text,
)

CATEGORIES = "__categories"  # group of a table in which anndata before 0.8 kept the words
PLAIN, CODES, CATEGORICAL, MASKED, OTHER = "array", "codes", "categorical", "masked", "other"
PARTS = {CATEGORICAL: "codes", MASKED: "values"}  # that is as long as the element
INDEX_TYPES = ("int32", "int64")  # of positions, with which scipy slices a sparse matrix


@dataclass(frozen=True, slots=True)
class Element:
    """A column, or the names, of a stored table.

    Attributes
    ----------
    node
        h5py or zarr array or group.
    kind
        ``array``; ``codes``, whose words lie apart; ``categorical``; ``masked``, which is every
        nullable array; or ``other``.
    encoding
        What it says it is; "" where it says nothing.
    length
        Its number of values; None where it has none.
    """

    node: Any
    kind: str
    encoding: str
    length: int | None


def describe(parent: Any, name: str) -> Element:
    """Return what an element of a table is, by what it says and what it holds.

    Raises
    ------
    Unreadable
        If it is missing or damaged.
    """
    node = part_in(parent, name)
    encoding = text(attribute(node, "encoding-type", ""))
    if not is_group(node):
        shape = shape_of(node) or ()
        kind = CODES if _has_words_apart(parent, name, node) else PLAIN
        return Element(node, kind, encoding, shape[0] if len(shape) == 1 else None)
    kind = OTHER
    if encoding == CATEGORICAL or (not encoding and {"codes", "categories"} <= set(node)):
        kind = CATEGORICAL
    elif encoding.startswith("nullable-") and {"values", "mask"} <= set(node):
        kind = MASKED
    inside = shape_of(part_in(node, PARTS[kind])) if kind in PARTS else None
    return Element(node, kind, encoding, inside[0] if inside else None)


def index_name(table: Any) -> str:
    """Return the name of the element that holds the names of a table's rows."""
    stated = text(attribute(table, "_index", "_index"))
    return stated if stated in table else "index"


def slices_in_scipy(group: Any) -> bool:
    """Tell whether the positions of a stored sparse matrix are of types that scipy slices with."""
    kinds = [np.dtype(group[part].dtype) for part in ("indices", "indptr")]
    return all(kind.name in INDEX_TYPES and kind.isnative for kind in kinds)


def _has_words_apart(parent: Any, name: str, node: Any) -> bool:
    """Tell whether the words of a column of codes lie in a group of the table.

    anndata 0.7 refers to them in an attribute, SeuratDisk only by the name.
    """
    if CATEGORIES not in parent:
        return False
    return attribute(node, "categories") is not None or name in group_in(parent, CATEGORIES)
