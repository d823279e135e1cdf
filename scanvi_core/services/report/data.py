"""The data of a report: the file, the proof that it holds counts, and poor cells."""

from pathlib import PurePath

import pandas as pd

from scanvi_core.services.formatting import count
from scanvi_core.services.projects import data_report
from scanvi_core.services.projects.joining.joined_files import joined_files
from scanvi_core.services.quality import chosen_limits, preview
from scanvi_core.services.report.parts import Facts, Listed, Section, Text, known, table_of
from scanvi_core.services.workspace import Workspace

BATCHES = 60  # in a table; of more the first


def data(opened: Workspace) -> Section:
    """Return what is in the data set and where it came from."""
    told, manifest = data_report.report(opened), opened.dataset.manifest
    source = manifest["source"]
    facts = {
        "file": known(
            _file_name(manifest["origin"]["name"] if "origin" in manifest else source["path"])
        ),
        "SHA-256 of the file that was read": known(source["sha256"]),
        "SHA-256 of the counts": known(manifest["counts_sha256"]),
        "cells": known(told.n_obs),
        "genes": known(told.n_vars),
        "median counts per cell": known(round(told.median_total)),
        "batches": _batches(opened),
    }
    section = Section("Data", [Facts(facts)])
    files = joined_files(opened)
    if files:
        joined = pd.DataFrame(
            {
                "file": [file.name for file in files],
                "cells": [file.rows.stop - file.rows.start for file in files],
                "reference": ["yes" if file.reference else "" for file in files],
                "SHA-256": [file.source["sha256"] for file in files],
            }
        )
        if not any(file.reference for file in files):
            joined = joined.drop(columns="reference")
        section.add(table_of(joined, "Joined from"))
    return section


def _file_name(path: str) -> str:
    """Return the name of a file without its folders, which may tell who works where."""
    return PurePath(path.replace("\\", "/")).name


def _batches(opened: Workspace) -> str:
    if not opened.batch_key:
        return "no batch column was chosen"
    n = len(opened.batches(opened.batch_key).names)
    return f"{count(n, 'batch', 'batches')}, by the column {opened.batch_key}"


def counts(opened: Workspace) -> Section:
    """Return why the numbers that the model read are counts."""
    told = data_report.report(opened)
    section = Section(
        "Why these are counts",
        [Text(f"Counts were taken from {told.counts_source}: {known(told.counts_reason)}")],
    )
    if told.proof:
        section.add(Listed(told.proof))
    section.add(table_of(told.matrices, "All matrices of the file"))
    for words, items in (("done", told.repairs), ("noticed", told.warnings)):
        if items:
            section.add(Text(f"What was {words} when the data were read:"), Listed(items))
    if not told.repairs:
        section.add(Text("Nothing had to be repaired."))
    return section


def quality(opened: Workspace) -> Section:
    """Return which cells are flagged as poor, and by which limits."""
    choice = chosen_limits.saved(opened, opened.batch_key)
    view = preview.view(opened, choice)
    which = f": {view.reasons}" if view.reasons else ""
    stay = "stayed out of training" if choice.leave_out else "were not left out of training"
    limits = pd.DataFrame(
        {
            "number": [measure.title for measure in view.measures],
            "limit (middle of the batches)": [
                f"{measure.limit:,.4g}" for measure in view.measures
            ],
            "flagged": [measure.n_flagged for measure in view.measures],
            "where the limit is from": [_calm(measure.reason) for measure in view.measures],
        }
    )
    section = Section(
        "Quality of the cells",
        [
            Text(
                f"{count(view.n_flagged, 'cell')} of {view.n_cells:,} "
                f"({preview.share(view)}) flagged{which}. Flagged cells {stay}; none was removed."
            ),
            table_of(limits),
        ],
    )
    section.add(*(Text(note) for note in view.notes))
    if opened.batch_key:
        shown = view.by_batch[:BATCHES]
        more = len(view.by_batch) - len(shown)
        title = "Flagged cells per batch" + (f", without {more:,} more" if more else "")
        section.add(table_of(shown, title))
    return section


def _calm(reason: str) -> str:
    """Return where a limit is from, without what only a slider means."""
    return reason.replace("; moving this sets all alike", "").replace("by you", "by hand")
