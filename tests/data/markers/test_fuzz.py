"""Marker tables with random damage are read or refused, and nothing else."""

import random

from scanvi_core.data.markers.read import readings
from scanvi_core.errors import FileRefused
from tests.data.markers.test_read import HERE, SHAPES
from tests.data.markers.workbooks import workbook

N = 2_000
SIGNS = [b",", b"\t", b"\n", b'"', b"-", b":", b"'", b"[", b"{", b"\r", b"\xef\xbb\xbf", b"0"]
SOUND = [
    *(text.encode() for text in SHAPES.values()),
    workbook({"a": [["type", "gene"], ["B", "MS4A1"]], "b": [["B", "MS4A1"]]}),
    b'{"B": ["MS4A1"], "T": {"positive": ["CD3D"]}}',
]


def damaged(content, draw):
    content = bytearray(content)
    for _ in range(draw.randint(1, 8)):
        at = draw.randrange(len(content) + 1)
        match draw.randrange(4):
            case 0:
                content[at : at + 1] = bytes([draw.randrange(256)])
            case 1:
                content[at:at] = draw.choice(SIGNS)
            case 2:
                del content[at : at + draw.randint(1, 5)]
            case 3:
                content[at:at] = content[draw.randrange(len(content) + 1) :][:20]
    return bytes(content)


def test_damaged_tables_are_read_or_refused():
    draw, n_read = random.Random(0), 0
    for _ in range(N):
        content = damaged(draw.choice(SOUND), draw)
        try:
            ways = readings("markers.csv", content, HERE.is_known)
        except FileRefused:
            continue
        n_read += 1
        assert all(own.name and own.positive for way in ways for own in way.types), content
    assert N / 4 < n_read < N
