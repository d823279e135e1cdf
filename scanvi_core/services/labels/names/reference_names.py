"""Names that only references use in a column of labels, and what they mean in the other files."""

import pandas as pd

from scanvi_core.services.labels import edit
from scanvi_core.services.labels.names.names_table import CELLS, HERE, HOW, OWN, suggest_names
from scanvi_core.services.projects.joining import joined_files
from scanvi_core.services.workspace import Workspace


def table(opened: Workspace, key: str) -> pd.DataFrame:
    """Return a row per name of a column that references use and no other file does.

    A name that is none of theirs stays as it is. Empty where there is no reference, or the other
    files have no labels in that column.
    """
    return opened.cache.get(("reference names", key), lambda: _table(opened, key))


def _table(opened: Workspace, key: str) -> pd.DataFrame:
    rows, reference = list[tuple[str, int, str, str]](), joined_files.of_references(opened)
    if reference.any():
        column = edit.as_labels(opened.dataset.values(key))
        here = sorted(map(str, column[~reference].dropna().unique()))
        theirs = column[reference].value_counts()
        own = [str(name) for name in theirs.index if here and name not in here]
        lines = suggest_names(own, here, keep=True)
        rows = [(line.own, int(theirs[line.own]), line.here, line.how) for line in lines]
    return pd.DataFrame(rows, columns=[OWN, CELLS, HERE, HOW])
