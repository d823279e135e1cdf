"""Look into the collections in which HDF5 keeps texts of varying length, before HDF5 does.

The library walks the objects of a collection by their sizes; a size of nothing keeps it there for
ever. The layout is that of the HDF5 File Format Specification 3.0, section III.E (global heap).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from scanvi_core.errors import FileRefused

SIGNATURE = b"GCOL"
HEAD = 16  # bytes: signature 4, version 1, reserved 3, size 8; of an object: number 2, 6, size 8
UNITS = 8  # objects begin at multiples of so many bytes
MAX_BYTES = 2**26  # of a collection; larger ones hold one text longer than that


@dataclass(slots=True)
class Heaps:
    """The collections of a file that were looked into.

    Attributes
    ----------
    path
        The open file, by the name it was opened with.
    start
        Where HDF5 counts from: behind the block of the user.
    """

    path: Path
    start: int = 0
    seen: set[int] = field(default_factory=set)

    def check(self, addresses: Iterable[int], here: str) -> None:
        """Raise `FileRefused` where a collection at one of some addresses leads round in circles.

        Parameters
        ----------
        addresses
            Places as the file states them.
        here
            The data set that states them, for the refusal.
        """
        new = sorted({int(address) for address in addresses} - self.seen)
        if not new:
            return
        self.seen.update(new)
        with self.path.open("rb") as file:
            size = file.seek(0, 2)
            for address in new:
                if 0 <= self.start + address < size and _is_endless(file, self.start + address):
                    raise FileRefused(
                        f"{here} is damaged: its texts lead round in circles.",
                        "Compare the file's checksum with the source, or copy it again.",
                    )


def _is_endless(file: BinaryIO, at: int) -> bool:
    """Tell whether an object of the collection at a place says that it takes no room."""
    file.seek(at)
    head = file.read(HEAD)
    size = int.from_bytes(head[8:], "little")
    if not head.startswith(SIGNATURE) or not HEAD < size <= MAX_BYTES:
        return False
    words = file.read(size - HEAD)
    table = np.frombuffer(words, "<u8", len(words) // UNITS)
    free_of_no_size = (table[1:] == 0) & (table[:-1] & 0xFFFF == 0)
    return bool(free_of_no_size.any()) and _walk_ends_at_nothing(table)


def _walk_ends_at_nothing(table: np.ndarray) -> bool:
    at = 0
    while at + 1 < len(table):
        number, size = int(table[at]) & 0xFFFF, int(table[at + 1])
        step = -(-size // UNITS) + (2 if number else 0)  # free room counts its own head
        if step == 0:
            return True
        at += step
    return False
