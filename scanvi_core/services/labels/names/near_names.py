"""Names of types that somebody may have meant who wrote another one."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

ALIKE = 0.8  # of the letters of two names, by difflib's ratio
MOST = 3


def near_names(name: str, known: Iterable[str]) -> list[str]:
    """Return known names that a new one may stand for, the nearest first; none if it is known.

    Names are near when they differ in capitals, signs or a plural, in a letter or two, or when one
    is the beginning of the other.

    Examples
    --------
    >>> near_names("cd16 monos", ["CD14 Mono", "CD16 Mono", "B"])
    ['CD16 Mono', 'CD14 Mono']
    >>> near_names("CD16", ["CD14 Mono", "CD16 Mono", "B"])
    ['CD16 Mono']
    >>> near_names("B", ["B", "Plasma"])
    []
    """
    plain = {other: plain_name(other) for other in known}
    if name in plain:
        return []
    own = plain_name(name)
    alike = get_close_matches(own, plain.values(), n=MOST, cutoff=ALIKE)
    alike += [text for text in plain.values() if _begins(own, text) or _begins(text, own)]
    order = list(dict.fromkeys(alike))
    near = sorted((other for other in plain if plain[other] in order),
                  key=lambda other: order.index(plain[other]))  # fmt: skip
    return near[:MOST]


def plain_name(name: str) -> str:
    """Return a name without capitals, signs and what only says "cells"."""
    words = re.findall(r"[^\W_]+", name.casefold())
    words = [word for word in words if word not in {"cell", "cells"}]
    return " ".join(word[:-1] if len(word) > 3 and word.endswith("s") else word for word in words)


def _begins(part: str, whole: str) -> bool:
    """Tell whether a text is made of the first words of another."""
    return bool(part) and whole.startswith(f"{part} ")
