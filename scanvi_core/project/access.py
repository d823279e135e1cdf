"""Who may see a project, and who may change it, on a server where people sign in.

Elsewhere nobody is asked and everything is allowed. The rules lie in a file of their own that is
never packed, copied or unpacked: whoever makes a project here owns it, whatever it came from.
Who came by a link (`scanvi_core.project.links`) sees one project and changes none, here and there.
"""

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from scanvi_core import runtime
from scanvi_core.arrays import stamp
from scanvi_core.errors import FileRefused, OnlyVisiting, ProjectError, ReadOnly, SettingInvalid
from scanvi_core.project.files import read_json, write_json

FILE = "access.json"
_logger = logging.getLogger(__name__)
READ, WRITE = "read", "write"
LEVELS = ("", READ, WRITE)  # each holds the ones before it
UNOWNED_VARIABLE = "SCANVI_UNOWNED_PROJECTS"  # what all may do with projects that nobody owns


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who signed in, or came by a link.

    Attributes
    ----------
    name
        What tells people apart; empty for one who may see nothing, or did not sign in.
    is_admin
        Whether every project is open to them.
    visits
        Id of the project that a link opened to them: they see it, and whatever else they may do
        under their name they may not do there.
    """

    name: str
    is_admin: bool = False
    visits: str = ""


@dataclass(frozen=True, slots=True)
class Access:
    """What the owner of a project allows others.

    Attributes
    ----------
    owner
        Name of the owner; empty where there is none.
    everyone
        What all who are let in may do: one of `LEVELS`.
    people
        What single people may do beyond that: `READ` or `WRITE` by name.
    """

    owner: str = ""
    everyone: str = ""
    people: Mapping[str, str] = field(default_factory=dict)


def level(access: Access, person: Person) -> str:
    """Return what a person may do: one of `LEVELS`."""
    if person.visits:
        return ""
    if may_share(access, person):
        return WRITE
    given = (access.everyone, access.people.get(person.name, "")) if person.name else ("",)
    return max(given, key=LEVELS.index)


def may_read(access: Access, person: Person) -> bool:
    """Tell whether a person may see a project and take copies of it."""
    return level(access, person) != ""


def may_write(access: Access, person: Person) -> bool:
    """Tell whether a person may change a project."""
    return level(access, person) == WRITE


def may_share(access: Access, person: Person) -> bool:
    """Tell whether a person may say who else sees a project, or give it away."""
    return not person.visits and (person.is_admin or person.name == access.owner != "")


def ask(who: Callable[[], Person | None]) -> None:
    """Let `who` say, on the thread where a project is asked for, who asks.

    None is the program itself, or somebody on a computer where nobody signs in.
    """
    global _ask  # noqa: PLW0603  one program has one way to tell its users apart
    _ask = who


def asking() -> Person | None:
    """Return who asks on this thread; None where everything is allowed."""
    given = _acting.get()
    return _ask() if given is None else given[0]


@contextmanager
def acting_for(person: Person | None) -> Iterator[None]:
    """Do on this thread what somebody asked for on another, and no more than they may."""
    before = _acting.set((person,))
    try:
        yield
    finally:
        _acting.reset(before)


def _nobody() -> None:
    return None


_ask: Callable[[], Person | None] = _nobody
_acting: ContextVar[tuple[Person | None] | None] = ContextVar("acting", default=None)


def is_open(root: Path) -> bool:
    """Tell whether who asks may see the project in a folder."""
    person = asking()
    if person is None or person.visits:
        return person is None or person.visits == root.name
    return may_read(access_of(root), person)


def refusal(root: Path) -> ReadOnly | None:
    """Return why who asks may not change the project in a folder; None if they may."""
    person = asking()
    if person is None:
        return None
    if person.visits:
        return OnlyVisiting()
    access = access_of(root)
    return None if may_write(access, person) else ReadOnly(access.owner)


def check_write(root: Path) -> None:
    """Raise `ReadOnly` if who asks may not change the project in a folder."""
    refused = refusal(root)
    if refused is not None:
        raise refused


def check_no_visit() -> None:
    """Raise `OnlyVisiting` if who asks came by a link: they make and take along nothing."""
    person = asking()
    if person is not None and person.visits:
        raise OnlyVisiting


def check_place(path: Path) -> None:
    """Raise `FileRefused` if somebody who signed in names the place of projects, or one around it.

    Other people's projects are there, and their own are opened from the list. Who came by a link
    opens no files.
    """
    check_no_visit()
    home = runtime.home().resolve()
    inside = path.is_relative_to(home) or home.is_relative_to(path)
    if asking() is not None and inside:
        raise FileRefused(
            f"{path.name} is where projects are kept.",
            "Open projects from the list, and other data from another folder.",
        )


def begin(root: Path) -> None:
    """Make who asks the owner of a new project."""
    check_no_visit()
    person = asking()
    if person is not None:
        keep(root, Access(owner=person.name))


def keep(root: Path, access: Access) -> None:
    """Write down what the owner allows."""
    write_json(root / FILE, asdict(access))


def access_of(root: Path) -> Access:
    """Return what is allowed in the project in a folder.

    One without an owner is for administrators, or as ``SCANVI_UNOWNED_PROJECTS`` says; one whose
    rules cannot be read is for administrators.

    Raises
    ------
    SettingInvalid
        If the variable says something else than read or write.
    """
    try:
        seen = stamp(f"{root}{os.sep}{FILE}")  # asked for by every look at a project
    except FileNotFoundError:
        return Access(everyone=unowned())
    return _read(*seen)


def unowned() -> str:
    """Return what all who are let in may do with projects that nobody owns."""
    allowed = os.environ.get(UNOWNED_VARIABLE, "").strip().lower()
    if allowed not in LEVELS:
        raise SettingInvalid(
            f"{UNOWNED_VARIABLE} is {allowed!r}.", "Leave it empty, or write read or write."
        )
    return allowed


@lru_cache(4096)
def _read(path: str, *_seen: int) -> Access:
    try:
        record = read_json(Path(path))
    except ProjectError as error:
        return _nobodys(path, error)
    if not isinstance(record, dict):
        return _nobodys(path)
    owner: Any = record.get("owner")
    everyone: Any = record.get("everyone")
    people: Any = record.get("people")
    typed = isinstance(owner, str) and everyone in LEVELS and isinstance(people, dict)
    if not typed or any(given not in (READ, WRITE) for given in people.values()):
        return _nobodys(path)
    return Access(owner, everyone, people)


def _nobodys(path: str, cause: Exception | None = None) -> Access:
    """Return who may see a project whose record is damaged: only who runs the program."""
    _logger.warning("%s is damaged: only administrators see the project", path, exc_info=cause)
    return Access()
