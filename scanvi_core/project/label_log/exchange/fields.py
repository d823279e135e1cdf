"""What each field of an entry may hold; an entry from elsewhere is held against it.

Nothing is worked out and no memory is taken before the numbers are known to fit the data set.
"""

import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from scanvi_core.config import HISTORY_EVENTS
from scanvi_core.errors import HistoryRefused
from scanvi_core.project.label_log.events import KINDS
from scanvi_core.project.label_log.replay.entries import Record
from scanvi_core.project.label_log.storage.signing import (
    BROUGHT_AT,
    BROUGHT_BY,
    MAX_VIA,
    SIGNED_IN,
    VIA,
)
from scanvi_core.project.names import MAX_LABEL_LENGTH, TERM

MAX_DEPTH = 12  # of lists in lists; a rule behind a label takes 6
MAX_PARENTS = 20  # of one label
MAX_NAME, MAX_TEXT, MAX_TIME = 1_000, 100_000, 40
YEARS = range(1970, 2200)  # a clock may be wrong, but a table cannot show any year
WHOLE = range(-(2**63), 2**63)
AGAIN = "Get it anew from where it was exported."
_COLOR = re.compile(r"(#[0-9a-fA-F]{6})?", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{32}", re.ASCII)
_COUNTS = frozenset({"n_cells", "left_out"})
_IN_WORDS = ("key", "reason", "model", "card", "how", "what", "with")
_NEEDED: Mapping[str, tuple[str, ...]] = {
    "assign": ("labels",), "holdout": ("how",), "note": ("text",), "checkpoint": ("name",),
    "combine": ("with", "knows", "logs"), "undo": ("step", "what"), "redo": ("step", "what"),
}  # fmt: skip


def check_fields(record: Record, n_obs: int) -> None:
    """Raise `HistoryRefused` where a field holds what no entry of this program holds."""
    if not is_whole(record.seq, range(1, HISTORY_EVENTS + 1)):
        raise refused(f"a step has the number {str(record.seq)[:20]}")
    found = {
        "time": is_time(record.time),
        "actor": is_text(record.actor, MAX_NAME),
        "kind": record.kind in KINDS,
        "digest": record.digest == "" or is_digest(record.digest),
        "mac": is_text(record.mac, MAX_NAME),
        "origin": record.origin is None or _is_origin(record.origin),
        "payload": isinstance(record.payload, dict) and _is_plain(record.payload),
    }
    for name in ("cells", "after", "before"):
        found[name] = isinstance(getattr(record, name), bytes | None)
    wrong = next((name for name, fits in found.items() if not fits), None)
    if wrong is None:
        wrong = _wrong_in_payload(record.kind, record.payload, n_obs)
    if wrong is not None:
        raise refused(f"{wrong!r} of step {record.seq} is nothing this program writes")


def refused(why: str) -> HistoryRefused:
    """Return the error for a history that cannot be."""
    return HistoryRefused(f"This label history is damaged: {why}.", AGAIN)


def is_whole(value: Any, within: range) -> bool:
    """Tell whether a value is a whole number, no yes or no, of a range."""
    return type(value) is int and value in within


def is_text(value: Any, most: int, least: int = 0) -> bool:
    """Tell whether a value is a text of some length that every database can hold."""
    if not isinstance(value, str) or not least <= len(value) <= most or "\0" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:  # half a character, as JSON can write it
        return False
    return True


def is_digest(value: Any) -> bool:
    """Tell whether a value is the digest of an entry."""
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def is_time(value: Any) -> bool:
    """Tell whether a value is a moment that a page can show."""
    if not is_text(value, MAX_TIME):
        return False
    try:
        return datetime.fromisoformat(value).year in YEARS
    except ValueError:
        return False


def _wrong_in_payload(kind: str, payload: Mapping[str, Any], n_obs: int) -> str | None:
    """Return the name of a part that is missing or does not fit, if there is one."""
    for name in ("n_cells", *_NEEDED.get(kind, ())):
        if name not in payload:
            return name
    if kind == "assign" and not payload["labels"]:
        return "labels"
    for name, value in payload.items():
        if name in _COUNTS and not is_whole(value, range(n_obs + 1)):
            return name
        if name in _FITS and not _FITS[name](value):
            return name
    return None


def _is_plain(value: Any, depth: int = 0) -> bool:
    """Tell whether a value is JSON that every database can hold, and not too deep."""
    if isinstance(value, dict | list):
        if depth == MAX_DEPTH:
            return False
        parts = value if isinstance(value, list) else [*value, *value.values()]
        return all(_is_plain(part, depth + 1) for part in parts)
    if isinstance(value, str):
        return is_text(value, len(value))
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or type(value) is bool or is_whole(value, WHOLE)


def _is_origin(value: Any) -> bool:
    if not isinstance(value, dict) or not value.keys() <= {SIGNED_IN, BROUGHT_BY, BROUGHT_AT, VIA}:
        return False
    if type(value.get(SIGNED_IN, False)) is not bool:
        return False
    if (BROUGHT_BY in value) != (BROUGHT_AT in value) or (
        VIA in value and BROUGHT_BY not in value
    ):
        return False
    via = value.get(VIA, [])
    bringers = [*via, (value[BROUGHT_BY], value[BROUGHT_AT])] if BROUGHT_BY in value else []
    return isinstance(via, list) and len(via) <= MAX_VIA and all(map(_is_bringer, bringers))


def _is_bringer(value: Any) -> bool:
    pair = isinstance(value, list | tuple) and len(value) == 2
    return pair and is_text(value[0], MAX_NAME) and is_time(value[1])


def _is_name(value: Any) -> bool:
    return is_text(value, MAX_LABEL_LENGTH, least=1) and bool(value.strip())


def _is_share(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value < math.inf


def _is_label(value: Any) -> bool:
    """Tell whether a value is a `Label` as JSON."""
    if not isinstance(value, list) or len(value) not in (5, 6):
        return False
    name, alive, color, above, prior, *term = value
    fits = _is_name(name) and type(alive) is bool and _is_color(color) and all(map(_is_term, term))
    return fits and (above == "" or _is_above(above)) and (prior is None or _is_share(prior))


def _is_above(value: Any) -> bool:
    """Tell whether a value is what a label stands under: a name, or several."""
    if isinstance(value, list):
        return 0 < len(value) <= MAX_PARENTS and all(map(_is_name, value))
    return _is_name(value)


def _is_color(value: Any) -> bool:
    return isinstance(value, str) and _COLOR.fullmatch(value) is not None


def _is_term(value: Any) -> bool:
    return isinstance(value, str) and TERM.fullmatch(value) is not None


def _is_edit(value: Any) -> bool:
    """Tell whether a value says how one position of the list of labels changes."""
    fits = isinstance(value, list) and len(value) == 3 and is_whole(value[0], range(2**30))
    return fits and _is_label(value[1]) and _is_label(value[2])


def _is_mapping(value: Any) -> bool:
    said = isinstance(value, dict) and all(map(_is_name, value))
    fits = (
        is_text(v, MAX_LABEL_LENGTH) or _is_share(v) or (isinstance(v, list) and _is_above(v))
        for v in value.values()
    )
    return said and all(fits)


def _texts(most: int) -> Callable[[Any], bool]:
    return lambda value: is_text(value, most)


def _list_of(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(fits, value))


_FITS: Mapping[str, Callable[[Any], bool]] = {
    "labels": _list_of(_is_name),
    "to": _is_name, "from": _is_name, "name": _is_name, "colour": _is_color,
    "term": _is_term, "below": True.__eq__,
    "mapping": _is_mapping, "changes": _list_of(_is_edit),
    "column": "holdout".__eq__,
    "step": lambda value: is_whole(value, range(1, HISTORY_EVENTS + 1)),
    "seed": lambda value: is_whole(value, WHOLE),
    "n_conflicts": lambda value: is_whole(value, range(2**63)),  # of the cells there were then
    "knows": _list_of(is_digest), "logs": _list_of(lambda value: isinstance(value, str)),
    "left_out_rows": lambda value: isinstance(value, str),
    **{name: _texts(MAX_TEXT) for name in _IN_WORDS},
    "text": lambda value: is_text(value, len(value) if isinstance(value, str) else 0),
}  # fmt: skip
