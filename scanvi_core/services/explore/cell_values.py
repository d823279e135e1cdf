"""What cells carry besides counts: labels, predictions, batches, clusters, columns of the file."""

import zlib
from collections.abc import Callable

import numpy as np

from scanvi_core.annotation.selection.rules import Kind
from scanvi_core.errors import ColumnMissing
from scanvi_core.services.diagnostics import uncertainty
from scanvi_core.services.explore import colors, maps
from scanvi_core.services.runs import provisional, results
from scanvi_core.services.workspace import Workspace


def values_of(opened: Workspace, kind: str, column: str = "") -> tuple[str, ...]:
    """Return the values a condition of a kind can ask for here, none of them missing."""
    return coded(opened, kind, column)[1]


def known(opened: Workspace, kind: Kind) -> bool:
    """Tell whether a condition of a kind can be looked up here."""
    if kind in ("near", "confidence", "predicted"):
        return opened.current_run() is not None
    try:
        return bool(_CODES[kind](opened)[1])
    except ColumnMissing:
        return False


def columns(opened: Workspace) -> dict[str, bool]:
    """Return the columns of the file that conditions can ask for; True where they hold numbers."""
    known = opened.dataset.manifest["obs_columns"]
    return {
        name: about["kind"] == "number"
        for name, about in known.items()
        if about["kind"] == "number" or about["n_unique"] <= colors.MAX_CATEGORIES
    }


def numbered(codes: np.ndarray) -> tuple[str, ...]:
    """Return the names of clusters, as the pages show them."""
    return tuple(str(code + 1) for code in range(int(codes.max(initial=-1)) + 1))


def coded(opened: Workspace, kind: str, column: str = "") -> tuple[np.ndarray, tuple[str, ...]]:
    """Return codes [n_obs], -1 for none, and names; raise where there is no such thing."""
    return opened.categories(column) if kind == "column" else _CODES[kind](opened)


def newest(opened: Workspace) -> results.Results:
    """Return the newest predictions there are: provisional ones after a decision."""
    made, trained = provisional.state(opened).newest, results.current(opened)
    if trained is None:
        raise ColumnMissing("There are no predictions here yet: train a model first.")
    return trained if made is None else made.predictions


def cluster_origin(opened: Workspace) -> str:
    """Return what tells these very clusters from others."""
    codes = maps.clusters_of(opened)
    return "" if codes is None else f"{zlib.crc32(codes.tobytes()):08x}"


def _label(opened: Workspace) -> tuple[np.ndarray, tuple[str, ...]]:
    return opened.labels().compact()


def _given(opened: Workspace) -> tuple[np.ndarray, tuple[str, ...]]:
    key = opened.project.settings.get("labels_key")
    if key is None or key not in opened.dataset.manifest["obs_columns"]:
        raise ColumnMissing("The labels of this project come from no column of the file.")
    return opened.categories(key)


def _predicted(opened: Workspace) -> tuple[np.ndarray, tuple[str, ...]]:
    predictions = newest(opened)
    return predictions.prediction, predictions.names


def _batch(opened: Workspace) -> tuple[np.ndarray, tuple[str, ...]]:
    key = opened.batch_key
    if not key:
        raise ColumnMissing("No column tells the batches apart here.")
    return opened.categories(key)


def _cluster(opened: Workspace) -> tuple[np.ndarray, tuple[str, ...]]:
    codes = maps.clusters_of(opened)
    if codes is None:
        raise ColumnMissing("Clusters were not computed here.")
    return np.asarray(codes), numbered(codes)


def _reason(opened: Workspace) -> tuple[np.ndarray, tuple[str, ...]]:
    checked = uncertainty.reasons(opened)
    if checked is None:
        raise ColumnMissing("Reasons for doubt were not looked for here.")
    return checked.reason, uncertainty.REASON_NAMES


_CODES: dict[str, Callable[[Workspace], tuple[np.ndarray, tuple[str, ...]]]] = {
    "label": _label, "given": _given, "predicted": _predicted, "batch": _batch,
    "cluster": _cluster, "reason": _reason,
}  # fmt: skip
