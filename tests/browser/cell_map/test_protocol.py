"""What is sent to the map, read as the browser reads it."""

import json
import zlib
from typing import Any

import numpy as np
import pytest

from pages.ui.cell_map.colors import CategoryColor, ValueColor
from pages.ui.cell_map.protocol import APART, encode, parse_event
from scanvi_core.colors import type_colors
from scanvi_core.errors import SettingInvalid
from scanvi_core.services.explore.drawn_cells import Drawn

META = {"key": "map", "revision": "one"}
MEGABYTE = 1_000_000


def _read(message: bytes, apart: dict[str, bytes]) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Undo `encode`; parts apart must bear the names in the header."""
    length = int.from_bytes(message[:4], "little")
    header, at, parts = json.loads(message[4 : 4 + length]), 4 + length, {}
    for name, size in header["parts"].items():
        parts[name] = message[at : at + size]
        at += size + -size % 4
    assert at == len(message)
    for name, part in apart.items():
        assert part[:24].decode() == header["apart"][name]
        packed = part[24:25] == b"z"
        parts[name] = zlib.decompress(part[25:], wbits=-15) if packed else part[25:]
    return header, parts


@pytest.mark.parametrize("n", [100, APART])
def test_the_browser_gets_places_codes_and_the_selection(n: int) -> None:
    rng = np.random.default_rng(0)
    xy, selected = rng.normal(size=(n, 2)) * (3, 1) + 5, rng.random(n) < 0.4
    xy[7] = np.nan
    color = CategoryColor(rng.integers(-1, 4, n), list("abcd"), type_colors(4))
    header, parts = _read(*encode(xy, color, selected=selected, hover=None, meta=META))
    grid = np.frombuffer(parts["xy"], "<u2").reshape(n, 2)
    assert grid[7].tolist() == [65_535, 65_535]
    shown = np.delete(grid / 65_535 * header["unit"] + header["low"], 7, axis=0)
    np.testing.assert_allclose(shown, np.delete(xy, 7, axis=0), atol=header["unit"] / 65_535)
    np.testing.assert_array_equal(np.frombuffer(parts["codes"], "u1"), color.codes + 1)
    bits = np.unpackbits(np.frombuffer(parts["mask"], "u1"), bitorder="little", count=n)
    np.testing.assert_array_equal(bits, selected)


def test_of_many_cells_the_drawn_ones_are_sent_and_all_are_counted() -> None:
    rng, n = np.random.default_rng(0), 4 * APART
    xy, selected = rng.normal(size=(n, 2)), rng.random(n) < 0.4
    xy[5] = np.nan
    rows = np.sort(rng.permutation(np.arange(6, n))[: 2 * APART])
    drawn = Drawn(rows, n_placed=n - 1, n_unsure=300, n_unsure_drawn=200)
    types = CategoryColor(rng.integers(-1, 3, n), list("abc"), type_colors(3))
    header, parts = _read(
        *encode(xy, types, selected=selected, hover=None, meta=META, drawn=drawn)
    )
    assert (header["n"], header["all"], header["lost"]) == (len(rows), n, 1)
    assert header["picked"] == selected.sum()
    assert header["counts"] == np.bincount(types.codes + 1).tolist()
    assert header["note"] == "200 of 300 unsure ones among them"
    np.testing.assert_array_equal(np.frombuffer(parts["codes"], "u1"), types.codes[rows] + 1)
    bits = np.unpackbits(np.frombuffer(parts["mask"], "u1"), bitorder="little", count=len(rows))
    np.testing.assert_array_equal(bits, selected[rows])
    values = ValueColor(rng.random(n), "gene", 0.0, 1.0)
    other, apart = encode(xy, values, selected=None, hover=None, meta=META, drawn=drawn)
    again, _ = _read(other, apart)
    assert again["apart"]["xy"] == header["apart"]["xy"], "a new color sends coordinates again"
    steps = np.frombuffer(_read(other, apart)[1]["codes"], "<u2").astype(float)
    np.testing.assert_allclose((steps - 1) / again["last"], values.values[rows], atol=1e-4)


def test_of_a_million_cells_a_color_and_a_selection_are_less_than_a_megabyte() -> None:
    rng, n = np.random.default_rng(0), 1_000_000
    values = ValueColor(rng.random(n), "worst case", 0.0, 1.0)
    _, apart = encode(
        np.zeros((n, 2)), values, selected=rng.random(n) < 0.5, hover=None, meta=META
    )
    assert len(apart["codes"]) + len(apart["mask"]) < MEGABYTE


@pytest.mark.parametrize("n", [1_000, 200_000])
def test_a_value_keeps_its_place_on_the_scale(n: int) -> None:
    values = np.linspace(-1, 4, n)
    values[0] = np.nan
    color = ValueColor(values, "gene", 0.0, 3.0)
    steps, legend = color.steps(), color.legend()
    assert steps[0] == 0
    assert legend["cut"] == [True, True]
    shown = (steps[1:].astype(float) - 1) / legend["last"] * 3
    np.testing.assert_allclose(shown, np.clip(values[1:], 0, 3), atol=1.6 / legend["last"])


@pytest.mark.parametrize(
    "change", [{"panel": 4}, {"panel": -1}, {"op": "drop"}, {"polygon": [[1, 2], [3]]}]
)
def test_a_message_that_no_map_sends_is_refused(change: dict[str, Any]) -> None:
    message = {"polygon": [[0, 0], [1, 0], [1, 1]], "op": "add", "sequence": 1, "panel": 3}
    assert parse_event(message, 4) is not None
    with pytest.raises(SettingInvalid):
        parse_event(message | change, 4)
