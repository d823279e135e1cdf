"""What pages say and offer about history, stale edits, crashes, damage and locked projects."""

import json

import numpy as np
import pytest
from sqlalchemy import create_engine, text

from scanvi_core.config import ModelConfig, TrainConfig
from scanvi_core.project.folder import create_project, open_project
from scanvi_core.project.locks import MARK
from scanvi_core.project.runs import RUNNING, Run
from scanvi_core.services import jobs
from scanvi_core.services.explore import selection
from scanvi_core.services.export import write
from scanvi_core.services.labels import edit, history
from scanvi_core.services.projects import library
from scanvi_core.services.projects.open_file import import_into
from scanvi_core.services.runs import results, train_request
from scanvi_core.services.training import start
from scanvi_core.services.workspace import workspace
from tests.pages.conftest import said, tab_of
from tests.project.run_settings import settings


def names(project):
    state = workspace(project).labels()
    return np.array([*state.names, ""], dtype=object)[state.codes]


def pick(app, project, rows):
    """Pick cells as the lasso does, and draw the page again."""
    mask = np.zeros(700, dtype=bool)
    mask[rows] = True
    selection.pick(workspace(project), tab_of(app), mask)
    return app.run()


def test_an_edit_from_a_stale_view_shows_both_versions_and_replaces_nothing(visit, labeled):
    app = visit("labels", labeled)
    pick(app, labeled, [3, 4])
    app.selectbox(key="picked-name").set_value("CD19+ B").run()
    edit.name_cells(
        workspace(labeled), np.array([4, 5]), "Theirs", "lasso"
    )  # another tab, meanwhile
    app.button(key="name-cells").click().run()
    assert not app.exception
    assert "assign Theirs to 2 cells, 1 of them yours too" in said(app)
    assert "assign CD19+ B to 2 cells" in said(app)
    assert names(labeled)[4] == "Theirs"
    app.button(key="use-mine").click().run()
    assert names(labeled)[[3, 4]].tolist() == ["CD19+ B", "CD19+ B"]
    assert "Nothing was replaced" not in said(app)


def test_a_refused_edit_goes_with_the_cells_it_was_about(visit, labeled):
    app = visit("labels", labeled)
    pick(app, labeled, [3, 4])
    app.selectbox(key="picked-name").set_value("CD19+ B").run()
    edit.name_cells(workspace(labeled), np.array([4]), "Theirs", "lasso")
    app.button(key="name-cells").click().run()
    assert any(button.key == "use-mine" for button in app.button)
    pick(app, labeled, [7, 8])
    assert not any(button.key == "use-mine" for button in app.button)  # it would name these


def test_a_name_that_is_chosen_after_their_edit_does_not_hide_it(visit, labeled):
    app = visit("labels", labeled)
    pick(app, labeled, [3, 4])
    edit.name_cells(workspace(labeled), np.array([4, 5]), "Theirs", "lasso")  # another tab
    app.selectbox(key="picked-name").set_value("CD19+ B").run()  # draws the page anew
    app.button(key="name-cells").click().run()
    assert "assign Theirs to 2 cells, 1 of them yours too" in said(app)
    assert names(labeled)[4] == "Theirs"


def test_a_step_of_this_tab_is_no_conflict(visit, labeled):
    app = visit("labels", labeled)
    pick(app, labeled, [3, 4])
    app.selectbox(key="picked-name").set_value("CD19+ B").run()
    app.button(key="name-cells").click().run()
    pick(app, labeled, [3, 4])
    app.button(key="undo").click().run()
    app.selectbox(key="picked-name").set_value("Dendritic").run()
    app.button(key="name-cells").click().run()
    assert not any(button.key == "use-mine" for button in app.button)
    assert names(labeled)[[3, 4]].tolist() == ["Dendritic", "Dendritic"]


def test_theirs_can_be_kept(visit, labeled):
    app = visit("labels", labeled)
    pick(app, labeled, [4])
    app.selectbox(key="picked-name").set_value("CD19+ B").run()
    edit.name_cells(workspace(labeled), np.array([4]), "Theirs", "lasso")
    app.button(key="name-cells").click().run()
    app.button(key="keep-theirs").click().run()
    assert names(labeled)[4] == "Theirs"
    pick(app, labeled, [4])
    app.selectbox(key="picked-name").set_value("CD19+ B").run()
    app.button(key="name-cells").click().run()  # having seen theirs
    assert names(labeled)[4] == "CD19+ B"


def test_the_history_page_lists_compares_and_names_a_moment(visit, labeled):
    edit.name_cells(workspace(labeled), np.arange(5), "Mine", "lasso")
    app = visit("history", labeled)
    assert not app.exception
    table = app.dataframe[0].value
    assert table["what"].tolist()[0] == "assign Mine to 5 cells"
    app.text_input(key="history-text").set_value("mine").run()
    assert app.dataframe[0].value["what"].tolist() == ["assign Mine to 5 cells"]
    history.checkpoint(workspace(labeled), "review")
    assert "review" in str(visit("history", labeled).selectbox(key="compare-from").options)


def test_differences_between_people_are_decided_with_one_click(visit, labeled):
    other = library.duplicate(labeled)
    workspace(other).store.actor = "ben"
    edit.name_cells(workspace(other), np.array([7]), "Theirs", "lasso")
    edit.name_cells(workspace(labeled), np.array([7]), "Mine", "lasso")
    history.import_log(workspace(labeled), history.export_log(workspace(other)))
    app = visit("history", labeled)
    assert "ben: Theirs" in said(app)
    app.button(key="decide-0-Theirs").click().run()
    assert names(labeled)[7] == "Theirs"
    assert "ben: Theirs" not in said(app)


def test_a_training_that_was_cut_off_is_shown_and_can_be_left(visit, labeled):
    run = Run.create(open_project(labeled), settings())
    run.set_status(RUNNING)
    run.append_record({"epoch": 3, "n_epochs": 9})
    run.write_array("truth", np.full(700, -1))
    status = json.loads(run.paths.status.read_text())
    run.paths.status.write_text(json.dumps(status | {"process": ""}))
    app = visit("open", labeled)
    assert "Training was interrupted at epoch 3 of 9" in said(app)
    assert app.button(key="resume").label == "Go on training"
    app.button(key="leave-run").click().run()
    assert "interrupted" not in said(app)


def test_a_crash_and_a_damaged_log_are_said_and_repaired(visit, labeled):
    copy = library.duplicate(labeled)
    (open_project(copy).root / MARK).write_text("elsewhere 1:0.00")
    engine = create_engine(f"sqlite:///{open_project(copy).db}")
    with engine.begin() as connection:
        connection.execute(text("UPDATE events SET kind = 'note' WHERE seq = 2"))
    engine.dispose()
    app = visit("labels", copy)
    assert not app.exception
    assert "You can look, but not change anything" in said(app)
    assert app.button(key="undo").disabled
    app = visit("open", copy)
    assert "The label log is damaged: entry 2 is not what was written." in said(app)
    app.button(key="repair").click().run()
    assert "Repaired: 1 change came back, from the file itself" in said(app)
    assert not visit("labels", copy).button(key="undo").disabled


def test_a_project_left_by_a_crash_says_so_when_it_is_opened(visit, labeled):
    copy = library.duplicate(labeled)
    (open_project(copy).root / MARK).write_text("elsewhere 1:0.00")
    assert "The program was not closed properly" in said(visit("open", copy))


def test_projects_are_renamed_and_put_away_from_the_first_page(visit, labeled):
    other = library.duplicate(labeled)
    app = visit("open", labeled)
    app.button(key=f"away-{other}").click().run()
    assert [item.id for item in library.listing(archived=True)] == [other]
    assert not app.exception


def test_a_note_is_written_into_the_history(visit, labeled):
    app = visit("history", labeled)
    next(item for item in app.text_input if item.label == "Note").set_value("asked Maria")
    next(item for item in app.button if item.label == "Write it down").click().run()
    assert app.dataframe[0].value["what"].tolist()[0] == "note: asked Maria"


def reword(project, statement):
    """Change the label log behind the program's back."""
    engine = create_engine(f"sqlite:///{open_project(project).db}")
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def test_a_project_of_a_newer_program_is_refused_in_words(visit, labeled):
    copy = library.duplicate(labeled)
    reword(copy, "UPDATE meta SET value = '99' WHERE key = 'schema_version'")
    app = visit("open", copy)
    assert not app.exception
    assert "The label log has format 99" in said(app)
    assert f"recent-{labeled}" in [button.key for button in app.button]


@pytest.mark.parametrize("slug", ["labels", "train", "review", "history", "export"])
def test_every_page_says_in_words_that_a_project_cannot_be_opened(visit, labeled, slug):
    copy = library.duplicate(labeled)
    reword(copy, "UPDATE meta SET value = '9' WHERE key = 'n_obs'")
    app = visit(slug, copy)
    assert not app.exception
    assert "The labels belong to 9 cells, the data set has 700." in said(app)


def test_a_fault_while_a_project_is_opened_is_told_without_a_traceback(visit, labeled):
    copy = library.duplicate(labeled)
    (open_project(copy).dataset / "obs.parquet").unlink(missing_ok=True)
    (open_project(copy).dataset / "manifest.json").write_text('{"n_obs": 700}')
    app = visit("labels", copy)
    assert not app.exception
    assert app.error


def test_a_training_whose_loss_is_no_number_keeps_the_last_good_epoch_and_says_why(
    visit, labeled, monkeypatch
):
    from scanvi_core.annotation.layout import embedding
    from scanvi_core.train.training import Training

    step = Training.take_step

    def overflow(run):
        """Break the network in its fifth epoch, as an overflow does."""
        if run.step == 4 * run.steps_per_epoch:
            run.module.z_encoder.mean_encoder.bias.data.fill_(np.nan)
        step(run)

    monkeypatch.setattr(Training, "take_step", overflow)
    monkeypatch.setattr(embedding, "umap_of", lambda z, **_: z[:, :2].copy())
    request = train_request.TrainRequest(
        ModelConfig(n_hidden=32, n_latent=8),
        TrainConfig(max_epochs=6, n_top_genes=200, device="cpu"),
    )
    job = jobs.wait(start.start(workspace(labeled), request), 60.0)
    assert job.status is jobs.JobStatus.DONE
    assert max(record.epoch for record in job.records) == 4
    found = results.current(workspace(labeled))
    assert np.isfinite(found.probabilities).all()
    told = said(visit("train", labeled))
    assert "The loss was nan at step" in told and "learning rate" in told
    monkeypatch.setattr(jobs, "_jobs", {})  # as after a restart
    assert "The loss was nan at step" in said(visit("train", labeled))


def test_each_tab_has_a_name_of_its_own_in_the_history(visit, labeled):
    tabs = {who: visit("history", labeled) for who in ("anna", "ben")}
    for who, app in tabs.items():
        app.text_input(key="person").set_value(who).run()
    for who, app in tabs.items():
        app.switch_page("pages/screens/labels.py").run()
        app.button(key="undo" if who == "anna" else "redo").click().run()
    history.note(workspace(labeled), "of the program itself")
    found = history.table(workspace(labeled))["who"].tolist()[:3]
    assert found[1:] == ["ben", "anna"] and found[0] not in ("anna", "ben")


def test_labels_are_taken_from_an_exported_file(visit, labeled, tmp_path):
    file = write.write(workspace(labeled), write.ExportChoice(), tmp_path / "out.h5ad")
    fresh = import_into(create_project("Again"), file).project.id
    app = visit("labels", fresh)
    app.segmented_control(key="label-source").set_value("An exported file").run()
    app.toggle(key="exported-look").set_value(True).run()
    assert "It holds 2 steps of labeling." in said(app)
    app.button(key="take-exported").click().run()
    assert not app.exception
    assert (names(fresh) == names(labeled)).all()
