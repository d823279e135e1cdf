"""Names of types written on a map: each in the midst of its cells, none upon another."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scanvi_core.export.figures.layout import text_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation
    from matplotlib.transforms import Bbox

MEDOID_CELLS = 400  # drawn of a type
GRID = 8  # parts of a type's width and height
WIDTH = 20  # characters of a line
SIZE, HALO, POINTS = 6.5, 2.0, 72  # points of print, of them an inch
STEPS = (0, 1, -1, 2, -2, 3, -3, 4, -4)  # lines that a name may go up or down to lie free


def densest(points: np.ndarray) -> np.ndarray:
    """Return those of some points [n, 2] in the fullest part of a coarse grid over them.

    A type in two clouds has its middle in neither.
    """
    low, size = points.min(axis=0), np.ptp(points, axis=0)
    place = ((points - low) / np.where(size > 0, size, 1.0) * GRID).astype(np.int64)
    x, y = np.minimum(place, GRID - 1).T
    cells = np.zeros((GRID + 2, GRID + 2), dtype=np.int64)
    np.add.at(cells, (x + 1, y + 1), 1)
    around = np.zeros((GRID, GRID), dtype=np.int64)
    for i in range(3):
        for j in range(3):
            around += cells[i : i + GRID, j : j + GRID]
    best_x, best_y = np.unravel_index(around.argmax(), around.shape)
    return np.asarray(points[(abs(x - best_x) <= 1) & (abs(y - best_y) <= 1)])


def medoid(points: np.ndarray) -> np.ndarray:
    """Return the point [2] with the shortest way to all others [n, 2], of 400 drawn."""
    from scipy.spatial.distance import cdist

    drawn = np.random.default_rng(0).permutation(len(points))[:MEDOID_CELLS]
    some = np.asarray(points[np.sort(drawn)], dtype=np.float64)
    return np.asarray(some[cdist(some, some).sum(axis=1).argmin()])


@dataclass(frozen=True, eq=False)
class Written:
    """A name on a map: its halo and its letters, and the cells [n, 2] that it names."""

    halo: "Annotation"
    letters: "Annotation"
    cells: np.ndarray


def write(axes: "Axes", xy: np.ndarray, codes: np.ndarray, names: Sequence[str]) -> list[Written]:
    """Write the name of each type at the medoid of its cells where they are densest, with a halo.

    The halo is a picture of the letters; the letters upon it stay letters.
    """
    from matplotlib.patheffects import Stroke

    halo, written = [Stroke(linewidth=HALO, foreground="white")], []
    for code in np.unique(codes[codes >= 0]):
        cells = xy[codes == code]
        x, y = medoid(densest(cells))
        texts = [
            axes.annotate(
                text_of(names[code], WIDTH), (x, y), (0, 0), textcoords="offset points",
                ha="center", va="center", size=SIZE, path_effects=effects,
                annotation_clip=False,
            )
            for effects in (halo, None)
        ]  # fmt: skip
        written.append(Written(texts[0], texts[1], cells))
    return written


def part(axes: "Axes", written: Sequence[Written]) -> None:
    """Move names up or down, by whole lines, until none lies upon another; axes of final size.

    A name that would hide most cells of its type is moved beside them.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = axes.get_figure(root=True)
    if not written or figure is None:
        return
    renderer = FigureCanvasAgg(figure).get_renderer()
    axes.apply_aspect()
    boxes = [one.letters.get_window_extent(renderer) for one in written]
    placed = list["Bbox"]()
    for i in sorted(range(len(written)), key=lambda i: (-boxes[i].y0, boxes[i].x0)):
        own, box = written[i], boxes[i]
        line = box.height / (1 + own.letters.get_text().count("\n"))
        steps = STEPS[_hides(axes, box, own.cells) :]
        moved = [box.translated(0, step * line) for step in steps]
        free = [place for place, one in enumerate(moved) if not any(map(one.overlaps, placed))]
        best = free[0] if free else 0
        placed.append(moved[best])
        for text in (own.halo, own.letters):
            text.set_position((0, steps[best] * line * POINTS / figure.dpi))


def _hides(axes: "Axes", box: "Bbox", cells: np.ndarray) -> bool:
    """Tell whether most of some cells lie below a box."""
    x, y = axes.transData.transform(cells).T
    inside = (x >= box.x0) & (x <= box.x1) & (y >= box.y0) & (y <= box.y1)
    return bool(2 * np.count_nonzero(inside) > len(cells))
