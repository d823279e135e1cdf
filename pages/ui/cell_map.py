"""The cell map: every cell as a point, drawn by the browser's graphics card.

The browser sends back only the outline that was drawn; the server decides which cells are inside
(:func:`scanvi_core.annotation.selection.in_polygon`), so a selection is exact however many cells
are drawn. Zoom, tool and isolated types live in the browser, by `key`: a new colour or selection
leaves them alone. The wire format is described at :func:`encode`.
"""

import hashlib
import json
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pages.ui.colours import CategoryColour, ValueColour
from scanvi_core.errors import SettingInvalid

__all__ = ["CategoryColour", "SelectionEvent", "ValueColour", "cell_map", "fallback_map"]

Colour = CategoryColour | ValueColour
Operation = Literal["replace", "add", "subtract", "intersect", "clear"]
Mask = NDArray[np.bool_]
APART = 5_000  # cells from which coordinates and colours are sent apart, each when it changes
GRID = 65_534  # steps of the uint16 grid along the longer side; 65535 marks a cell not drawn
_ASSETS = Path(__file__).parents[2] / "assets"
_mount = st.components.v2.component(
    "cell_map",
    css=(_ASSETS / "cell_map.css").read_text(encoding="utf-8"),
    js="".join((_ASSETS / f"{name}.js").read_text() for name in ("cell_map_points", "cell_map")),
)
_mount_part = st.components.v2.component(
    "cell_map_part", js=(_ASSETS / "cell_map_part.js").read_text(encoding="utf-8")
)


@dataclass(frozen=True, eq=False)
class SelectionEvent:
    """A shape the user drew.

    Attributes
    ----------
    polygon
        Corners [v, 2] in the units of `xy`; empty for ``clear``.
    op
        How the cells inside join the current selection.
    sequence
        Rises with every event of a map on screen; an event is delivered once.
    only
        Codes of the types isolated in the legend when the shape was drawn (-1: unlabelled); empty
        when all were shown. The user sees only these, so a page may want to select only these.
    """

    polygon: NDArray[np.float64]
    op: Operation
    sequence: int
    only: tuple[int, ...] = field(default=())


def cell_map(
    key: str,
    xy: NDArray[np.floating],
    *,
    colour: Colour,
    revision: str,
    selected: Mask | None = None,
    height: int = 520,
    hover: Sequence[str] | None = None,
    on_select: Callable[[SelectionEvent], None] | None = None,
    tools: bool = True,
) -> SelectionEvent | None:
    """Draw the map and return the shape drawn since the last run, if any.

    Put it in a fragment when only its neighbours change with the selection. Not inside a form.

    Parameters
    ----------
    key
        Name of the map on the page; also the name of its view (zoom, tool) in the browser.
    xy
        Coordinates [n, 2]; cells with one that is not finite are not drawn.
    colour
        What the colours mean.
    revision
        Name of the content, shown to tests as ``data-revision``; same coordinates under the same
        revision are prepared once.
    selected
        Cells to emphasise [n]; None for none.
    height
        Pixels on the page, legend and status line included.
    hover
        One more line of text per cell [n] for the card at the pointer, such as the cell's name.
    on_select
        Called before the script runs again, with each shape drawn.
    tools
        False gives a still picture: no legend, no tools, no selection.

    Raises
    ------
    SettingInvalid
        When the arrays differ in length, or the browser sent something that is no shape.
    """
    _check_lengths(xy, colour, selected, hover)
    if st.session_state.get(_fallback_key(key)):
        still: dict[str, Any] = {"height": height, "on_select": on_select, "tools": tools}
        return fallback_map(key, xy, colour=colour, selected=selected, **still)

    def deliver() -> None:
        event = parse_event(st.session_state[key].get("select"))
        if event and on_select:
            on_select(event)

    meta = {"key": key, "revision": revision, "height": height, "tools": tools}
    data, apart = encode(xy, colour, selected=selected, hover=hover, meta=meta)
    with st.container(gap=None):  # the parts take no room
        for name, part in apart.items():
            _mount_part(key=f"{key}.{name}", data=part)
        result = _mount(
            key=key,
            data=data,
            height=height,
            on_select_change=deliver,
            on_nogl_change=lambda: st.session_state.update({_fallback_key(key): True}),
        )
    return parse_event(result.get("select"))


def parse_event(payload: Any) -> SelectionEvent | None:
    """Turn what the browser sent into an event; None when it sent nothing.

    Raises
    ------
    SettingInvalid
        When it is not of the agreed form. The corners are judged where they are used.
    """
    if payload is None:
        return None
    try:
        polygon = np.asarray(payload["polygon"], dtype=np.float64).reshape(-1, 2)
        sequence, op = int(payload["sequence"]), str(payload["op"])
        only = tuple(int(code) for code in payload.get("only", ()))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SettingInvalid(
            "The map sent a shape that cannot be read.", "Draw it again, or reload the page."
        ) from error
    if op not in get_args(Operation):
        raise SettingInvalid(f"The map sent the unknown operation '{op}'.", "Reload the page.")
    return SelectionEvent(polygon, op, sequence, only)  # type: ignore[arg-type]  # checked above


def encode(
    xy: NDArray[np.floating],
    colour: Colour,
    *,
    selected: Mask | None,
    hover: Sequence[str] | None,
    meta: dict[str, Any],
) -> tuple[bytes, dict[str, bytes]]:
    """Pack the map for the browser; return the message and the parts to send apart by name.

    Little endian: uint32 length of the header, the header (JSON, padded to 4 bytes), then the
    parts named in ``header["parts"]`` with their lengths, each padded to 4 bytes:
    ``xy`` uint16 [n, 2] on a square grid (65535: not drawn); ``codes`` uint8 or uint16 [n], 0 for
    none, else code + 1 or the step on the scale; ``palette`` uint8 [k, 3], entry 0 for none;
    ``mask`` one bit per cell; ``hover`` UTF-8 lines. From `APART` cells on, ``xy`` and ``codes``
    come apart, each after a name of 24 characters made from its content; ``header["apart"]`` holds
    the names.
    """
    checksum = zlib.crc32(np.ascontiguousarray(xy).tobytes())  # a stale revision cannot lie
    grid, low, unit = _grid(meta["revision"], checksum, len(xy), xy)
    steps = colour.steps()
    parts = {"xy": grid, "codes": steps.tobytes(), "palette": colour.table().tobytes()}
    if selected is not None and selected.any():
        parts["mask"] = np.packbits(selected, bitorder="little").tobytes()
    if hover is not None:
        parts["hover"] = "\n".join(line.replace("\n", " ") for line in hover).encode()
    header = meta | {"n": len(xy), "low": low, "unit": unit, "place": checksum}
    header |= {"wide": steps.itemsize > 1} | colour.legend()
    apart = {name: parts.pop(name) for name in ("xy", "codes") if len(xy) >= APART}
    apart = {name: _named(part) for name, part in apart.items()}
    header["apart"] = {name: part[:24].decode() for name, part in apart.items()}
    header["parts"] = {name: len(part) for name, part in parts.items()}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 4)
    padded = (part + b"\0" * (-len(part) % 4) for part in parts.values())
    return b"".join((len(text).to_bytes(4, "little"), text, *padded)), apart


def _named(part: bytes) -> bytes:
    return hashlib.blake2b(part, digest_size=12).hexdigest().encode() + part


@st.cache_resource(max_entries=8, show_spinner=False)
def _grid(
    revision: str,  # noqa: ARG001 - part of the cache's key, as are the next two
    checksum: int,  # noqa: ARG001
    n: int,  # noqa: ARG001
    _xy: NDArray[np.floating],
) -> tuple[bytes, list[float], float]:
    """Round coordinates to the grid; also return its origin and the length of its side."""
    drawn = np.isfinite(_xy).all(axis=1)
    if not drawn.any():
        return np.full(_xy.shape, GRID + 1, "<u2").tobytes(), [0.0, 0.0], 1.0
    seen = _xy[drawn].astype(np.float64)
    low, high = seen.min(axis=0), seen.max(axis=0)
    step = float((high - low).max() or 1.0) / GRID  # one scale for both axes: no distortion
    grid = np.full(_xy.shape, GRID + 1, "<u2")
    grid[drawn] = np.rint((seen - low) / step)
    return grid.tobytes(), low.tolist(), step * (GRID + 1)


def _check_lengths(
    xy: NDArray[np.floating],
    colour: Colour,
    selected: Mask | None,
    hover: Sequence[str] | None,
) -> None:
    for name, array in (("colours", colour), ("selection", selected), ("hover texts", hover)):
        if array is not None and len(array) != len(xy):
            raise SettingInvalid(
                f"The map has {len(xy)} cells, its {name} {len(array)}.",
                "Reload the page; the map and the labels belong to different data.",
            )


def _fallback_key(key: str) -> str:
    return f"{key}.without-webgl"


def fallback_map(
    key: str,
    xy: NDArray[np.floating],
    *,
    colour: Colour,
    selected: Mask | None = None,
    height: int = 520,
    on_select: Callable[[SelectionEvent], None] | None = None,
    tools: bool = True,
) -> SelectionEvent | None:
    """Draw the map as a picture, for browsers without WebGL2; a lasso still returns its outline.

    One invisible point carries the picture, so the browser sends no list of cells. Zooming
    magnifies the picture, and every shape replaces the selection. Parameters as in
    :func:`cell_map`.
    """
    name, fresh = f"{key}.raster", f"{key}.raster.event"

    def deliver() -> None:
        event = _last_shape(st.session_state[name])
        if event:
            st.session_state[fresh] = event
            if on_select:
                on_select(event)

    chart: dict[str, Any] = {
        "key": name,
        "config": {"displaylogo": False, "displayModeBar": tools},
    }
    if tools:
        st.caption("This browser offers no WebGL2: the map is a plain picture.")
        chart |= {"on_select": deliver, "selection_mode": ("lasso", "box")}
    st.plotly_chart(_figure(xy, colour, selected, height), **chart)
    return st.session_state.pop(fresh, None)


def _figure(xy: NDArray[np.floating], colour: Colour, selected: Mask | None, height: int) -> Any:
    """Return a plotly figure: the raster, and one invisible point that makes lassos work."""
    import plotly.graph_objects as go
    from PIL import Image

    picture, low, high = _raster(xy, colour, selected, shape=(2 * height, 3 * height))
    figure = go.Figure(go.Scatter(x=[low[0]], y=[low[1]], mode="markers", marker={"opacity": 0}))
    figure.add_layout_image(
        source=Image.fromarray(picture), xref="x", yref="y", x=low[0], y=high[1], layer="below",
        sizex=high[0] - low[0], sizey=high[1] - low[1], sizing="stretch",
    )  # fmt: skip
    figure.update_xaxes(range=[low[0], high[0]], visible=False)
    figure.update_yaxes(range=[low[1], high[1]], visible=False, scaleanchor="x")
    return figure.update_layout(
        height=height, margin={"l": 0, "r": 0, "t": 0, "b": 0}, dragmode="lasso", showlegend=False
    )


def _raster(
    xy: NDArray[np.floating], colour: Colour, selected: Mask | None, shape: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.floating], NDArray[np.floating]]:
    """Paint cells into an RGBA picture [rows, columns, 4]; return also its two corners."""
    rows, columns = shape
    drawn = np.flatnonzero(np.isfinite(xy).all(axis=1))
    at = xy[drawn].astype(np.float64) if drawn.size else np.zeros((1, 2))
    centre, extent = (at.min(axis=0) + at.max(axis=0)) / 2, np.ptp(at, axis=0)
    half = 0.53 * max(extent[0] / columns, extent[1] / rows, 1e-9) * np.array([columns, rows])
    steps = colour.steps()[drawn].astype(np.int64)
    order = np.argsort(steps > 0, kind="stable")  # grey first
    if isinstance(colour, ValueColour):
        order, steps = np.argsort(steps, kind="stable"), -(-steps // 256)
    ink = np.column_stack([colour.table()[steps], np.full(drawn.size, 255)]).astype(np.uint8)
    if selected is not None and selected.any():
        ink[~selected[drawn], 3] = 60
        order = order[np.argsort(selected[drawn][order], kind="stable")]
    column, row = ((at - centre + half) / (2 * half) * [columns - 1, rows - 1]).astype(int).T
    picture = np.zeros((rows, columns, 4), np.uint8)
    reach = int(np.clip(np.sqrt(rows * columns / max(drawn.size, 1)) / 8, 0, 4))
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            if dy * dy + dx * dx <= reach * reach + 1:
                y, x = rows - 1 - row[order] + dy, column[order] + dx
                picture[y.clip(0, rows - 1), x.clip(0, columns - 1)] = ink[order]
    return picture, centre - half, centre + half


def _last_shape(state: Any) -> SelectionEvent | None:
    """Read the outline from plotly's selection; None when it holds none."""
    shapes = [*state["selection"].get("lasso", ()), *state["selection"].get("box", ())]
    if not shapes:
        return None
    x, y = shapes[-1]["x"], shapes[-1]["y"]
    if len(x) == 2:  # a box comes as two opposite corners
        x, y = [x[0], x[1], x[1], x[0]], [y[0], y[0], y[1], y[1]]
    return SelectionEvent(np.column_stack([x, y]).astype(np.float64), "replace", time.time_ns())
