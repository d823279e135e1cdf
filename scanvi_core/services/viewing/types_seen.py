"""What a visitor sees of the types: how many cells each has, its color, its ontology term."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from scanvi_core.colors import type_color
from scanvi_core.services.explore import colors, maps
from scanvi_core.services.explore.colors import Coloring
from scanvi_core.services.labels import type_terms
from scanvi_core.services.workspace import Workspace

WAYS = (
    colors.PREDICTION, colors.LABEL, colors.REASON, colors.CONFIDENCE, maps.CLUSTER,
)  # fmt: skip


def ways_to_color(opened: Workspace) -> list[str]:
    """Return what a visitor may color the map by, the likeliest first."""
    options = colors.color_options(opened)
    return [way for way in WAYS if way in options]


def types(opened: Workspace) -> pd.DataFrame:
    """Return one row per type, the most frequent first.

    Returns
    -------
    pandas.DataFrame
        Columns ``color``, ``type``, ``labeled`` and ``predicted`` (cells) and ``term``; without a
        model ``predicted`` is missing, and without any term ``term`` is.
    """
    label = colors.coloring(opened, colors.LABEL)
    trained = opened.current_run() is not None
    predicted = colors.coloring(opened, colors.PREDICTION) if trained else None
    names = dict.fromkeys([*label.names, *(predicted.names if predicted else ())])
    terms = {name: t.in_words for name, t in type_terms.of_names(opened, names).items()}
    key = ("types seen", label.revision, predicted and predicted.revision, repr(terms))
    table: pd.DataFrame = opened.cache.get(key, lambda: _types(label, predicted, terms))
    return table


def _types(label: Coloring, predicted: Coloring | None, terms: Mapping[str, str]) -> pd.DataFrame:
    shown = [label] if predicted is None else [label, predicted]
    places = {name: at for way in reversed(shown) for name, at in _places(way).items()}
    table = pd.DataFrame(
        {
            "color": [type_color(at) for at in places.values()],
            "type": list(places),
            "labeled": _counts(label, places),
        }
    )
    if predicted is not None:
        table["predicted"] = _counts(predicted, places)
    by = ["predicted", "labeled"] if predicted is not None else ["labeled"]
    table["term"] = [terms.get(name, "") for name in places]
    if not table["term"].any():
        table = table.drop(columns="term")
    return table.sort_values([*by, "type"], ascending=[False] * len(by) + [True]).reset_index(
        drop=True
    )


def _places(way: Coloring) -> dict[str, int]:
    return dict(zip(way.names, way.places, strict=True))


def _counts(way: Coloring, places: dict[str, int]) -> list[int]:
    codes = np.zeros(0, np.int64) if way.codes is None else way.codes
    n = np.bincount(codes[codes >= 0], minlength=len(way.names))
    known = dict(zip(way.names, n.tolist(), strict=True))
    return [known.get(name, 0) for name in places]
