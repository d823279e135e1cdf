"""What a file is found to hold, in words: columns, matrices, and what speaks against them."""

from typing import Any

import pandas as pd

from scanvi_core import keys
from scanvi_core.data.anndata_files import guess_columns
from scanvi_core.data.counts import choose
from scanvi_core.data.counts.evidence import (
    MOST_GROUPS,
    Groups,
    contradiction,
    looks_like_cut_logs,
    not_measured,
)
from scanvi_core.data.counts.parts import wholes

LARGE_COUNT = 1e6


def about_columns(obs: pd.DataFrame) -> dict[str, Any]:
    """Return what the manifest says about the columns of obs."""
    labels, label_warnings = guess_columns.guess_labels(obs)
    batches, batch_warnings = guess_columns.guess_batches(obs)
    batch_warnings += [
        guess_columns.SAME_DIVISION.format(label["key"], batch["key"])
        for label in labels
        for batch in batches
        if label["likely"] and guess_columns.same_division(obs, label["key"], batch["key"])
    ]
    return {
        "obs_columns": guess_columns.describe_columns(obs),
        "labels_candidates": labels,
        "batch_candidates": batches,
        "warnings": label_warnings + batch_warnings,
    }


def batches_of(obs: pd.DataFrame, columns: dict[str, Any]) -> Groups | None:
    """Return the cells by the likeliest column of batches, if there is one of a few."""
    for candidate in columns["batch_candidates"]:
        if candidate["n_categories"] <= MOST_GROUPS:
            return Groups.of(obs, candidate["key"])
    return None


def add_findings(
    manifest: dict[str, Any], reports: list[choose.MatrixReport], chosen: choose.MatrixReport
) -> None:
    """Add the matrices and what their values show: other genes in raw, odd counts."""
    manifest["counts_source"] = chosen.name
    manifest["matrices"] = [report.as_dict() for report in reports]
    n_genes = next((report.shape[1] for report in reports if report.name == "X"), None)
    if n_genes is not None and n_genes != chosen.shape[1]:
        manifest["repairs"].append(
            f"The counts are in {chosen.name}, with {chosen.shape[1]:,} genes; X has {n_genes:,}. "
            f"The genes of {chosen.name} are used."
        )
    parts = wholes(reports)
    usual = [one for one in reports if choose.preference(one) < len(keys.COUNT_LAYERS)]
    if left := [one.name for one in usual if parts.get(one.name) == chosen.name]:
        manifest["repairs"].append(
            f"{' and '.join(left)} holds a part of the counts in {chosen.name}: those are used."
        )
    if chosen.name in parts:
        manifest["warnings"].append(
            f"{chosen.name} holds a part of the counts in {parts[chosen.name]}."
        )
    if chosen.verdict == choose.BINARY:
        manifest["warnings"].append(f"{chosen.name} {chosen.reason}; real counts work better.")
    if chosen.maximum > LARGE_COUNT:
        manifest["warnings"].append(
            f"The largest count is {chosen.maximum:,.0f}, which is unusual. Are these reads?"
        )


def speaks_against(
    chosen: choose.MatrixReport, obs: pd.DataFrame, columns: dict[str, Any]
) -> list[str]:
    """Return warnings about what in the file speaks against the counts that were taken."""
    facts = chosen.facts
    if facts is None or chosen.verdict != choose.COUNTS:
        return []
    sentences = []
    if against := contradiction(facts.totals, obs, facts, chosen.shape[1]):
        sentences.append(f"{chosen.name}: {against}.")
    elif looks_like_cut_logs(facts):
        sentences.append(
            f"{chosen.name} holds whole numbers from 0 to {chosen.maximum:,.0f}, 1 not being the "
            "commonest: they look like logarithms cut to whole numbers, not counts."
        )
    batches = batches_of(obs, columns)
    if batches is not None and (missing := not_measured(facts, batches.key)):
        sentences.append(missing)
    if chosen.name.removeprefix("layers/").casefold() in keys.PART_LAYERS:
        sentences.append(
            f"{chosen.name} holds a part of the molecules; no matrix of all of them has counts."
        )
    return sentences
