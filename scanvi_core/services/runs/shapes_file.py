"""Where the types of a pack's model lie, beside the model."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from scanvi_core.project import pack
from scanvi_core.runtime import replacing

if TYPE_CHECKING:
    from scanvi_core.annotation.uncertainty.type_shapes import TypeShapes

NAME = Path(pack.SHAPES).name


def read(folder: Path) -> "TypeShapes | None":
    """Return where the types lie; None for a model that was trained here."""
    from safetensors.numpy import load_file

    from scanvi_core.annotation.uncertainty.type_shapes import TypeShapes

    path = folder / NAME
    return TypeShapes.from_tensors(load_file(path)) if path.is_file() else None


def carry(before: Path, names_before: Sequence[str], now: Path, names: Sequence[str]) -> None:
    """Keep where the types lie beside a model that went on from another: its genes are the same.

    Types that are new have no place but that of their labels.
    """
    shapes = read(before)
    if shapes is not None:
        order = {name: code for code, name in enumerate(names_before)}
        own = shapes.of([order.get(name, -1) for name in names])
        with replacing(now / NAME) as path:
            path.write_bytes(content(own))


def content(shapes: "TypeShapes") -> bytes:
    """Return the bytes of the file."""
    from safetensors.numpy import save

    return save(shapes.tensors())
