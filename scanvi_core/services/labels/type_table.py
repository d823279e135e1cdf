"""The types of a project as a table: how many cells each has, and what was said of it."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from scanvi_core import config
from scanvi_core.project.label_log.replay.state import LabelState
from scanvi_core.services.labels import type_terms
from scanvi_core.services.workspace import Workspace

AMONG = "; "  # between the names of several broader types


def label_table(opened: Workspace) -> pd.DataFrame:
    """Return one row per type: cells, cells set aside, what it is part of, prior, term, a note."""
    state = opened.labels()
    terms = {name: t.in_words for name, t in type_terms.of_names(opened, state.active).items()}
    key = ("types", state.seq, tuple(terms.items()))
    table: pd.DataFrame = opened.cache.get(key, lambda: _label_table(state, terms))
    return table


def _label_table(state: LabelState, terms: Mapping[str, str]) -> pd.DataFrame:
    codes, names = state.compact()
    visible = np.bincount(codes[(codes >= 0) & ~state.holdout], minlength=len(names))
    aside = np.bincount(codes[(codes >= 0) & state.holdout], minlength=len(names))
    rare = np.where(visible < config.RARE_CELLS, "too few to score", "")
    return pd.DataFrame(
        {
            "type": list(names),
            "labeled": visible,
            "set aside": aside,
            "part of": [AMONG.join(state.parents.get(name, ())) for name in names],
            "expected share": [state.prior.get(name, np.nan) for name in names],
            "term": [terms.get(name, "") for name in names],
            "note": rare,
        }
    )


def parents_of(table: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """Return what is written as ``part of`` each type of a table like `label_table`."""
    said = {
        str(name): tuple(part.strip() for part in str(above).split(AMONG.strip()) if part.strip())
        for name, above in table[["type", "part of"]].to_numpy()
    }
    return {name: above for name, above in said.items() if above}
