"""The types of the pack that a project began from: they stay, whether a cell has them or not."""

from scanvi_core.project import pack
from scanvi_core.project.label_log import events
from scanvi_core.project.names import TERM
from scanvi_core.services.workspace import Workspace
from scanvi_core.type_tree import of_one

PACK_RUN = "pack_run"  # in the settings of a project: the run that a pack's model was made


def add(opened: Workspace) -> None:
    """Add the types of the pack that are not there, with colors, terms and broader types."""
    record = pack.read(opened.project)
    known = opened.labels()
    types = [] if record is None else record["types"]
    new = [each for each in types if each["name"] not in known.active]
    if not new:
        return
    names = [each["name"] for each in new]
    opened.store.append(events.Event("create", {"labels": names, "colour": ""}))
    colors = {each["name"]: each["color"] for each in new if each["color"]}
    terms = {each["name"]: each["term"] for each in new if TERM.fullmatch(each["term"])}
    terms = {name: term for name, term in terms.items() if term}
    if terms:
        opened.store.append(events.terms(terms))
    if colors:
        opened.store.append(events.recolor(colors))
    above = {} if record is None else of_one(record.get("parents", {}))
    if above:
        opened.store.append(events.parents({**above, **known.parents}))


def add_again(opened: Workspace) -> None:
    """Add them where other labels took the place of all, if the project began from a pack."""
    if opened.project.settings.get(PACK_RUN):
        add(opened)
