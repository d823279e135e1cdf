"""What the server and the browser tell each other about a cell map."""

import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pages.ui.cell_map.colors import CategoryColor, ValueColor
from scanvi_core.errors import SettingInvalid
from scanvi_core.services.explore.drawn_cells import Drawn
from scanvi_core.services.explore.rules import Operation

Color = CategoryColor | ValueColor
Mask = NDArray[np.bool_]
APART = 5_000  # cells from which the big parts are sent apart, each when it changes
GRID = 65_534  # steps of the uint16 grid along the longer side; 65535 marks a cell not drawn


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
        Codes of the types on show when some were isolated or hidden in the legend (-1:
        unlabeled); empty when all were shown. The user sees only these, so a page may want to
        select only these.
    panel
        Which of linked maps the codes in `only` belong to.
    """

    polygon: NDArray[np.float64]
    op: Operation
    sequence: int
    only: tuple[int, ...] = field(default=())
    panel: int = 0


def parse_event(payload: Any, panels: int = 1) -> SelectionEvent | None:
    """Turn what the browser sent into an event; None when it sent nothing.

    Raises
    ------
    SettingInvalid
        When it is not of the agreed form. The corners are judged where they are used.
    """
    if payload is None:
        return None
    if not isinstance(payload, Mapping):
        raise _no_shape()
    op, only = str(payload.get("op")), payload.get("only", [])
    numbers = [payload.get("sequence"), payload.get("panel", 0)]
    if not isinstance(only, list | tuple) or not all(map(_is_whole, [*numbers, *only])):
        raise _no_shape()
    try:
        polygon = np.asarray(payload.get("polygon"), dtype=np.float64).reshape(-1, 2)
    except (TypeError, ValueError) as error:  # numpy's of what is no list of pairs of numbers
        raise _no_shape() from error
    sequence, panel = (int(number) for number in numbers)
    only = tuple(int(code) for code in only)
    if op not in get_args(Operation) or not 0 <= panel < panels:
        raise SettingInvalid(
            f"The map sent the unknown operation '{op}' for map {panel}.", "Reload the page."
        )
    return SelectionEvent(polygon, op, sequence, only, panel)  # type: ignore[arg-type]  # checked above


def _no_shape() -> SettingInvalid:
    return SettingInvalid(
        "The map sent a shape that cannot be read.", "Draw it again, or reload the page."
    )


def _is_whole(number: Any) -> bool:
    return isinstance(number, int | float) and number == number // 1


def _about_all(n_obs: int, color: Color, drawn: Drawn) -> dict[str, Any]:
    """Return what the header says of all cells where some are drawn."""
    about = {"lost": n_obs - drawn.n_placed, "note": drawn.note}
    return about | ({"counts": color.counts()} if isinstance(color, CategoryColor) else {})


def encode(
    xy: NDArray[np.floating],
    color: Color,
    *,
    selected: Mask | None,
    hover: Sequence[str] | None,
    meta: dict[str, Any],
    drawn: Drawn | None = None,
) -> tuple[bytes, dict[str, bytes]]:
    """Pack the map for the browser; return the message and the parts to send apart by name.

    Little endian: uint32 length of the header, the header (JSON, padded to 4 bytes), then the
    parts named in ``header["parts"]`` with their lengths, each padded to 4 bytes:
    ``xy`` uint16 [n, 2] on a square grid (65535: not drawn); ``codes`` uint8 or uint16 [n], 0 for
    none, else code + 1 or the step on the scale; ``palette`` uint8 [k, 3], entry 0 for none;
    ``mask`` one bit per cell; ``hover`` UTF-8 lines. With `drawn` these are of the drawn cells;
    ``all``, ``picked`` and ``counts`` (per type) in the header are of all. From `APART` drawn
    cells on, ``xy``, ``codes`` and ``mask`` come apart (see :func:`_named`); ``header["apart"]``
    holds their names.
    """
    header = meta | {"all": len(xy), "picked": 0}
    if selected is not None:
        header["picked"] = int(np.count_nonzero(selected))
    if drawn is not None:
        header |= _about_all(len(xy), color, drawn)
        xy, color = xy[drawn.rows], color.of(drawn.rows)
        selected = None if selected is None else selected[drawn.rows]
        hover = None if hover is None else [hover[row] for row in drawn.rows]
    checksum = zlib.crc32(np.ascontiguousarray(xy).tobytes())  # a stale revision cannot lie
    grid, low, unit = _grid(meta["revision"], checksum, len(xy), xy)
    steps = color.steps()
    parts = {"xy": grid, "codes": steps.tobytes(), "palette": color.table().tobytes()}
    if selected is not None and selected.any():
        parts["mask"] = np.packbits(selected, bitorder="little").tobytes()
    if hover is not None:
        parts["hover"] = "\n".join(line.replace("\n", " ") for line in hover).encode()
    header |= {"n": len(xy), "low": low, "unit": unit, "place": checksum}
    header |= {"wide": steps.itemsize > 1} | color.legend()
    apart: dict[str, bytes] = {}
    if len(xy) >= APART:
        big = [name for name in ("xy", "codes", "mask") if name in parts]
        apart = {name: _named(parts.pop(name), packed=name != "xy") for name in big}
    header["apart"] = {name: part[:24].decode() for name, part in apart.items()}
    header["parts"] = {name: len(part) for name, part in parts.items()}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 4)
    padded = (part + b"\0" * (-len(part) % 4) for part in parts.values())
    return b"".join((len(text).to_bytes(4, "little"), text, *padded)), apart


def _named(part: bytes, *, packed: bool) -> bytes:
    """Put a name made from the content, 24 characters, and a flag before a part.

    Packed ones are deflated by runs and Huffman codes only: looking for longer repeats costs far
    more time and finds none, since cells come in no order. Coordinates would not shrink.
    """
    name = hashlib.blake2b(part, digest_size=12).hexdigest().encode()
    if not packed:
        return name + b" " + part
    packer = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS, 9, zlib.Z_RLE)
    return name + b"z" + packer.compress(part) + packer.flush()


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
