"""A table of somebody else's names and what they mean here, to be edited and saved."""

from collections.abc import Callable, Mapping

import pandas as pd
import streamlit as st

from pages.ui.frame.actions import do
from scanvi_core.services.opinions.names import CELLS, HERE, HOW, OWN


def draw(
    table: pd.DataFrame,
    choices: list[str],
    save: Callable[[Mapping[str, str]], None],
    *,
    key: str,
    closed: bool = False,
) -> None:
    """Draw the table, and the button that saves it once something was changed.

    Parameters
    ----------
    table
        A row per name: what it says, its cells, what it means here, and why.
    choices
        Types that a name may mean.
    save
        Keeps the types by the names.
    key
        Of the widgets.
    closed
        Whether nothing may be changed.
    """
    edited = st.data_editor(
        table, hide_index=True, key=f"{key}-{hash(tuple(table[HERE]))}",
        disabled=True if closed else [OWN, CELLS, HOW],
        column_config={
            HERE: st.column_config.SelectboxColumn(
                options=["", *choices],
                help="The type here that it means. Empty: it means none and proposes none."),
        },
    )  # fmt: skip
    meant = edited[HERE].fillna("")
    if not meant.equals(table[HERE]) and st.button(
        "Save these names", type="primary", key=f"{key}-save", icon=":material/save:"
    ):
        do(lambda: save(dict(zip(edited[OWN], meant, strict=True))))
