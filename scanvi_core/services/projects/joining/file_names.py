"""Names for files that are joined: different ones, which every system takes."""

import re
import unicodedata
from collections.abc import Sequence
from itertools import chain, count
from pathlib import Path

from scanvi_core.data.guard.signatures import plain_name


def names_of(files: Sequence[Path], taken: Sequence[str] = ()) -> list[str]:
    """Return different names for files that every system takes: what tells their paths apart.

    None is among the names that are `taken`.
    """
    ways = [[plain_name(part) for part in reversed(path.parts)] for path in files]
    shared = (at for at in range(min(map(len, ways)) - 1) if len({way[at] for way in ways}) == 1)
    depth = 0
    while len(ways) > 1 and depth == next(shared, None):
        depth += 1  # all have the same name, in folders of different ones
    names = list[str]()
    for way in ways:
        plain = unicodedata.normalize("NFKD", way[depth]).encode("ascii", "ignore").decode()
        name = re.sub(r"[^A-Za-z0-9._-]+", "_", plain).strip("._-")[:60] or "file"
        names.append(unused(name, [*taken, *names]))
    return names


def unused(name: str, taken: Sequence[str]) -> str:
    """Return a name, with a number where it is taken; capitals do not tell names apart."""
    known = {other.casefold() for other in taken}
    numbered = (f"{name}-{number}" for number in count(2))
    return next(free for free in chain([name], numbered) if free.casefold() not in known)
