"""What marker genes say of the cells: worked out in the background, looked at, then kept."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scanvi_core.data.markers.marker_sets import MarkerSet
from scanvi_core.errors import InputError
from scanvi_core.project import opinions
from scanvi_core.project.opinions import Opinion as Opinion  # noqa: PLC0414  passed on to the pages
from scanvi_core.services import jobs
from scanvi_core.services.explore import maps
from scanvi_core.services.explore.colors import Coloring, type_colors
from scanvi_core.services.labels import edit
from scanvi_core.services.markers import tables
from scanvi_core.services.opinions.kept import kept
from scanvi_core.services.workspace import IO_LANE, Workspace

if TYPE_CHECKING:
    from scanvi_core.data.markers.matching import Matched

MARKERS = "markers"  # kind of job, and source of an opinion
METHOD = (
    "ScType's score (10.1038/s41467-022-28803-w) of clusters of similar cells, parts of the data "
    "counting alike; strength: share of exp(score), at least 0.5"
)
TYPE, STRENGTH = "Type", "Strength"  # ways to color a map
GENES = "genes"  # what an opinion is about: its markers as JSON
MAPPED = 0.65  # of the work, where clusters have to be found first


@dataclass(frozen=True)
class Question:
    """Which types are looked for.

    Attributes
    ----------
    name
        What to call the table.
    types
        The markers of its types.
    about
        Where it comes from.
    """

    name: str
    types: tuple[MarkerSet, ...]
    about: Mapping[str, str]

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from other questions."""
        return "marker opinion", hashlib.blake2b(
            repr((self.name, self.types)).encode()
        ).hexdigest()


def answer(opened: Workspace, question: Question) -> Opinion | None:
    """Return what the markers say; None before `start` has, or when it was long ago."""
    found: Opinion | None = opened.cache.peek(question.key)
    return found


def start(opened: Workspace, question: Question) -> str:
    """Score the cells in the background, after finding clusters of them; return the job id.

    Raises
    ------
    InputError
        If of no type two genes are here.
    JobRefused
        If another table is being scored.
    """
    scored = tables.match(opened, question.types).scored
    if not scored:
        raise InputError(
            "Of no type two of the marker genes are in these data.",
            "Check the species, and whether the genes here are symbols or identifiers.",
        )

    def work(job: jobs.Job) -> None:
        if not maps.is_clustered(opened) or maps.clusters_of(opened) is None:
            maps.make_base_map(opened, job)
        opened.cache.put(question.key, _opinion(opened, question, scored, job))

    return jobs.submit(jobs.JobRequest(opened.id, MARKERS, IO_LANE, work, changes=False))


def _opinion(
    opened: Workspace, question: Question, scored: "tuple[Matched, ...]", job: jobs.Job
) -> Opinion:
    from scanvi_core.annotation.markers import cluster_scores

    small, parts = maps.small_clusters(opened), maps.clusters_of(opened)
    if small is None or parts is None:
        raise InputError("The clusters of the cells are damaged.", "Score the cells again.")

    clusters = np.where(np.asarray(opened.dataset.totals) > 0, small.codes, -1)
    scores = cluster_scores.cluster_scores(
        opened.dataset.gene_at,
        [cluster_scores.GeneSet(one.positive, one.negative) for one in scored],
        clusters,
        parts,
        lambda done: job.step(MAPPED + (1 - MAPPED) * done, "Scoring marker genes"),
    )
    best, strength = cluster_scores.strengths(scores)
    said = strength >= cluster_scores.SAID
    labels = np.where(clusters >= 0, np.where(said, best, -1)[clusters], -1)
    names = tuple(one.name for one in scored)
    return Opinion(
        f"Markers ({question.name})",
        names,
        labels.astype(np.int32),
        np.where(labels >= 0, strength[clusters], np.nan).astype(np.float32),
        "markers",
        {name: name for name in names},
        {**question.about, "method": METHOD, GENES: _as_json(question.types)},
    )


def _as_json(types: tuple[MarkerSet, ...]) -> str:
    """Return marker sets as a table that can be read again."""
    sides = {own.name: {"positive": own.positive, "negative": own.negative} for own in types}
    return json.dumps(sides, ensure_ascii=False)


def summary(opinion: Opinion) -> pd.DataFrame:
    """Return per type how many cells the markers speak for, and how strongly."""
    said = opinion.labels >= 0
    n = np.bincount(opinion.labels[said], minlength=len(opinion.label_names))
    sums = np.bincount(opinion.labels[said], opinion.scores[said], len(opinion.label_names))
    with np.errstate(invalid="ignore"):
        strength = np.where(n > 0, sums / np.maximum(1, n), np.nan)
    table = pd.DataFrame({"type": opinion.label_names, "cells": n, "strength": strength})
    return table.sort_values("cells", ascending=False, kind="stable", ignore_index=True)


def colorings(opened: Workspace, opinion: Opinion, key: tuple[str, str]) -> dict[str, Coloring]:
    """Return how to draw an opinion on a map: by type, and by strength."""
    known = type_colors(opened)
    names = opinion.label_names
    free = (place for place in range(len(known) + len(names)) if place not in known.values())
    places = tuple(known[name] if name in known else next(free) for name in names)
    revision = "/".join((*key, str(opened.labels().seq)))
    return {
        TYPE: Coloring("Marker genes", revision, opinion.labels, names, places),
        STRENGTH: Coloring("Strength", revision, values=opinion.scores),
    }


def use(opened: Workspace, question: Question) -> Opinion:
    """Keep what the markers say as an opinion; labels may then be given by its help.

    It takes the place of one of the same table. Where there are no labels yet, the project begins
    without.

    Raises
    ------
    InputError
        If the cells were not scored by it.
    """
    found = answer(opened, question)
    if found is None:
        raise InputError("The cells are not scored by these markers.", "Score them first.")
    before = [one.id for one in in_use(opened) if one.name == found.name]
    kept = opinions.keep(opened.project, found)
    for identifier in before:
        opinions.remove(opened.project, identifier)
    if not opened.labels().seq:
        edit.start_empty(opened)
    return kept


def in_use(opened: Workspace) -> list[Opinion]:
    """Return the opinions of marker genes that the project keeps."""
    return [one for one in kept(opened) if one.source == MARKERS]
