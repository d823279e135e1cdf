"""The spread of one gene in groups of cells."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from scanvi_core.export.figures.layout import PAGE_MM, axes_of, name_ticks, text_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GROUP_MM, HEIGHT_MM = 8.0, 50.0
LEAST_MM, AXIS_MM = 3.2, 15.0  # of a group; of the scale beside them
FEW = 10  # cells, of which each is drawn: they have no shape


def violins(values: Mapping[str, np.ndarray], colors: Sequence[str], gene: str) -> "Figure":
    """Draw how the level of a gene is spread in each group, in the group's own color."""
    group = max(LEAST_MM, min(GROUP_MM, (PAGE_MM - AXIS_MM) / max(1, len(values))))
    figure, axes = axes_of(group * len(values), HEIGHT_MM)
    for place, (own, color) in enumerate(zip(values.values(), colors, strict=True)):
        if len(own) < FEW:
            axes.plot(
                [place] * len(own),
                own,
                ls="",
                marker="o",
                ms=2.5,
                mew=0,
                color=color,
                clip_on=False,
            )
            continue
        drawn: Any = axes.violinplot([own], [place], widths=0.85, showextrema=False)
        for body in drawn["bodies"]:
            body.set(facecolor=color, edgecolor=color, alpha=0.6, linewidth=0.6)
        axes.plot([place - 0.2, place + 0.2], [own.mean()] * 2, color=color)
    axes.set_xlim(-0.6, len(values) - 0.4)
    axes.set_ylim(bottom=0)
    axes.set_ylabel(text_of(f"level of {gene}"))
    name_ticks(axes, list(values), colors, along_x=True)
    return figure
