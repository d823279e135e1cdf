"""Where the types of a pack's model lie, beside the model."""

from pathlib import Path
from typing import TYPE_CHECKING

from scanvi_core.project import pack

if TYPE_CHECKING:
    from scanvi_core.annotation.uncertainty.type_shapes import TypeShapes

NAME = Path(pack.SHAPES).name


def read(folder: Path) -> "TypeShapes | None":
    """Return where the types lie; None for a model that was trained here."""
    from safetensors.numpy import load_file

    from scanvi_core.annotation.uncertainty.type_shapes import TypeShapes

    path = folder / NAME
    return TypeShapes.from_tensors(load_file(path)) if path.is_file() else None


def content(shapes: "TypeShapes") -> bytes:
    """Return the bytes of the file."""
    from safetensors.numpy import save

    return save(shapes.tensors())
