"""The evaluation of a report: how often the model is right, with intervals, where it is known."""

from scanvi_core.export.figures.write import SVG
from scanvi_core.services.diagnostics import (
    baselines,
    confidence_worth,
    holdout_report,
    integration,
)
from scanvi_core.services.diagnostics.holdout_report import HoldoutReport
from scanvi_core.services.explore import colors
from scanvi_core.services.export import figures
from scanvi_core.services.export.figures import Draw, figure_file
from scanvi_core.services.report.parts import NOT_EVALUATED, Picture, Section, Text, table_of
from scanvi_core.services.review import random_check
from scanvi_core.services.review.queue import ReviewState
from scanvi_core.services.runs.provisional import ProvisionalState
from scanvi_core.services.workspace import Workspace

SURE = 0.9
NOTHING_ASIDE = (
    "No labels were set aside, so how right the model is on cells it has not learned from was not "
    "measured."
)


def headline(opened: Workspace) -> str:
    """Return in a sentence how right the model is, or that nobody knows."""
    if opened.current_run() is None:
        return f"Accuracy: {NOT_EVALUATED}. There is no model."
    report = holdout_report.report(opened)
    return report.headline if report is not None else _by_hand(opened)


def evaluation(opened: Workspace) -> Section:
    """Return all that is known of how right the model is."""
    section = Section("Evaluation")
    if opened.current_run() is None:
        section.add(Text(headline(opened)))
        return section
    report = holdout_report.report(opened)
    if report is None:
        section.add(Text(_by_hand(opened), loud=True))
    else:
        _holdout(opened, report, section)
    cross = baselines.cross_validated(opened)
    if cross is not None:
        section.add(Text(cross))
    return section


def _by_hand(opened: Workspace) -> str:
    run, named = opened.current_run(), opened.labels().codes >= 0
    review = ReviewState(opened, None if run is None else run.id, named, ProvisionalState())
    checked = random_check.random_check(review)  # nothing is refitted for a report
    known = checked.sentence if checked is not None else ""
    return known or f"Accuracy: {NOT_EVALUATED}. {NOTHING_ASIDE}"


def _holdout(opened: Workspace, report: HoldoutReport, section: Section) -> None:
    add = section.parts
    add += [Text(report.headline, loud=True), Text(report.reading)]
    add += [Text(note) for note in report.notes]
    quick = baselines.baselines(opened)
    if quick is not None:
        add += [Text(quick.sentence), table_of(quick.table, "Quick models on the same cells")]
    add.append(table_of(report.table, "Each type, with 95 % intervals"))
    places, matrix = colors.type_colors(opened), report.scores.confusion
    add += [
        _picture(
            figures.confusion(matrix, report.names, places),
            "Confusion matrix: known types in rows, predictions in columns, percent of the row.",
        ),
        Text(confidence_worth.sentence(opened, SURE)),
        _picture(
            figures.reliability(report.bins),
            "Reliability: how often cells of a confidence are right.",
        ),
        Text(f"{report.honesty} {report.calibration}"),
        Text(report.accept),
        _picture(
            figures.coverage(report.curve, holdout_report.ACCEPTED_SHARE),
            "Share right among the surest cells.",
        ),
        table_of(report.accepting, "Accepting the surest cells only"),
    ]
    if report.batches is not None:
        add.append(table_of(report.batches, "Each batch, the hardest first"))
    scores = integration.map_scores(opened)
    if scores is not None:
        add += [table_of(scores.table, "Types kept apart, batches mixed"), Text(scores.note)]


def _picture(draw: Draw, caption: str) -> Picture:
    return Picture(figure_file(draw, SVG), caption)
