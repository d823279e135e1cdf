"""Downloads of what a page shows: figures for print, tables. Made when somebody asks for one."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pandas as pd
import streamlit as st

from scanvi_core.services.export import figures, tables
from scanvi_core.services.export.figures import Draw
from scanvi_core.services.workspace import Workspace


@dataclass(frozen=True)
class Option:
    """What may be on a figure or not: its words, whether it is, and how to draw it either way."""

    words: str
    default: bool
    draw: Callable[[bool], Draw]


def figure(opened: Workspace, what: str, draw: Draw | Option, *, key: str) -> None:
    """Offer the figure `draw` draws in three formats; `what` it is names the file."""
    menu = st.popover(
        "Download figure", icon=":material/download:", type="tertiary", key=f"{key}-figure"
    )
    with menu.container(gap=None):
        if isinstance(draw, Option):
            draw = draw.draw(st.toggle(draw.words, draw.default, key=f"{key}-option"))
        for kind, words in figures.WORDS.items():
            st.download_button(
                words, partial(figures.figure_file, draw, kind),
                tables.file_name(opened.project.name, what, kind), figures.MIME[kind],
                key=f"{key}-{kind}", on_click="ignore", type="tertiary",
            )  # fmt: skip


def table(opened: Workspace, what: str, made: Callable[[], pd.DataFrame], *, key: str) -> None:
    """Offer a table as CSV, with all its columns and digits; `what` it is names the file."""
    st.download_button(
        "Download table (CSV)", lambda: tables.as_csv(made()),
        tables.file_name(opened.project.name, what, "csv"), tables.MIME, key=f"{key}-csv",
        on_click="ignore", type="tertiary", icon=":material/download:",
    )  # fmt: skip
