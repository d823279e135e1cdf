"""The cell map: every cell as a point, drawn by the browser's graphics card.

The browser sends back only the outline that was drawn; the server decides which cells are inside
(:func:`scanvi_core.annotation.selection.polygon.in_polygon`), so a selection is exact however many
cells are drawn. Zoom, tool and isolated types live in the browser, by `key`: a new color or
selection leaves them alone. Without WebGL2 the same map is painted on a plain canvas. The wire
format is described at :func:`pages.ui.cell_map.protocol.encode`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pages.ui.cell_map.colors import CategoryColor, ValueColor
from pages.ui.cell_map.protocol import Color, Mask, SelectionEvent, encode, parse_event
from scanvi_core import runtime
from scanvi_core.errors import SettingInvalid
from scanvi_core.services.explore.drawn_cells import Drawn

__all__ = ["CategoryColor", "SelectionEvent", "ValueColor", "cell_map", "linked_maps"]

MAX_LINKED = 4
OnSelect = Callable[[SelectionEvent], None]
_ASSETS = runtime.APP / "assets"
_FILES = ("data", "view", "gl", "flat", "over", "legend", "tools")


def _asset(*names: str) -> str:
    return "".join((_ASSETS / name).read_text(encoding="utf-8") for name in names)


_mount = st.components.v2.component(
    "cell_map", css=_asset("cell_map.css"), js=_asset("cell_map_mount.js")
)
_mount_code = st.components.v2.component(
    "cell_map_code", js=_asset(*(f"cell_map_{name}.js" for name in _FILES), "cell_map.js")
)
_mount_part = st.components.v2.component("cell_map_part", js=_asset("cell_map_part.js"))


def cell_map(
    key: str,
    xy: NDArray[np.floating],
    *,
    color: Color,
    revision: str,
    selected: Mask | None = None,
    height: int = 520,
    fill: int = 0,
    hover: Sequence[str] | None = None,
    on_select: OnSelect | None = None,
    tools: bool = True,
    also: str = "",
    drawn: Drawn | None = None,
    aside: int = 0,
) -> SelectionEvent | None:
    """Draw the map and return the shape drawn since the last run, if any.

    Put it in a fragment when only its neighbors change with the selection. Not inside a form.

    Parameters
    ----------
    key
        Name of the map on the page; also the name of its view (zoom, tool) in the browser.
    xy
        Coordinates [n, 2]; cells with one that is not finite are not drawn.
    color
        What the colors mean.
    revision
        Name of the content, shown to tests as ``data-revision``; same coordinates under the same
        revision are prepared once.
    selected
        Cells to emphasise [n]; None for none.
    height
        Pixels on the page, legend and status line included; the least ones when `fill` is given.
    fill
        Pixels of the window to leave to the rest of the page; 0 keeps `height`.
    hover
        One more line of text per cell [n] for the card at the pointer, such as the cell's name.
    on_select
        Called before the script runs again, with each shape drawn.
    tools
        False gives a still picture: no legend, no tools, no selection.
    also
        The widgets that select cells without a pointer, in words, for screen readers.
    drawn
        The cells to draw where all would be too many; None for all. Every other argument is of
        all cells, and so are the selection and the counts that are shown.
    aside
        Pixels above the legend to leave to what the page puts there; see `workbench`.

    Raises
    ------
    SettingInvalid
        When the arrays differ in length, or the browser sent something that is no shape.
    """
    _check_lengths(xy, [color], selected, hover)
    meta = {"key": key, "view": key, "revision": revision, "panel": 0, "compact": False}
    meta |= {"height": height, "fill": fill, "tools": tools, "also": also, "aside": aside}
    data, apart = encode(xy, color, selected=selected, hover=hover, meta=meta, drawn=drawn)
    with st.container(gap=None):  # code and parts take no room
        _send_apart(key, apart)
        return _draw(key, data, 1, on_select)


def linked_maps(
    key: str,
    xy: NDArray[np.floating],
    colors: dict[str, Color],
    *,
    revision: str,
    selected: Mask | None = None,
    height: int = 520,
    fill: int = 0,
    on_select: OnSelect | None = None,
    also: str = "",
    drawn: Drawn | None = None,
) -> SelectionEvent | None:
    """Draw up to four maps of the same cells, two by two, that move and select together.

    A type isolated in one of them is isolated in all. The first map has the tools. Coordinates
    and selection are sent once for all.

    Parameters
    ----------
    colors
        Title and color of each map.
    height, fill
        As in :func:`cell_map`, for all maps together.

    Other parameters are those of :func:`cell_map`; so are what is returned and raised.
    """
    if not 0 < len(colors) <= MAX_LINKED:
        raise SettingInvalid(f"{len(colors)} linked maps were asked for.", "Ask for 1 to 4.")
    _check_lengths(xy, list(colors.values()), selected, None)
    rows = -(-len(colors) // 2)
    events = []
    with st.container(key=f"{key}-all"):
        grid = [st.columns(2, gap="small") for _ in range(rows)]
    for panel, (title, color) in enumerate(colors.items()):
        name = f"{key}-{panel}"
        meta = {"key": name, "view": key, "revision": revision, "panel": panel, "compact": True}
        meta |= {"height": height // rows, "fill": fill, "rows": rows, "tools": True}
        meta |= {"also": also, "title": title}
        data, apart = encode(xy, color, selected=selected, hover=None, meta=meta, drawn=drawn)
        with grid[panel // 2][panel % 2], st.container(gap=None):
            shared = {} if panel else apart  # the coordinates and the selection are the same
            _send_apart(name, shared | {"codes": apart["codes"]} if apart else {}, not panel)
            events.append(_draw(name, data, len(colors), on_select))
    return next((event for event in events if event), None)


def _send_apart(key: str, apart: dict[str, bytes], code: bool = True) -> None:
    """Put the program and the big parts on the page, each sent only when it changes."""
    if code:
        _mount_code(key=f"{key}.code")
    for name, part in apart.items():
        _mount_part(key=f"{key}.{name}", data=part)


def _draw(key: str, data: bytes, panels: int, on_select: OnSelect | None) -> SelectionEvent | None:
    def deliver() -> None:
        event = parse_event(st.session_state[key].get("select"), panels)
        if event and on_select:
            on_select(event)

    result: Any = _mount(key=key, data=data, on_select_change=deliver)
    return parse_event(result.get("select"), panels)


def _check_lengths(
    xy: NDArray[np.floating],
    colors: Sequence[Color],
    selected: Mask | None,
    hover: Sequence[str] | None,
) -> None:
    given = [("colors", color) for color in colors]
    for name, array in (*given, ("selection", selected), ("hover texts", hover)):
        if array is not None and len(array) != len(xy):
            raise SettingInvalid(
                f"The map has {len(xy)} cells, its {name} {len(array)}.",
                "Reload the page; the map and the labels belong to different data.",
            )
