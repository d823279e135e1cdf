"""The terms of the Cell Ontology of the types here: as somebody said, else as the name means.

What was said lies in the label log, with the type: undo, renaming, splitting and copies keep it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from scanvi_core.ontology import search
from scanvi_core.project.label_log import events
from scanvi_core.project.names import TERM
from scanvi_core.services.workspace import Workspace

NONE_FITS = "unknown"  # said of a type that the ontology does not have
SETTINGS, ANSWERS = "submission", "cell_types"  # where versions before the log kept terms


@dataclass(frozen=True, slots=True)
class TypeTerm:
    """The term of a type; not `exact` where the name may mean other cells as well."""

    id: str
    name: str
    exact: bool

    @property
    def in_words(self) -> str:
        """The id as a table shows it, and whether it is only close."""
        return self.id if self.exact else f"{self.id} (close)"


def said(opened: Workspace) -> dict[str, str]:
    """Return what was said of names of types: ids, or `NONE_FITS`.

    Names that are no types here, of groups for example, have theirs in the settings.
    """
    return _earlier(opened) | opened.labels().terms


def _earlier(opened: Workspace) -> dict[str, str]:
    kept = opened.project.settings.get(SETTINGS, {}).get(ANSWERS, {})
    return {name: term or NONE_FITS for name, term in kept.items()}


def of_names(opened: Workspace, names: Iterable[str]) -> dict[str, TypeTerm]:
    """Return the terms of types by name; those without one are left out."""
    known = said(opened)
    found = {name: _term(name, known.get(name, "")) for name in names}
    return {name: term for name, term in found.items() if term is not None}


def _term(name: str, chosen: str) -> TypeTerm | None:
    if not chosen:
        match = search.exact(name)
        return None if match is None else TypeTerm(match.id, match.name, exact=True)
    term = search.term(chosen)
    if term is None:
        return None
    return TypeTerm(term.id, term.name, search.same_cells(name, term.id))


def say(opened: Workspace, terms: Mapping[str, str]) -> None:
    """Keep terms of types, as one step; names stay as they are.

    Raises
    ------
    SettingInvalid
        If one is no id of the Cell Ontology.
    ProjectError
        If there is no such type.
    """
    if terms:
        opened.store.append(events.terms(terms))


def keep(opened: Workspace, terms: Mapping[str, str]) -> dict[str, str]:
    """Keep terms of types in the log; return those it cannot hold, of other names and no ids.

    An empty one says that none fits.
    """
    state = opened.labels()
    ours = {
        name: term or NONE_FITS
        for name, term in terms.items()
        if name in state.active and TERM.fullmatch(term)
    }
    say(opened, {name: t for name, t in ours.items() if state.terms.get(name, "") != t})
    return {name: term for name, term in terms.items() if name not in ours}


def after_rename(opened: Workspace, label: str, to: str) -> str | None:
    """Return the term to keep with a new name: '' where that name says it; None to change none."""
    if search.exact(to) is not None:
        return "" if label in opened.labels().terms else None
    known = of_names(opened, [label]).get(label)
    return None if known is None else known.id
