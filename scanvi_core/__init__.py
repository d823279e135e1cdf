"""Single-cell annotation using variational inference: model, training and the annotation loop."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scanvi_core.module import SCANVI, VAE

__all__ = ["SCANVI", "VAE", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import torch only when a model is asked for."""
    if name in ("SCANVI", "VAE"):
        from scanvi_core import module

        return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
