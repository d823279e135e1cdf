"""Single-cell annotation using variational inference: model, training and the annotation loop."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from scanvi_core.version import __version__

if TYPE_CHECKING:
    from scanvi_core.module import SCANVI, VAE
    from scanvi_core.notebook.annotating import annotate
    from scanvi_core.notebook.session import launch

__all__ = ["SCANVI", "VAE", "__version__", "annotate", "launch"]
_PLACES = {
    "SCANVI": "scanvi_core.module",
    "VAE": "scanvi_core.module",
    "annotate": "scanvi_core.notebook.annotating",
    "launch": "scanvi_core.notebook.session",
}


def __getattr__(name: str) -> Any:
    """Import torch only when a model is asked for."""
    if name in _PLACES:
        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
