"""A table of somebody else's names and what they mean here, to be edited and saved."""

from collections.abc import Callable, Mapping

import pandas as pd
import streamlit as st

from pages.ui.frame.actions import do
from scanvi_core.services.labels.names.names_table import CELLS, HERE, HOW, OWN


def edit(
    table: pd.DataFrame, choices: list[str], *, key: str, closed: bool = False
) -> dict[str, str]:
    """Draw the table; return the types by the names as they stand in it now.

    Parameters
    ----------
    table
        A row per name: what it says, its cells, what it means here, and why.
    choices
        Types that a name may mean.
    key
        Of the widget.
    closed
        Whether nothing may be changed.
    """
    edited = st.data_editor(
        table, hide_index=True, key=f"{key}-{hash(tuple(table[HERE]))}",
        disabled=True if closed else [OWN, CELLS, HOW],
        column_config={
            HERE: st.column_config.SelectboxColumn(
                options=["", *choices], help="The type here that it means; empty: none of them."),
        },
    )  # fmt: skip
    return dict(zip(edited[OWN], edited[HERE].fillna(""), strict=True))


def draw(
    table: pd.DataFrame,
    choices: list[str],
    save: Callable[[Mapping[str, str]], None],
    *,
    key: str,
    closed: bool = False,
) -> None:
    """Draw the table as `edit` does, and the button that saves it once something was changed."""
    meant = edit(table, choices, key=key, closed=closed)
    if list(meant.values()) != list(table[HERE]) and st.button(
        "Save these names", type="primary", key=f"{key}-save", icon=":material/save:"
    ):
        do(lambda: save(meant))
