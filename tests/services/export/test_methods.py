"""The paragraph for a paper, and the pack."""

import json
import zipfile
from dataclasses import replace

import numpy as np

from scanvi_core.annotation.model.annotator import Annotator
from scanvi_core.services import jobs
from scanvi_core.services.export import methods, pack, write
from scanvi_core.services.export.columns import ExportChoice
from scanvi_core.services.labels import edit
from scanvi_core.services.runs import results
from scanvi_core.services.workspace import workspace


def test_the_paragraph_names_numbers_versions_and_seeds(trained):
    run = workspace(trained).current_run()
    text = methods.paragraph(workspace(trained), ExportChoice(threshold=0.6))
    assert "700 cells" in text and "counts were taken from X" in text
    assert f"{len(run.settings.genes):,} highly variable genes" in text
    assert f"seed {run.settings.seed}" in text and "negative binomial" in text
    assert f"torch {run.settings.versions['torch']}" in text
    assert f"macro-F1 {run.summary['holdout']['macro_f1']:.2f}" in text
    _, sources = results.final_labels(workspace(trained), threshold=0.6)
    assert f"{(sources == 'predicted').sum():,} were predictions of the model" in text
    plan = methods.paragraph(workspace(trained), ExportChoice(threshold=0.6), planned=True)
    assert f"{(sources == 'predicted').sum():,} would be predictions of the model" in plan
    assert "confidence of at least 0.60" in text and "  " not in text


def test_without_a_model_it_says_what_was_done_by_hand(labeled):
    text = methods.paragraph(workspace(labeled))
    assert "SCANVI model" not in text and "came with the data" in text


def test_a_training_and_its_updates_are_told_in_their_order(trained, train_now, request_brief):
    opened = workspace(trained)
    first = opened.current_run()
    for _ in range(2):
        found, open_ = results.current(opened), opened.labels().codes < 0
        sure = np.flatnonzero(open_ & (found.prediction == 0))[:5]
        edit.name_cells(opened, sure, found.names[0], "lasso")
        train_now(trained, replace(request_brief, warm=True))
    updates = results.finished_runs(opened)[1:]
    text = methods.paragraph(opened)
    assert f"{first.summary['n_labeled']} of them labeled with" in text
    assert f"for {first.summary['steps']:,} steps (preset" in text
    steps = " and ".join(f"{run.summary['steps']:,}" for run in updates)
    n_types = len(updates[-1].settings.label_names)
    assert (
        f"It was then updated with more labels 2 times, for {steps} steps, in the end with "
        f"{updates[-1].summary['n_labeled']} labeled cells of {n_types} types."
    ) in text


def test_what_random_checks_tell_stands_behind_what_was_measured(half_measured):
    text = methods.paragraph(workspace(half_measured), checked="Checked by hand.")
    assert ". Checked by hand. Of the final labels" in text


def test_the_model_of_the_pack_predicts_as_the_one_here(trained, tmp_path):
    opened = workspace(trained)
    run = opened.current_run()
    path = pack.write(run, opened, tmp_path / "m.scanvi-pack.zip")
    with zipfile.ZipFile(path) as file:
        file.extractall(tmp_path / "out")
    assert not [name for name in path.parent.iterdir() if name.name.endswith(".tmp")]
    model = Annotator.load(tmp_path / "out" / "model")
    counts = opened.dataset.counts[:, np.isin(opened.dataset.var_names, model.genes)]
    assert np.array_equal(
        model.predict(counts).probabilities, results.current(workspace(trained)).probabilities
    )
    frozen = json.loads((tmp_path / "out" / "settings.json").read_text())
    assert frozen["seed"] == run.settings.seed


def test_the_job_leaves_all_files_and_says_what_is_in_them(trained):
    job = jobs.wait(write.start(workspace(trained), ExportChoice()), 120)
    path = write.exported_file(workspace(trained), job.result)
    for beside in (write.csv_beside, write.excel_beside, write.pack_beside):
        assert beside(path).is_file()
        assert write.exported_file(workspace(trained), beside(path).name) == beside(path)
    assert write.about(path)["notes"] == []
    assert "scanvi_confidence" in write.about(path)["written"]["obs"]


def test_a_stopped_export_leaves_the_file_of_before(trained):
    first = jobs.wait(write.start(workspace(trained), ExportChoice()), 120)
    path = write.exported_file(workspace(trained), first.result)
    before = path.read_bytes()
    again = write.start(workspace(trained), ExportChoice("other"))
    jobs.stop(again)
    ended = jobs.wait(again, 120)
    assert ended.status is jobs.JobStatus.STOPPED
    assert path.read_bytes() == before
    names = {item.name for item in path.parent.iterdir()}
    assert not [name for name in names if name.startswith(".")]
