"""The table of what an opinion's names mean here, as it is shown and edited."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from scanvi_core.project import opinions
from scanvi_core.project.opinions import Opinion as Opinion  # noqa: PLC0414  passed on to the pages
from scanvi_core.services.labels.names.names_table import CELLS, HERE, HOW, OWN, suggest_names
from scanvi_core.services.opinions.from_columns import types_here
from scanvi_core.services.workspace import Workspace

BY_HAND, NONE = "your choice", "no type of that name"


def table(opened: Workspace, one: Opinion) -> pd.DataFrame:
    """Return a row per name that an opinion uses, the most frequent first."""
    counts = np.bincount(one.labels[one.labels >= 0], minlength=len(one.label_names))
    others = [name for name in types_here(opened) if name not in one.label_names]
    lines = {line.own: line for line in suggest_names(one.label_names, others, keep=True)}
    known = set(opened.labels().active)
    rows = []
    for own, n in zip(one.label_names, counts, strict=True):
        here = one.names.get(own, "")
        how = "exact" if own == here and own in known else BY_HAND if here else NONE
        if own in lines and here == lines[own].here and how != "exact":
            how = lines[own].how
        rows.append({OWN: own, CELLS: int(n), HERE: here, HOW: how})
    return pd.DataFrame(rows).sort_values(CELLS, ascending=False, kind="stable", ignore_index=True)


def choices(opened: Workspace, one: Opinion) -> list[str]:
    """Return what a name may mean: a type of the project, or a new one called as it says."""
    return list(dict.fromkeys([*types_here(opened), *one.label_names]))


def save(opened: Workspace, one: Opinion, meant: Mapping[str, str]) -> None:
    """Say which type each name means; names left out mean none.

    Raises
    ------
    ProjectError
        If the disk refuses, or who asks may only look.
    """
    opinions.set_names(opened.project, one.id, {own: here for own, here in meant.items() if here})


def remove(opened: Workspace, one: Opinion) -> None:
    """Forget an opinion; labels that were given by its help stay."""
    opinions.remove(opened.project, one.id)
