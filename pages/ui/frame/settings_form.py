"""Widgets made from the settings dataclasses, so that defaults and help live in one place."""

from collections.abc import Mapping
from dataclasses import Field, fields
from typing import Any

import streamlit as st


def setting(config: Any, name: str, *, key: str, words: Mapping[str, str] | None = None) -> Any:
    """Draw the widget of one setting and return its value; `words` explain its choices."""
    item = next(item for item in fields(config) if item.name == name)
    value, label = getattr(config, name), item.metadata["label"]
    common: dict[str, Any] = {
        "help": f"{item.metadata['help']} ({name})",
        "key": f"{key}.{name}",
        "persist_state": "session",
    }
    if "choices" in item.metadata:
        choices = list(item.metadata["choices"])
        known = words or {}
        return st.selectbox(
            label, choices, choices.index(value), format_func=lambda c: known.get(c, c), **common
        )
    if isinstance(value, bool):
        return st.toggle(label, value, **common)
    return _number(item, value, label, common)


def drawer(config: Any, names: tuple[str, ...], *, key: str) -> dict[str, Any]:
    """Draw the widgets of several settings in three columns and return their values."""
    columns = st.columns(3)
    values = {}
    for i, name in enumerate(names):
        with columns[i % 3]:
            values[name] = setting(config, name, key=key)
    return values


def _number(item: Field[Any], value: float, label: str, common: dict[str, Any]) -> float:
    low, high = item.metadata["low"], item.metadata["high"]
    if isinstance(value, int):
        return st.number_input(label, int(low), int(high), value, step=1, **common)
    return st.number_input(
        label, float(low), float(high), value, format="%g", step=max(value / 10, 1e-6), **common
    )
