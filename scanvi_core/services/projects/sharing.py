"""Whom a project on a server belongs to, and who else may see or change it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from scanvi_core.errors import ProjectError, SettingInvalid
from scanvi_core.project import access
from scanvi_core.project.access import READ, WRITE, Access
from scanvi_core.project.folder import Project, open_project
from scanvi_core.services.projects.users import address

__all__ = ["READ", "WRITE", "Sharing", "give", "share", "sharing_of"]


@dataclass(frozen=True, slots=True)
class Sharing:
    """How a project is shared, as somebody who signed in sees it.

    Attributes
    ----------
    access
        Owner, everyone and people.
    is_mine, may_write, may_share
        Whether it belongs to who asks, and what they may do.
    may_give
        Whether they may make somebody else its owner without being it.
    """

    access: Access
    is_mine: bool
    may_write: bool
    may_share: bool
    may_give: bool


def sharing_of(project_id: str) -> Sharing | None:
    """Return how a project is shared; None where nobody signs in."""
    person = access.asking()
    if person is None:
        return None
    now = access.access_of(open_project(project_id).root)
    return Sharing(
        now,
        is_mine=not person.visits and person.name == now.owner != "",
        may_write=access.may_write(now, person),
        may_share=access.may_share(now, person),
        may_give=person.is_admin,
    )


def may_change(project_id: str) -> bool:
    """Tell whether who asks may change a project; anybody may where nobody signs in."""
    seen = sharing_of(project_id)
    return seen is None or seen.may_write


def names_in(text: str) -> list[str]:
    """Return the names that somebody wrote apart by commas, blanks or lines."""
    return [name for name in re.split(r"[\s,;]+", text) if name]


def share(project_id: str, everyone: str, people: Mapping[str, str]) -> None:
    """Say what all who are let in, and single people by their address, may do: read or write.

    Raises
    ------
    SettingInvalid
        If a name is no address, or something else is allowed than read or write.
    ProjectError
        If who asks may not share it.
    """
    project = _to_share(project_id)
    now = access.access_of(project.root)
    allowed = {n if n in now.people else _address(n): level for n, level in people.items()}
    if everyone not in access.LEVELS or not set(allowed.values()) <= {READ, WRITE}:
        raise SettingInvalid("A project is shared to read or to write.", "Choose one of them.")
    allowed.pop(now.owner, None)
    access.keep(project.root, replace(now, everyone=everyone, people=allowed))


def give(project_id: str, owner: str) -> None:
    """Make somebody else the owner; who owned it may go on changing it.

    Raises
    ------
    SettingInvalid
        If the name is no address.
    ProjectError
        If who asks may not share it.
    """
    project, owner = _to_share(project_id), _address(owner)
    now = access.access_of(project.root)
    people = {name: level for name, level in now.people.items() if name != owner}
    if now.owner and now.owner != owner:
        people[now.owner] = WRITE
    access.keep(project.root, replace(now, owner=owner, people=people))


def _to_share(project_id: str) -> Project:
    project, person = open_project(project_id), access.asking()
    if person is None:
        raise ProjectError("Nobody signs in here, so there is nobody to share with.")
    if not access.may_share(access.access_of(project.root), person):
        raise ProjectError(
            "Only its owner and the administrators say who sees a project.",
            "Ask its owner, or make a copy of your own on the Open page.",
        )
    return project


def _address(name: str) -> str:
    email = address(name)
    if not email:
        raise SettingInvalid(
            f"{name[:80]!r} is no e-mail address.", "Write the address they sign in with."
        )
    return email
