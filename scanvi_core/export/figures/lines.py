"""Figures with lines: curves of a training, reliability, accepted shares, decisions."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from scanvi_core.export.figures.layout import CURVE, GRAY, MARKED, axes_of, text_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_MM, HEIGHT_MM = 85.0, 60.0  # a column of a journal
SQUARE_MM = 70.0
COLORS = (CURVE, MARKED, "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DOTTED: dict[str, Any] = {"color": GRAY, "ls": ":", "lw": 0.8}


def curve(table: pd.DataFrame, names: Sequence[str]) -> "Figure":
    """Draw columns of a table over its column ``epoch``."""
    figure, axes = axes_of(WIDTH_MM, HEIGHT_MM)
    for i, name in enumerate(names):
        known = table[["epoch", name]].dropna()
        color = COLORS[i % len(COLORS)]
        axes.plot(known["epoch"], known[name], color=color, label=text_of(name))
    axes.set_xlabel("epoch")
    if len(names) > 1:
        axes.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0), borderaxespad=0.0)
    else:
        axes.set_ylabel(text_of(names[0]))
    return figure


def reliability(bins: pd.DataFrame) -> "Figure":
    """Draw how often cells of each confidence are right, with 95 % intervals.

    `bins` has the columns ``confidence``, ``right``, ``low``, ``high`` (interval) and ``cells``.
    """
    figure, axes = axes_of(SQUARE_MM, SQUARE_MM)
    axes.plot([0, 1], [0, 1], label="as confident as right", **DOTTED)
    confidence, right = bins["confidence"].to_numpy(), bins["right"].to_numpy()
    spread = [right - bins["low"].to_numpy(), bins["high"].to_numpy() - right]
    axes.errorbar(
        confidence, right, yerr=spread, color=CURVE, marker="o", ms=3.5,
        elinewidth=0.7, capsize=1.5, label="model, 95 % interval",
    )  # fmt: skip
    axes.set(xlabel="confidence of the model", ylabel="right", xlim=(0, 1.02), ylim=(0, 1.02))
    _percent(axes, x=True)
    axes.legend(loc="upper left")
    return figure


def coverage(table: pd.DataFrame, marked: float) -> "Figure":
    """Draw the share right among the surest cells, with a line at the share `marked`.

    `table` has the columns ``coverage`` and ``right``.
    """
    figure, axes = axes_of(WIDTH_MM, HEIGHT_MM)
    axes.axvline(marked, **(DOTTED | {"color": MARKED}))
    axes.plot(table["coverage"], table["right"], color=CURVE)
    low = min(0.9, float(table["right"].min())) - 0.02
    axes.set(xlabel="share of cells accepted, the surest first", ylabel="right")
    axes.set(xlim=(0, 1.02), ylim=(low, 1.005))
    _percent(axes, x=True)
    return figure


def taught(table: pd.DataFrame) -> "Figure":
    """Draw how often the model was right beforehand, decision by decision, and its updates.

    `table` has the columns ``decision``, ``right``, ``recent`` and ``model``.
    """
    figure, axes = axes_of(WIDTH_MM, HEIGHT_MM)
    axes.plot(
        table["decision"], table["right"], ls="", marker="o", ms=3, mew=0, color=GRAY,
        label="one decision",
    )  # fmt: skip
    axes.plot(table["decision"], table["recent"], color=CURVE, label="mean of the last ten")
    for number, decisions in table.groupby("model")["decision"]:
        start = float(decisions.min()) - 0.5
        axes.axvline(start, **(DOTTED | {"color": MARKED}))
        axes.text(start, 1.09, f" model {number}", size=6, rotation=45, va="bottom")
    axes.set(xlabel="decisions", ylabel="right", ylim=(-0.05, 1.08))
    axes.set_xlim(0.4, len(table) + 0.6)
    _percent(axes)
    axes.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0), borderaxespad=0.0)
    return figure


def _percent(axes: "Axes", *, x: bool = False) -> None:
    from matplotlib.ticker import PercentFormatter

    for axis in (axes.yaxis, axes.xaxis)[: 1 + x]:
        axis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
