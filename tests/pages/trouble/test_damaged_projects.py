"""One damaged project hides no other: the list says what is wrong with it, and puts it away."""

import pytest

from scanvi_core.project.folder import DAMAGED_SETTINGS, create_project, open_project
from scanvi_core.services.labels import edit, from_project
from scanvi_core.services.projects import library
from scanvi_core.services.workspace import workspace
from tests.pages.conftest import said

BAD = {
    "no JSON": '{"name": "x"',
    "nested": "[" * 100_000,
    "a list": "[]",
    "empty": "",
    "no created": '{"name": "Lung"}',
    "no date": '{"name": "Lung", "created": "yesterday", "batch_key": "batch"}',
    "a number": '{"name": "Lung", "created": 5}',
    "out of range": '{"name": "Lung", "created": "0001-01-01T00:00:00+00:00"}',
    "no name": '{"created": "2026-01-01T00:00:00+00:00"}',
    "a wrong name": '{"name": ["Lung"], "created": "2026-01-01T00:00:00+00:00"}',
    "a wrong run": '{"name": "L", "created": "2026-01-01T00:00:00+00:00", "current_run": "../1"}',
}


@pytest.fixture(params=BAD.values(), ids=BAD)
def damaged(request, project):
    """Another project, whose settings are damaged."""
    other = library.duplicate(project)
    (open_project(other).root / "settings.json").write_text(request.param)
    return other


def test_the_list_shows_the_sound_ones_and_what_is_wrong_with_the_other(project, damaged):
    found = {entry.id: entry for entry in library.listing()}
    assert set(found) == {project, damaged}
    assert found[project].name == "Cells" and not found[project].damage
    assert "settings.json" in found[damaged].damage
    assert library.listing(archived=True) == []
    assert "Error" not in found[damaged].damage


def test_it_is_put_away_and_what_can_be_read_of_its_settings_stays(project, damaged):
    before = (open_project(damaged).root / "settings.json").read_text()
    library.archive(damaged)
    assert [entry.id for entry in library.listing()] == [project]
    (away,) = library.listing(archived=True)
    assert away.id == damaged and not away.damage
    settings = open_project(damaged).settings
    assert settings["archived"] and ('"batch_key"' in before) == ("batch_key" in settings)
    assert (away.name == "Lung") == ('"name": "Lung"' in before)
    assert (open_project(damaged).root / DAMAGED_SETTINGS).read_text() == before
    library.archive(damaged, away=False)
    assert {entry.id for entry in library.listing()} == {project, damaged}


@pytest.mark.parametrize("damaged", ["", '{"name": ["Lung"]}'], indirect=True)
@pytest.mark.parametrize("slug", ["open", "labels"])
def test_every_page_of_another_project_opens(visit, project, damaged, slug):
    edit.use_column(workspace(project), "cell_type", set())
    assert set(from_project.candidates(workspace(project))) <= {damaged}
    app = visit(slug, project)
    assert not app.exception and "Something went wrong" not in said(app)
    if slug == "open":
        assert "Damaged." in said(app)
        app.button(key=f"away-{damaged}").click().run()
        assert not app.exception and "Damaged." not in said(app)


@pytest.mark.parametrize("damaged", ["", BAD["no date"]], indirect=True)
def test_its_own_pages_say_what_is_wrong(visit, damaged):
    app = visit("labels", damaged)
    assert not app.exception


@pytest.mark.parametrize("what", ["a folder", "a link to nothing"])
def test_what_is_no_file_of_settings_is_no_project(visit, project, what):
    other = open_project(library.duplicate(project))
    path = other.root / "settings.json"
    path.unlink()
    path.mkdir() if what == "a folder" else path.symlink_to(other.root / "nothing")
    assert [entry.id for entry in library.listing()] == [project]
    app = visit("open", project)
    assert not app.exception and "Something went wrong" not in said(app)


def test_a_project_that_cannot_be_made_on_a_full_disk_leaves_no_folder(project, monkeypatch):
    from scanvi_core.errors import ProjectError
    from scanvi_core.project import folder

    def full(*_):
        raise ProjectError("settings.json could not be written.", "Free some disk space.")

    monkeypatch.setattr(folder, "write_json", full)
    with pytest.raises(ProjectError, match="could not be written"):
        create_project("Another")
    assert [path.name for path in folder.projects_home().iterdir()] == [project]
