"""Links by which colleagues look at a project: until when they open it, and who used them.

A link ends in a token: the id of the project, then a secret. Of the secret only its digest is
kept, in a file of its own that, as the rules of access, is never packed, copied or unpacked.
"""

import hashlib
import hmac
import logging
import os
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated, TypedDict

from scanvi_core import config
from scanvi_core.arrays import stamp
from scanvi_core.errors import ProjectError
from scanvi_core.plurals import count
from scanvi_core.project.files import read_json, write_json
from scanvi_core.project.folder import ID_LENGTH, now, place_of
from scanvi_core.project.records import Count, Date
from scanvi_core.project.turns import turn
from scanvi_core.typed import Mistyped, matches, taken

FILE = "links.json"
SECRET_BYTES = 24  # 192 random bits
Person = Annotated[str, matches(r"(?s).{0,200}")]
_logger = logging.getLogger(__name__)


class VisitorRecord(TypedDict):
    """Somebody who used a link."""

    name: Person
    signed_in: bool
    first: Date
    last: Date
    times: Count


class LinkRecord(TypedDict):
    """One link in the file."""

    id: Annotated[str, matches("[0-9a-f]{8}")]
    digest: Annotated[str, matches("[0-9a-f]{64}")]
    made_by: Person
    made: Date
    until: Date
    revoked: bool
    visitors: list[VisitorRecord]


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who used a link; a name without a sign-in is what they called themselves."""

    name: str
    signed_in: bool
    first: str
    last: str
    times: int


@dataclass(frozen=True, slots=True)
class Link:
    """A link; `digest` is the SHA-256 of its secret, times are UTC in ISO text."""

    id: str
    digest: str
    made_by: str
    made: str
    until: str
    revoked: bool = False
    visitors: tuple[Visitor, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether it opens the project now."""
        return not self.revoked and datetime.fromisoformat(self.until) > datetime.now(UTC)


def links_of(root: Path) -> tuple[Link, ...]:
    """Return the links of the project in a folder, the newest last.

    Those of a damaged file are gone, and open nothing.
    """
    try:
        seen = stamp(f"{root}{os.sep}{FILE}")  # asked for by every look at a project
    except FileNotFoundError:
        return ()
    return _read(*seen)


def find(token: str) -> tuple[Path, Link] | None:
    """Return the folder of the project that a token opens now, and its link; None for no other."""
    root = place_of(token[:ID_LENGTH])
    if root is None:
        return None
    digest = _digest(token[ID_LENGTH:])
    same = [link for link in links_of(root) if hmac.compare_digest(link.digest, digest)]
    return next(((root, link) for link in same if link.is_open), None)


def make(root: Path, made_by: str, days: int) -> str:
    """Make a link that ends after some days; return its token, which is kept nowhere.

    Links that opened nothing any more go first when they are many.

    Raises
    ------
    ProjectError
        If there are too many that are open, or the disk refuses.
    """
    secret = secrets.token_urlsafe(SECRET_BYTES)
    until = datetime.now(UTC) + timedelta(days=days)
    fresh = Link(
        secrets.token_hex(4), _digest(secret), made_by, now(), until.isoformat(timespec="seconds")
    )

    def add(known: tuple[Link, ...]) -> tuple[Link, ...]:
        closed = [link for link in known if not link.is_open]
        if len(known) - len(closed) >= config.MOST_LINKS:
            raise ProjectError(
                f"This project has {count(config.MOST_LINKS, 'link')} that are open.",
                "Take one back first.",
            )
        gone = closed[: max(0, len(known) + 1 - config.MOST_LINKS)]
        return (*(link for link in known if link not in gone), fresh)

    _change(root, add)
    return root.name + secret


def revoke(root: Path, identifier: str) -> None:
    """Let a link open nothing from now on."""
    _change(
        root,
        lambda known: tuple(
            replace(link, revoked=True) if link.id == identifier else link for link in known
        ),
    )


def note_visit(root: Path, identifier: str, name: str, *, signed_in: bool) -> None:
    """Note that somebody used a link; of more names than are kept the first stay."""
    _change(
        root,
        lambda known: tuple(
            _visited(link, name, signed_in) if link.id == identifier else link for link in known
        ),
    )


def _visited(link: Link, name: str, signed_in: bool) -> Link:
    time = now()
    before = [v for v in link.visitors if (v.name, v.signed_in) == (name, signed_in)]
    if not before and len(link.visitors) >= config.MOST_VISITORS:
        return link
    first, times = (before[0].first, before[0].times) if before else (time, 0)
    others = tuple(v for v in link.visitors if v not in before)
    return replace(
        link, visitors=(*others, Visitor(name, signed_in, first, last=time, times=times + 1))
    )


def _change(root: Path, change: Callable[[tuple[Link, ...]], tuple[Link, ...]]) -> None:
    with turn(root):  # of all processes: else one could undo what another took back
        write_json(root / FILE, {"links": [asdict(link) for link in change(links_of(root))]})


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


class _Links(TypedDict):
    links: list[LinkRecord]


@lru_cache(1024)
def _read(path: str, *_seen: int) -> tuple[Link, ...]:
    try:
        records = taken(read_json(Path(path)), _Links)["links"]
    except (ProjectError, Mistyped) as error:
        _logger.warning("%s is damaged: its links open nothing", path, exc_info=error)
        return ()
    return tuple(
        Link(**record | {"visitors": tuple(Visitor(**v) for v in record["visitors"])})
        for record in records
    )
