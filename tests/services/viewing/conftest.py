"""Somebody who came by a link to a project with a model."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from scanvi_core.project import access
from scanvi_core.project.access import Access, Person
from scanvi_core.project.folder import open_project
from scanvi_core.services.viewing import links

ANNA, VERA = "anna@lab.example", "vera@lab.example"


@pytest.fixture
def asks(monkeypatch: pytest.MonkeyPatch) -> Callable[[Person | None], None]:
    """Let somebody ask from now on; None: who works on a computer where nobody signs in."""

    def begin(person: Person | None) -> None:
        monkeypatch.setattr(access, "_ask", lambda: person)

    return begin


@pytest.fixture
def visits(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let somebody come by a token, as a tab of the app does: asked anew for every look."""

    def begin(token: str, person: Person | None = None) -> None:
        monkeypatch.setattr(access, "_ask", lambda: links.visitor(token, person))

    return begin


@pytest.fixture
def linked(trained: str, asks: Callable[[Person | None], None]) -> SimpleNamespace:
    """A project of Anna's, and the token of a link to it; Anna asks."""
    access.keep(open_project(trained).root, Access(ANNA))
    asks(Person(ANNA))
    return SimpleNamespace(project=trained, token=links.make(trained))
