"""Evaluate: how often the model is right, on labels it has never seen."""

from pages.ui import evaluation, gate, header
from pages.ui.stations import EXPORT, LABELS, REVIEW, TRAIN
from scanvi_core.services import evaluating, workspace

project = gate.data_set("Evaluate")
header.draw("Evaluate", (EXPORT, "Export the annotated file"), (REVIEW, "Review more cells"))
if workspace.workspace(project).current_run() is None:
    gate.locked("There is no model to evaluate yet.", TRAIN, "Go to Train")

report = evaluating.report(project)
if report is None:
    evaluation.cross_validated(project)
    gate.locked(
        "No held-out cells. Accuracy on training cells would flatter the model, so it is not "
        "shown. Set some labels aside and train again.",
        LABELS,
        "Set labels aside",
    )
evaluation.headline(report)
evaluation.quick_models(project)
evaluation.cross_validated(project)
evaluation.types(report)
evaluation.accepting(project, report)
evaluation.models(project)
