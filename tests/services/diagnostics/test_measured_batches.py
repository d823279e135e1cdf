"""Batches that no held-out cell is of are named wherever it is said how right the model is."""

from dataclasses import replace

import numpy as np
import pytest

from scanvi_core.project.label_log import events
from scanvi_core.services.annotate.summary import summary_of
from scanvi_core.services.diagnostics import confidence_worth, holdout_report, measured_batches
from scanvi_core.services.diagnostics.held_out import held_out
from scanvi_core.services.diagnostics.measured_batches import named
from scanvi_core.services.export import methods
from scanvi_core.services.labels import edit, holdout
from scanvi_core.services.report.page import report_html
from scanvi_core.services.review import measured, queue
from scanvi_core.services.review.queue import CHECK
from scanvi_core.services.runs import results
from scanvi_core.services.workspace import workspace

PARTS = ("rows", "truth", "prediction", "confidence")


@pytest.fixture
def opened(half_measured):
    return workspace(half_measured)


@pytest.fixture
def batches(opened):
    return opened.batches(opened.batch_key)


def test_the_batches_without_held_out_cells_are_found(opened, batches):
    found = measured_batches.gap(opened)
    assert found.measured == batches.names[:1] and found.missing == batches.names[1:]
    assert np.array_equal(found.cells, batches.index > 0) and found.none
    predictions = results.current(opened)
    open_ = (opened.labels().codes < 0) & (predictions.prediction >= 0)
    n, n_missing = open_.sum(), (open_ & (batches.index > 0)).sum()
    many = f"{n_missing} of the {n} cells" if n_missing < n else f"All {n} cells"
    assert measured_batches.sentence(opened) == (
        f"Measured in {batches.names[0]} only. {many} without a label are of "
        f"{named(batches.names[1:])}, of which no cell was held out: how often the model is right "
        "there is not measured."
    )


def test_what_is_measured_everywhere_has_no_gap(trained):
    assert measured_batches.gap(workspace(trained)) is None
    assert measured_batches.sentence(workspace(trained)) == ""


def test_every_sentence_about_held_out_cells_names_their_batches(opened, batches, monkeypatch):
    monkeypatch.setattr(confidence_worth, "MIN_CELLS", 5)
    report, of = holdout_report.report(opened), f" of {batches.names[0]}"
    n = report.scores.n
    assert f"{n} held-out cells{of} (95 %" in report.headline
    assert f"of the held-out cells{of} (" in report.accept
    assert f"Of all held-out cells{of}, " in confidence_worth.sentence(opened, 0.0)
    text = methods.paragraph(opened)
    assert f"On {n} labeled cells{of} hidden from the model" in text
    assert f"None of these cells was of {named(batches.names[1:])}." in text
    page = report_html(opened)
    assert page.count(f"Measured in {batches.names[0]} only.") == 2  # in short, and evaluation
    missing = summary_of(opened, opened.current_run().id, opened.project.root, [])["not_held_out"]
    assert missing == list(batches.names[1:])


def test_the_table_of_batches_tells_that_some_were_not_measured(opened, batches):
    table = holdout_report.report(opened).batches.set_index("batch")
    assert set(table.index) == set(batches.names)
    assert table.loc[list(batches.names[1:]), "cells"].tolist() == [0] * (len(batches.names) - 1)
    assert set(table.loc[list(batches.names[1:]), "right"]) == {holdout_report.NOT_MEASURED}


def test_a_batch_with_a_stray_held_out_cell_was_hardly_measured(opened, batches, monkeypatch):
    run = opened.current_run()
    own, other = held_out(opened, run.id), np.flatnonzero(batches.index == 1)
    monkeypatch.setattr(measured_batches, "HARDLY", 5.0)  # here batches are small
    scored(opened, own, other[:1])
    said = holdout_report.report(opened).headline
    assert said.endswith(f", hardly any of {batches.names[1]} (1).")
    assert (
        f"{own.rows.size + 1} held-out cells of {batches.names[0]} and {batches.names[1]} " in said
    )
    found = measured_batches.gap(opened)
    assert batches.names[1] in found.missing and not found.none
    assert found.none_of.startswith(
        f"Hardly any of these cells was of 7 batches ({batches.names[1]} (1)"
    )
    review = queue.review_state(opened)
    card = next(card for card in review.cards(CHECK) if batches.index[card.drawn] == 1)
    monkeypatch.setattr(measured, "checked", lambda *_: (np.array([card.drawn]), np.array([True])))
    table = measured.batch_table(review, holdout_report.report(opened).batches).set_index("batch")
    assert "1 of 1 drawn at random" in table.loc[batches.names[1], "right"]
    assert "of which hardly any cell was held out" in found.rest(1, 2)
    scored(opened, own, other)
    assert batches.names[1] in measured_batches.gap(opened).measured


def scored(opened, own, more):
    """Let the model be scored on more cells, and forget what was said of the others."""
    again = [np.append(part, part[: len(more)]) for part in (own.truth, own.prediction)]
    sure = np.append(own.confidence, own.confidence[: len(more)])
    cells = replace(
        own, rows=np.append(own.rows, more), truth=again[0], prediction=again[1], confidence=sure
    )
    for key in ("measured batches", "held out", "holdout report"):
        opened.cache.drop((key, own.run.id))
    opened.cache.get(("held out", own.run.id), lambda: cells)


def test_held_out_cells_that_are_not_scored_measure_nothing(opened, batches):
    own = held_out(opened, opened.current_run().id)
    unscored = replace(own, **{part: getattr(own, part)[:0] for part in PARTS})
    opened.cache.drop(("measured batches", own.run.id))
    opened.cache.drop(("held out", own.run.id))
    opened.cache.get(("held out", own.run.id), lambda: unscored)
    assert measured_batches.gap(opened) is None


def test_types_that_were_set_aside_whole_are_said_to_be(labeled, train_now, request_brief):
    opened = workspace(labeled)
    state = opened.labels()
    code = np.bincount(state.codes[state.codes >= 0]).argmin()
    rows = np.flatnonzero(state.codes == code)
    opened.store.append(events.holdout(rows, how=holdout.CELLS))
    train_now(labeled, request_brief)
    why = f"are all of types that the model was never shown ({state.names[code]})"
    text = methods.paragraph(opened)
    assert f"The {rows.size} labels set aside {why}" in text and "No labels were" not in text
    assert f"The {rows.size} labels set aside {why}" in report_html(opened)


def test_whole_donors_set_aside_tell_of_the_donors_that_taught(labeled, train_now, request_brief):
    opened = workspace(labeled)
    first = np.flatnonzero(opened.batches(opened.batch_key).index == 0)
    opened.store.append(events.holdout(first, how=holdout.HIDDEN))
    train_now(labeled, request_brief)
    assert measured_batches.gap(opened) is None
    opened.cache.drop(("measured batches", opened.current_run().id))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(holdout, "how_now", lambda *_: holdout.CELLS)
        assert measured_batches.gap(opened) is not None


def test_batches_that_are_named_by_now_are_not_spoken_of(opened, batches):
    edit.name_cells(opened, np.flatnonzero(batches.index > 0), "CD56+ NK", "lasso")
    assert measured_batches.sentence(opened) == ""
    assert measured_batches.gap(opened) is not None  # what is drawn at random stays the same


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("a",), "a"), (("a", "b"), "a and b"), (("a", "b", "c"), "a, b and c"),
        (("a", "b", "c", "d"), "4 batches (a, b, c …)"),
        (("a, b", "c and d", "missing"), "“a, b”, “c and d” and no batch"),
    ],
)  # fmt: skip
def test_many_batches_are_counted(names, said):
    assert named(names) == said
