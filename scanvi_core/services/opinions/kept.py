"""The opinions that a project has kept."""

import numpy as np

from scanvi_core.project import opinions
from scanvi_core.project.opinions import Opinion
from scanvi_core.services.workspace import Workspace


def kept(opened: Workspace) -> tuple[Opinion, ...]:
    """Return the opinions of a project that are of its cells, the oldest first."""

    def read() -> tuple[Opinion, ...]:
        every, n = opinions.listed(opened.project), opened.dataset.n_obs
        return tuple(one for one in every if len(one.labels) == len(one.scores) == n)

    return opened.cache.get(("opinions", revision(opened)), read)


def revision(opened: Workspace) -> tuple[tuple[str, int], ...]:
    """Return what changes when an opinion comes, goes, or is mapped otherwise."""
    records = sorted(opened.project.opinions.glob(f"*/{opinions.RECORD}"))
    return tuple((path.parent.name, path.stat().st_mtime_ns) for path in records)


def meant(own: Opinion) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return codes [n_obs] and names of the types that the names of an opinion mean here."""
    names = tuple(dict.fromkeys(own.names[name] for name in own.label_names if name in own.names))
    codes = [names.index(own.names[name]) if name in own.names else -1 for name in own.label_names]
    return np.array([*codes, -1], dtype=np.int32)[own.labels], names
