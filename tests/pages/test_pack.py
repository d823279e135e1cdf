"""Beginning from a pack on the Labels page, and what the pages say of a model that came so."""

from scanvi_core.services import jobs
from scanvi_core.services.packs import opening, start
from scanvi_core.services.workspace import workspace
from tests.pages.conftest import said
from tests.pages.test_screens import sound


def chosen(visit, project, path):
    """Open Labels, choose a pack by its path, and return the page."""
    app = sound(visit("labels", project))
    app.button_group(key="label-source").set_value("A pack").run()
    app.text_input(key="pack-path").set_value(str(path)).run()
    return app


def test_a_pack_is_looked_at_told_and_begun_from(visit, project, example_pack, tmp_path):
    path = tmp_path / "a.scanvi-pack.zip"
    path.write_bytes(example_pack.read_bytes())
    app = sound(chosen(visit, project, path))
    assert "of the pack's" in said(app) and "(100%)" in said(app)
    assert len(app.dataframe[0].value) == 10  # types
    app.button(key="pack-start").click().run()
    for job in jobs.list_jobs(project):
        jobs.wait(job.id, 120)
    app = sound(visit("train", project))
    assert "All cells are named by the pack Cells." in said(app)
    assert "keeps the types of the pack" in said(app)
    for page in ("labels", "review", "explore", "evaluate", "export", "history"):
        sound(visit(page, project))


def test_a_damaged_pack_is_refused_in_a_sentence(visit, project, tmp_path):
    path = tmp_path / "a.zip"
    path.write_bytes(b"PK nothing")
    app = chosen(visit, project, path)
    assert "This is no pack" in said(app)
    assert not workspace(project).labels().seq
    assert not [button for button in app.button if button.key == "pack-start"]


def test_a_project_with_a_model_offers_no_pack(visit, trained):
    app = sound(visit("labels", trained))
    assert "A pack" not in app.button_group(key="label-source").options


def test_train_learns_from_labels_after_a_pack(visit, project, example_pack):
    opened = workspace(project)
    with example_pack.open("rb") as stream:
        opening.look_at(opened, stream)
    jobs.wait(start.start(opened), 120)
    from scanvi_core.services.labels import edit

    names = opened.labels().active
    for at in (0, 1):
        edit.name_cells(opened, range(at * 10, at * 10 + 10), names[at], "lasso")
    app = sound(visit("train", project))
    assert f"{len(names)} types (20 labeled" in said(app)
