"""A link by which colleagues look at a project: made, seen and taken back by its owner.

On a server where people sign in they still have to: the link adds one project to what they see,
and nothing to what they may change.
"""

from scanvi_core import config
from scanvi_core.errors import ProjectError, SettingInvalid
from scanvi_core.project import access, links, locks
from scanvi_core.project.access import Person
from scanvi_core.project.folder import Project, open_project
from scanvi_core.project.links import Link, Visitor
from scanvi_core.services.projects import users

__all__ = ["Link", "Visitor", "ends", "enter", "links_of", "make", "may_make", "revoke",
           "visiting", "visitor"]  # fmt: skip


def may_make(project_id: str) -> bool:
    """Tell whether who asks may make links to a project: who says who sees it."""
    person = access.asking()
    root = open_project(project_id).root
    return person is None or access.may_share(access.access_of(root), person)


def make(project_id: str, days: int = config.LINK_DAYS) -> str:
    """Make a link that ends after some days; return its token, which is not shown again.

    Raises
    ------
    SettingInvalid
        If the days are none of those to choose from.
    ProjectError
        If who asks may not share the project, or it has too many links.
    """
    if days not in config.LINK_DAYS_CHOICES:
        raise SettingInvalid(
            f"A link cannot last {days} days.",
            f"Choose one of {', '.join(map(str, config.LINK_DAYS_CHOICES))}.",
        )
    project, person = _to_share(project_id), access.asking()
    made_by = person.name if person is not None else locks.at_work() or users.account()
    return links.make(project.root, made_by, days)


def links_of(project_id: str) -> list[Link]:
    """Return the links of a project for who may share it, the newest first."""
    return list(reversed(links.links_of(_to_share(project_id).root)))


def revoke(project_id: str, link_id: str) -> None:
    """Let a link open nothing from now on, also for those who look at this moment."""
    links.revoke(_to_share(project_id).root, link_id)


def visitor(token: str, person: Person | None) -> Person:
    """Return who looks by a link; somebody who may see nothing where it opens nothing.

    Parameters
    ----------
    token
        What the address says.
    person
        Who signed in; None where nobody does. Who is not let in sees nothing.
    """
    found = links.find(token)
    if found is None or (person is not None and not person.name):
        return Person("")
    root, _ = found
    return Person(person.name if person is not None else "", visits=root.name)


def visiting() -> str:
    """Return the id of the project that a link opened to who asks; empty where none did."""
    person = access.asking()
    return person.visits if person is not None else ""


def ends(token: str) -> str:
    """Return when a link ends, UTC in ISO text; empty where it opens nothing."""
    found = links.find(token)
    return found[1].until if found is not None else ""


def enter(token: str, name: str) -> None:
    """Note that somebody looks by a link: who signed in, else the name they gave."""
    found, person = links.find(token), access.asking()
    if found is None or person is None:
        return
    root, link = found
    links.note_visit(root, link.id, person.name or users.clean(name), signed_in=bool(person.name))


def _to_share(project_id: str) -> Project:
    project = open_project(project_id)
    if not may_make(project_id):
        raise ProjectError("Only its owner and the administrators make links to a project.")
    return project
