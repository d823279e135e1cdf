"""The model of a report: how it was trained, and what it doubts."""

from dataclasses import asdict

from scanvi_core.project.runs import Run
from scanvi_core.services.diagnostics import uncertainty
from scanvi_core.services.explore import colors
from scanvi_core.services.explore.colors import Coloring
from scanvi_core.services.explore.maps import embeddings
from scanvi_core.services.formatting import count, duration
from scanvi_core.services.report.labels import map_of
from scanvi_core.services.report.parts import Facts, Listed, Section, Text, known, table_of
from scanvi_core.services.runs import model_list, results
from scanvi_core.services.workspace import Workspace

NONE = "No model was trained: all labels were given by people or came with the file."


def model(opened: Workspace) -> Section:
    """Return how the model in use was trained."""
    predictions = results.current(opened)
    if predictions is None:
        return Section("Model", [Text(NONE)])
    run, about = predictions.run.settings, predictions.summary
    facts = {
        "model": f"Model {about['number']}, trained {predictions.run.created:%Y-%m-%d %H:%M}",
        "pack": run.pack or "none: it was trained here",
        "cells": known(about.get("n_cells")),
        "labeled cells": known(about.get("n_labeled")),
        "types": known(len(run.label_names)),
        "genes": known(len(run.genes)),
        "batch column": run.batch_key or "none",
        "steps": _steps(opened, predictions.run),
        "time of the last of these" if run.warm_from else "time": _time(
            about.get("total_seconds")
        ),
        "seed": str(run.seed),
        "device": known(run.device),
        "calibration": known(about.get("calibration")),
    }
    settings = {**asdict(run.model), **asdict(run.train)}
    words = {model_list.LABELS.get(name, name): _shown(value) for name, value in settings.items()}
    section = Section("Model", [Facts(facts), Listed(about.get("notes") or [])])
    section.add(Text("Settings:"), Facts(words))
    section.add(table_of(model_list.models(opened).table, "All models of this project"))
    changed = results.changed_labels(opened)
    if changed:
        changed_words = f"{count(changed, 'label')} changed since this model was trained."
        section.parts.insert(0, Text(changed_words, loud=True))
    return section


def doubts(opened: Workspace) -> Section:
    """Return what the model doubts, and labels that look wrong."""
    section = Section("Doubts")
    if opened.current_run() is None:
        section.add(Text("No model was trained, so nothing is doubted."))
        return section
    seen, cells = uncertainty.reasons(opened), uncertainty.counts(opened)
    if seen is None or cells is None:
        section.add(Text("Reasons for doubt: not looked at yet.", loud=True))
    else:
        n, issues = sum(cells.values()), len(uncertainty.label_issues(opened))
        reasons = ("without doubt", *uncertainty.REASON_NAMES[1:])
        words = {w: f"{own:,}" for w, own in zip(reasons, cells.values(), strict=True)}
        section.add(
            Text(f"Of {count(n, 'cell')} that nobody labeled, sure or not:"), Facts(words),
            Text(f"Labels of the file that look wrong and that nobody decided on: {issues:,}."),
        )  # fmt: skip
        section.add(*(Text(note) for note in (*seen.novelty_notes, *seen.notes)))
    predictions = results.current(opened)
    if embeddings(opened) and predictions is not None:
        coloring = Coloring(colors.CONFIDENCE, "", values=predictions.confidence)
        section.add(map_of(opened, coloring, "How sure the model is of each cell."))
    return section


def _steps(opened: Workspace, run: Run) -> str:
    """Return the steps of the training and of each update after it up to a run."""
    first, later = results.first_and_later(opened, run)
    steps = [known(own.summary.get("steps")) for own in (first, *later)]
    return f"{steps[0]}, then {', '.join(steps[1:])} by updates" if later else steps[0]


def _time(seconds: object) -> str:
    return duration(seconds) if isinstance(seconds, (int, float)) else known(None)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "not set" if value is None else f"{value}"
