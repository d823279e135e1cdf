"""What all figures share: axes of a fixed size on paper, names as text, and their colors."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from scanvi_core.keys import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

MM = 1 / 25.4  # inches
PAGE_MM = 180.0  # the width of a page, which figures do not exceed as far as names allow
NAME_WIDTH = 48  # characters of a line
NO_LETTERS = {0xFFFE: None, 0xFFFF: None}  # which no SVG may hold
LINE_MM = 3.6  # of a legend
BAR_MM, BAR_LETTERS = 30.0, 20  # the height of a scale, and the letters of a line beside it
GRAY = "#808080"
CURVE, MARKED = "#0072B2", "#D55E00"


def axes_of(width: float, height: float) -> "tuple[Figure, Axes]":
    """Return a figure with axes of so many millimeters; names and legends go around them."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * MM, height * MM))
    return figure, figure.add_axes((0, 0, 1, 1))


def text_of(name: object, width: int = NAME_WIDTH) -> str:
    """Return a name as it is written on a figure: in full, a long one on several lines."""
    whole = one_line(str(name).encode("utf-8", "replace").decode()).translate(NO_LETTERS)
    return whole if len(whole) <= width else textwrap.fill(whole, width)


def text_width(names: Sequence[str]) -> float:
    """Return how many millimeters the widest of some names takes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure()
    renderer = FigureCanvasAgg(figure).get_renderer()
    widths = [figure.text(0, 0, text_of(name)).get_window_extent(renderer).width for name in names]
    return float(max(widths, default=0.0)) / figure.dpi / MM


def legend_size(axes: "Axes") -> "tuple[float, float]":
    """Return width and height of the legend of some axes; 0 without one."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure, names = axes.get_figure(root=True), axes.get_legend()
    if figure is None or names is None:
        return 0.0, 0.0
    box = names.get_window_extent(FigureCanvasAgg(figure).get_renderer())
    return box.width / figure.dpi / MM, box.height / figure.dpi / MM


def legend(
    axes: "Axes", names: Sequence[str], colors: Sequence[str], rows: int, *, square: bool = False
) -> None:
    """Put names with their colors to the right of the axes, at most so many in a column."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], ls="", marker="s" if square else "o", ms=4.5, mew=0, color=color)
        for color in colors
    ]
    axes.legend(
        handles, [text_of(name) for name in names], loc="upper left", bbox_to_anchor=(1.02, 1.0),
        ncols=max(1, -(-len(names) // max(1, rows))), handletextpad=0.1, borderaxespad=0.0,
        columnspacing=1.0, labelspacing=0.35,
    )  # fmt: skip


def name_ticks(
    axes: "Axes", names: Sequence[str], colors: Sequence[str] | None = None, *, along_x: bool
) -> None:
    """Write a name at each whole number of an axis, and its color between both."""
    places = range(len(names))
    texts = [text_of(name) for name in names]
    if along_x:
        axes.set_xticks(places, texts, rotation=45, ha="right", rotation_mode="anchor")
    else:
        axes.set_yticks(places, texts)
    axes.tick_params("x" if along_x else "y", length=0, pad=8 if colors else 3)
    if colors:
        _squares(axes, colors, along_x=along_x)


def _squares(axes: "Axes", colors: Sequence[str], *, along_x: bool) -> None:
    from matplotlib.transforms import ScaledTranslation

    apart = -5 / 72
    shift = (0.0, apart) if along_x else (apart, 0.0)
    figure = axes.get_figure(root=True)
    if figure is None:
        raise ValueError("the axes are on no figure")
    along = axes.get_xaxis_transform() if along_x else axes.get_yaxis_transform()
    place = along + ScaledTranslation(*shift, figure.dpi_scale_trans)
    edge = [0.0] * len(colors)
    at = list(range(len(colors)))
    x, y = (at, edge) if along_x else (edge, at)
    axes.scatter(
        x, y, c=list(colors), s=16, marker="s", lw=0, transform=place, clip_on=False,
    )  # fmt: skip


def color_bar(axes: "Axes", low: float, high: float, words: str, *, aside: float = 3.0) -> None:
    """Put the scale of viridis so many millimeters to the right of the axes.

    On low axes it stands out below them: its title is no longer than it is.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    figure = axes.get_figure(root=True)
    if figure is None:
        raise ValueError("the axes are on no figure")
    width, height = figure.get_size_inches() / MM * axes.get_position().size
    share = BAR_MM / height
    beside = axes.inset_axes((1 + aside / width, min(0.0, 1.0 - share), 3 / width, share))
    bar = figure.colorbar(ScalarMappable(Normalize(low, high), "viridis"), cax=beside)
    bar.outline.set_visible(False)
    bar.set_label(text_of(words, BAR_LETTERS))


def shades() -> "Colormap":
    """Return the colors of shares from none to all: white to dark blue."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("shares", ["#FFFFFF", "#0B4F75"])
