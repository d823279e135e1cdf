"""What Evaluate says, against counts of its own."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, f1_score, precision_recall_fscore_support

from scanvi_core.annotation.model.annotator import Annotator
from scanvi_core.config import RARE_CELLS
from scanvi_core.project.label_log import events
from scanvi_core.services import workspace as workspaces
from scanvi_core.services.diagnostics import baselines, holdout_report, integration
from scanvi_core.services.labels import edit, holdout
from scanvi_core.services.runs import model_list, results
from scanvi_core.services.workspace import workspace


def state(project):
    return workspace(project).labels()


def truth_of(project):
    """Return the true names of the cells set aside now, and their rows, from the store alone."""
    now = state(project)
    rows = np.flatnonzero(now.holdout & (now.codes >= 0))
    return np.array(now.names, dtype=object)[now.codes[rows]], rows


def told(project):
    """Return predicted names and confidence of the same cells, from the run's own file."""
    run = workspace(project).current_run()
    _, rows = truth_of(project)
    p = np.array(run.array("probabilities"))[rows]
    return np.array(run.settings.label_names, dtype=object)[p.argmax(1)], p.max(1)


def numbers(sentence):
    return [float(text) for text in re.findall(r"[-+]?\d+(?:\.\d+)?", sentence)]


# Sentences ------------------------------------------------------------------------------------


def test_the_headline_equals_an_independent_computation(trained):
    (truth, _), (named, _) = truth_of(trained), told(trained)
    right = truth == named
    low, high = binomtest(int(right.sum()), right.size).proportion_ci(method="wilson")
    assert holdout_report.report(workspace(trained)).headline == (
        f"Right on {100 * accuracy_score(truth, named):.0f} % of {right.size} held-out cells "
        f"(95 % interval {100 * low:.0f} to {100 * high:.0f} %)."
    )


def test_the_sentence_about_accepting_equals_an_independent_computation(trained):
    (truth, _), (named, confidence) = truth_of(trained), told(trained)
    n = int(np.ceil(0.8 * truth.size))
    best = np.argsort(-confidence, kind="stable")[:n]
    coverage, threshold, accuracy = numbers(holdout_report.report(workspace(trained)).accept)[:3]
    assert coverage == round(100 * n / truth.size)
    assert threshold == pytest.approx(confidence[best].min(), abs=0.005)
    assert accuracy == round(100 * (truth == named)[best].mean())


def test_the_charts_show_all_cells_and_end_at_the_accuracy(trained):
    report = holdout_report.report(workspace(trained))
    assert report.bins["cells"].sum() == report.scores.n
    assert (report.bins["cells"] >= holdout_report.CELLS_PER_BIN).all()
    mean = np.average(report.bins["right"], weights=report.bins["cells"])
    assert mean == pytest.approx(report.scores.accuracy)
    assert (report.bins["low"] <= report.bins["right"]).all()
    last = report.curve.iloc[-1]
    assert (last["coverage"], last["right"]) == (1.0, pytest.approx(report.scores.accuracy))
    assert (np.diff(report.curve["coverage"]) > 0).all()
    assert (np.diff(report.curve["confidence"]) < 0).all()


# Tables ---------------------------------------------------------------------------------------


def test_the_table_of_types_holds_sklearns_numbers(trained):
    (truth, _), (named, _) = truth_of(trained), told(trained)
    report = holdout_report.report(workspace(trained))
    precision, recall, f1, cells = precision_recall_fscore_support(
        truth, named, labels=list(report.names), zero_division=0
    )
    for i, row in report.table.iterrows():
        assert row["cells"] == cells[i]
        assert np.nan_to_num(row["F1"]) == pytest.approx(f1[i])
        for column, value in (
            ("found (recall)", recall[i]),
            ("right when named (precision)", precision[i]),
        ):
            if row[column]:
                assert row[column].startswith(f"{100 * value:.0f} % (")


def test_batches_are_scored_by_their_own_cells(trained):
    (truth, rows), (named, _) = truth_of(trained), told(trained)
    batch = workspace(trained).dataset.obs["batch"].astype(str).to_numpy()[rows]
    table = holdout_report.report(workspace(trained)).batches.set_index("batch")
    assert set(table.index) == set(batch)
    for name, row in table.iterrows():
        assert row["cells"] == (batch == name).sum()
        right = (truth == named)[batch == name].mean()
        assert row["right"].startswith(f"{100 * right:.0f} % (")


def test_types_the_model_was_never_shown_are_told_and_not_hidden(
    labeled, train_now, request_brief
):
    rows = np.flatnonzero(state(labeled).holdout)[:4]
    edit.name_cells(workspace(labeled), rows, "Only set aside", "lasso")
    train_now(labeled, request_brief)
    report = holdout_report.report(workspace(labeled))
    assert report.scores.n == truth_of(labeled)[0].size - 4
    assert (
        "4 held-out cells of types the model was never shown (Only set aside)" in (report.notes[0])
    )


# Linear models beside it ------------------------------------------------------------------------


def test_the_quick_models_are_scored_on_the_same_cells(trained):
    opened, run = workspace(trained), workspace(trained).current_run()
    truth, rows = truth_of(trained)
    genes = [list(opened.dataset.var_names).index(gene) for gene in run.settings.genes]
    model = Annotator.load(run.paths.model, "cpu")
    linear = model.linear_models.predict(opened.dataset.genes_matrix(np.array(genes)))
    said = [run.array("probabilities_scanvi"), *linear]
    names = np.array(run.settings.label_names, dtype=object)
    found, ours = baselines.baselines(workspace(trained)), told(trained)[0] == truth
    assert [rival.name for rival in found.rivals] == [baselines.ALONE, *baselines.LINEAR]
    for rival, probabilities in zip(found.rivals, said, strict=True):
        right = names[probabilities[rows].argmax(1)] == truth
        assert rival.scores.n == rows.size
        assert rival.scores.accuracy == pytest.approx(right.mean())
        assert rival.difference == pytest.approx(right.mean() - ours.mean())
    best = max(rival.scores.accuracy for rival in found.rivals[1:])
    p = min(rival.chance for rival in found.rivals[1:] if rival.scores.accuracy == best)
    assert found.beaten == (best > ours.mean() and p <= baselines.LUCK)
    assert f"{100 * best:.1f} %" in found.sentence and f"{100 * ours.mean():.1f} %" in (
        found.sentence
    )


@pytest.mark.parametrize(("ours", "theirs"), [(0.78, 0.88), (0.9, 0.8), (0.8, 0.8), (0.8, 0.802)])
def test_the_sentence_says_who_wins(ours, theirs):
    random = np.random.default_rng(0)
    truth = random.integers(0, 3, 500)
    names = ("a", "b", "c")
    whole = holdout_report.score(truth, _partly(truth, ours), names)
    told = _partly(truth, theirs)
    difference, interval = baselines.paired_difference(
        told == truth, _partly(truth, ours) == truth
    )
    rival = baselines.Rival(
        baselines.GENES, holdout_report.score(truth, told, names), difference, interval,
        baselines.paired_chance(told == truth, _partly(truth, ours) == truth),
    )  # fmt: skip
    sentence = baselines.verdict(whole, rival)
    if abs(theirs - ours) < 0.01:
        assert sentence.startswith("About as right as a one-second linear model (80.")
        assert "warning" not in sentence and "thoroughly" not in sentence
    elif theirs > ours:
        assert sentence.startswith(
            "A one-second linear model is right more often here: 88.0 % against 78.0 %"
        )
        assert "warning" in sentence and "luck" not in sentence
    else:
        assert sentence.startswith("Right 10.0 points more often than the best one-second")


def test_few_held_out_cells_are_said_to_be_too_few():
    truth, names = np.zeros(30, dtype=int), ("a", "b")
    few, enough = (holdout_report.score(truth[:n], truth[:n], names) for n in (19, 20))
    assert holdout_report.headline(few).endswith("100 %; too few to tell).")
    assert "too few" not in holdout_report.headline(enough)
    assert "Mean F1 over 1 type, " in holdout_report._reading(enough, holdout.CELLS)


def _partly(truth, share):
    """Return predictions of which just this share, from the start, is right."""
    return np.where(np.arange(truth.size) < share * truth.size, truth, (truth + 1) % 3)


# Maps and models --------------------------------------------------------------------------------


def test_the_map_is_measured_once_and_kept(trained):
    found = integration.map_scores(workspace(trained))
    assert found.table.shape == (4, 3)
    values = found.table[list(integration.SPACES)].to_numpy(float)
    assert ((values >= 0) & (values <= 1)).all()
    workspaces._open.clear()  # as after a restart
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(integration, "_measure", None)
        assert integration.map_scores(workspace(trained)).table.equals(found.table)


def test_without_batches_only_types_are_measured(trained):
    path = workspace(trained).current_run().root / "run.json"
    record = json.loads(path.read_text())
    record["settings"]["batch_key"] = None  # as frozen by a run without batches
    path.write_text(json.dumps(record))
    found = integration.map_scores(workspace(trained))
    assert found.table["what is measured"].tolist() == [
        integration.MEANING["types_apart"], integration.MEANING["type_neighbors"],
    ]  # fmt: skip
    assert "No batch column" in found.note
    assert holdout_report.report(workspace(trained)).batches is None


def test_the_list_of_models_tells_what_changed_and_compares_fairly(
    trained, train_now, request_brief
):
    assert not model_list.models(workspace(trained)).others
    truth, rows = truth_of(trained)
    before = told(trained)[0]
    edit.name_cells(
        workspace(trained), np.flatnonzero(state(trained).codes < 0)[:3], "New", "lasso"
    )
    edit.rename(workspace(trained), "Dendritic", "DC")
    train_now(trained, replace(request_brief, train=replace(request_brief.train, seed=7)))
    after = told(trained)[0]
    listed = model_list.models(workspace(trained))
    changed = listed.table["what changed"].tolist()
    assert "Seed: 0 → 7" in changed[0] and "new type New" in changed[0] and changed[1] == ""
    found = model_list.compare(workspace(trained), listed.current[1], listed.others[1])
    now = np.where(truth == "Dendritic", "DC", truth)
    expected = (after == now).mean() - (before == truth).mean()
    assert (found.n, found.difference) == (rows.size, pytest.approx(expected))
    assert listed.comparison(workspace(trained), 1) == found.sentence(2, 1)


def test_models_with_nothing_held_out_from_both_are_not_compared(
    trained, train_now, request_brief
):
    rows = truth_of(trained)[1]
    others = np.setdiff1d(np.flatnonzero(state(trained).codes >= 0), rows)[::9]
    workspace(trained).store.append(events.holdout(others, how=holdout.CELLS))
    train_now(trained, request_brief)
    listed = model_list.models(workspace(trained))
    assert "other cells set aside" in listed.table["what changed"][0]
    assert "cannot be compared fairly" in listed.comparison(workspace(trained), 1)


# Without a hold-out -----------------------------------------------------------------------------


def test_the_linear_models_are_cross_validated_on_the_labels_that_were_shown(trained):
    run = workspace(trained).current_run()
    judged, y = np.array(run.array("out_of_fold")), np.array(run.array("y"))
    known = np.isfinite(judged).all(axis=1)
    assert (y[known] >= 0).all() and not results.current(workspace(trained)).holdout[known].any()
    right = judged[known].argmax(axis=1) == y[known]
    low, high = binomtest(int(right.sum()), right.size).proportion_ci(method="wilson")
    often = np.flatnonzero(np.bincount(y[known]) >= RARE_CELLS)
    f1 = f1_score(y[known], judged[known].argmax(axis=1), labels=often, average="macro")
    assert baselines.cross_validated(workspace(trained)) == (
        f"The one-second linear models together, cross-validated on {right.size} labeled cells: "
        f"right on {100 * right.mean():.0f} % "
        f"(95 % interval {100 * low:.0f} to {100 * high:.0f} %), mean F1 {f1:.2f}."
    )


def test_nothing_is_said_of_labels_that_were_not_judged_yet(labeled):
    assert baselines.cross_validated(workspace(labeled)) is None
