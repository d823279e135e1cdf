"""The evaluation of a report: how often the model is right, with intervals, where it is known."""

from scanvi_core.export.figures.write import SVG
from scanvi_core.services.diagnostics import (
    baselines,
    confidence_worth,
    held_out,
    holdout_report,
    integration,
)
from scanvi_core.services.diagnostics.holdout_report import HoldoutReport
from scanvi_core.services.explore import colors
from scanvi_core.services.export import figures, filling
from scanvi_core.services.export.figures import Draw, figure_file
from scanvi_core.services.report.parts import NOT_EVALUATED, Picture, Section, Text, table_of
from scanvi_core.services.review import measured, random_check
from scanvi_core.services.workspace import Workspace

NOT_KNOWN = "so how right the model is on cells it has not learned from was not measured."


def headline(opened: Workspace) -> str:
    """Return in a sentence how right the model is, or that nobody knows."""
    if opened.current_run() is None:
        return f"Accuracy: {NOT_EVALUATED}. There is no model."
    report = holdout_report.report(opened)
    return report.headline if report is not None else _by_hand(opened)


def where(opened: Workspace) -> str:
    """Return where that was measured and where not; empty where it holds for all batches."""
    return measured.sentence(measured.without_refit(opened))


def checked(opened: Workspace) -> str:
    """Return what random checks tell of batches without held-out cells; empty without any."""
    known = random_check.random_check(measured.without_refit(opened))
    return known.sentence if known is not None and known.batches else ""


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
    found = random_check.random_check(measured.without_refit(opened))
    known, run = found.sentence if found is not None else "", opened.current_run()
    if known or run is None:
        return known
    return f"Accuracy: {NOT_EVALUATED}. {held_out.nothing_scored(opened, run)}, {NOT_KNOWN}"


def _holdout(opened: Workspace, report: HoldoutReport, section: Section) -> None:
    add = section.parts
    add.append(Text(report.headline, loud=True))
    add += [Text(words, loud=True) for words in (where(opened),) if words]
    add.append(Text(report.reading))
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
        Text(confidence_worth.sentence(opened, filling.level_told(opened))),
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
        batches = measured.batch_table(measured.without_refit(opened), report.batches)
        add.append(table_of(batches, "Held-out cells of each batch, the hardest first"))
    scores = integration.map_scores(opened)
    if scores is not None:
        add += [table_of(scores.table, "Types kept apart, batches mixed"), Text(scores.note)]


def _picture(draw: Draw, caption: str) -> Picture:
    return Picture(figure_file(draw, SVG), caption)
