"""Projects whose labels a PostgreSQL server keeps: brought there, copied, and moved away."""

import pytest

from scanvi_core.errors import ProjectError
from scanvi_core.project.folder import ON_SERVER, open_project
from scanvi_core.project.label_log.storage.database import URL_VARIABLE
from scanvi_core.project.label_log.store import LabelStore
from scanvi_core.services import workspace as workspaces
from scanvi_core.services.labels import edit, from_project
from scanvi_core.services.projects import library
from scanvi_core.services.workspace import workspace
from tests.project.label_log.views import content, sql

pytest.importorskip("psycopg", reason="psycopg is not installed")
from tests.project.label_log.storage.test_postgres import server  # noqa: F401  a fixture; needs psycopg


def log_of(project):
    return workspace(project).store.export_log()


@pytest.fixture
def restart(monkeypatch):
    """Start the program again, with a server or, with an empty address, without."""

    def again(url):
        for opened in workspaces._open.values():
            opened.store.close()
        monkeypatch.setattr(workspaces, "_open", type(workspaces._open)())
        monkeypatch.setenv(URL_VARIABLE, url)

    return again


def test_labels_go_to_the_server_and_come_back_with_copies_and_packed_projects(
    labeled,
    server,  # noqa: F811
    restart,
):
    before = log_of(labeled)
    restart(server)
    assert log_of(labeled) == before
    edit.add_type(workspace(labeled), "On the server")
    there = log_of(labeled)
    copy = library.duplicate(labeled)
    assert log_of(copy) == there
    edit.add_type(workspace(copy), "In the copy")
    assert log_of(labeled) == there
    with library.save(labeled).open("rb") as packed:
        arrived = library.take_in(packed)
        assert content(log_of(arrived)) == content(there)
        restart("")
        packed.seek(0)
        assert content(log_of(library.take_in(packed))) == content(there)


def test_labels_of_a_server_are_never_opened_from_an_old_file(labeled, server, restart):  # noqa: F811
    restart(server)
    edit.add_type(workspace(labeled), "On the server")
    restart("")
    with pytest.raises(ProjectError, match="A database server keeps the labels") as caught:
        workspace(labeled)
    assert URL_VARIABLE in caught.value.hint
    restart(server)
    assert "On the server" in workspace(labeled).labels().active


def test_projects_on_a_server_are_listed_with_the_time_they_were_saved(project, server, restart):  # noqa: F811
    restart(server)
    (open_project(project).db).unlink(missing_ok=True)
    edit.use_column(workspace(project), "cell_type", set())
    assert not open_project(project).db.exists()
    saved = (open_project(project).root / ON_SERVER).stat().st_mtime
    entry = next(item for item in library.listing() if item.id == project)
    assert entry.saved_at.timestamp() == pytest.approx(saved, abs=1e-3)
    other = library.duplicate(project)
    assert project in from_project.candidates(workspace(other))


def test_a_damaged_file_is_not_taken_to_the_server(labeled, server, restart):  # noqa: F811
    folder, n_obs = open_project(labeled).root, workspace(labeled).dataset.n_obs
    whole = log_of(labeled)
    restart("")
    sql(folder, "UPDATE events SET actor = 'nobody' WHERE seq = 2")
    restart(server)
    store = LabelStore.open(folder, n_obs)
    assert store.damage and store.read_only
    store.repair()
    assert store.export_log() == whole[:1]
    assert not store.read_only
    store.close()
