"""The opinions that a project has kept."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from scanvi_core.project import opinions
from scanvi_core.project.label_log.events import Event
from scanvi_core.project.opinions import Opinion
from scanvi_core.services.workspace import Workspace


def kept(opened: Workspace) -> tuple[Opinion, ...]:
    """Return the opinions of a project that are of its cells, the oldest first.

    A type that was renamed or merged since goes by what it is called now.
    """

    def read() -> tuple[Opinion, ...]:
        every, n = opinions.listed(opened.project), opened.dataset.n_obs
        return tuple(one for one in every if len(one.labels) == len(one.scores) == n)

    def by_now() -> tuple[Opinion, ...]:
        every = opened.cache.get(("opinions", told), read)
        types = {here for one in every for here in one.names.values()}
        if types <= set(opened.labels().active):
            return every
        now = _called_now(opened)
        return tuple(_renamed(one, now) for one in every)

    told = revision(opened)
    return opened.cache.get(("opinions by now", told, opened.labels().seq), by_now)


def _called_now(opened: Workspace) -> dict[str, str]:
    """Return what types that are no more were renamed or merged to."""
    active = set(opened.labels().active)
    names = dict[str, str]()
    for event in opened.store.events():
        if event.kind in ("rename", "merge") and not event.undone:
            _follow(names, event)
    return {old: new for old, new in names.items() if old not in active}


def _follow(names: dict[str, str], event: Event) -> None:
    """Let names lead to where an event brought them."""
    gone, to = set(event.payload["labels"]) - {event.payload["to"]}, event.payload["to"]
    names |= {old: to for old, new in names.items() if new in gone}
    names |= dict.fromkeys(gone, to)
    names.pop(to, None)


def _renamed(one: Opinion, now: Mapping[str, str]) -> Opinion:
    names = {own: now.get(here, here) for own, here in one.names.items()}
    return replace(one, names=names) if names != one.names else one


def revision(opened: Workspace) -> tuple[tuple[str, int], ...]:
    """Return what changes when an opinion comes, goes, or is mapped otherwise."""
    records = sorted(opened.project.opinions.glob(f"*/{opinions.RECORD}"))
    return tuple((path.parent.name, path.stat().st_mtime_ns) for path in records)


def types_of(own: Opinion) -> tuple[str, ...]:
    """Return the types that the names of an opinion mean here."""
    return tuple(dict.fromkeys(own.names[name] for name in own.label_names if name in own.names))


def meant(own: Opinion, names: Sequence[str]) -> npt.NDArray[np.int32]:
    """Return what an opinion says of each cell [n_obs] as codes of `names`, -1 for none."""
    places = {name: code for code, name in enumerate(names)}
    codes = [places.get(own.names.get(name, ""), -1) for name in own.label_names]
    return np.array([*codes, -1], dtype=np.int32)[own.labels]
