"""Which values of a column mean "unlabeled": one question, wherever the labels come from."""

import pandas as pd
import streamlit as st


def ask(values: pd.DataFrame, key: str) -> tuple[set[str], pd.DataFrame]:
    """Draw the question; words that usually mean it are chosen already.

    Parameters
    ----------
    values
        The column's values with their ``cells``, as `labeling.column_values` returns them.

    Returns
    -------
    tuple
        The values that mean unlabeled, and the others as a table to show: ``value``, ``cells``.
    """
    chosen = st.multiselect(
        "Values that mean unlabeled (empty ones always do)", values["value"].tolist(),
        default=values.loc[values["unlabeled"], "value"].tolist(), key=key, placeholder="none",
    )  # fmt: skip
    return set(chosen), values.loc[~values["value"].isin(chosen), ["value", "cells"]]
