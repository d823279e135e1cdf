"""What somebody may do who came by a link: see one project, and change nothing in it or beside."""

import pytest

from scanvi_core.errors import OnlyVisiting, ProjectError, ReadOnly
from scanvi_core.project import access
from scanvi_core.project.access import Person
from scanvi_core.project.folder import create_project, list_projects, open_project
from scanvi_core.services import jobs, paths, workspace
from scanvi_core.services.diagnostics import holdout_report
from scanvi_core.services.explore import colors, maps
from scanvi_core.services.labels import edit
from scanvi_core.services.projects import library, open_file, sharing
from scanvi_core.services.runs import provisional
from scanvi_core.services.viewing import links, remarks, types_seen
from tests.projects import copy_of
from tests.services.test_sharing import ROW, WRITES, contents
from tests.services.viewing.conftest import ANNA, VERA

TAKES = [
    library.duplicate,
    library.save,
    library.start_saving,
    lambda p: maps.start_base_map(workspace.workspace(p)),
    lambda _: open_file.open_example(),
    lambda _: create_project("Mine"),
    lambda _: paths.allowed_path("anything"),
]
SHARES = [
    lambda p: sharing.share(p, "write", {VERA: "write"}),
    lambda p: sharing.give(p, VERA),
    links.make,
]


@pytest.fixture(params=["signed in", "nobody signs in", "the owner", "who may change it"])
def visitor(request, linked, visits):
    """A project that somebody looks at by its link."""
    workspace.workspace(linked.project)
    if request.param == "who may change it":
        sharing.share(linked.project, "", {VERA: sharing.WRITE})
    person = Person(ANNA if request.param == "the owner" else VERA)
    person = None if request.param == "nobody signs in" else person
    visits(linked.token, person)
    return linked.project


def test_a_visitor_changes_and_takes_nothing(visitor):
    before, projects = contents(visitor), list_projects()
    for act in [*WRITES, *TAKES]:
        with pytest.raises(OnlyVisiting):
            act(visitor)
    for act in SHARES:
        with pytest.raises(ProjectError, match="Only its owner"):
            act(visitor)
    assert contents(visitor) == before and list_projects() == projects
    assert not jobs.active(visitor)


def test_the_refusal_says_what_a_link_allows(visitor):
    with pytest.raises(ReadOnly) as caught:
        edit.name_cells(workspace.workspace(visitor), ROW, "T", "lasso")
    assert "look and comment" in caught.value.message
    with pytest.raises(ReadOnly):
        remarks.mark_done(workspace.workspace(visitor), "0" * 16)


def test_a_visitor_sees_the_project_of_the_link_and_no_other(visitor, trained_folder, asks):
    here = access.asking()
    asks(Person(ANNA))
    other = copy_of(trained_folder, "Another of Anna's")
    asks(here)
    assert [project.id for project in list_projects()] == [visitor]
    with pytest.raises(ProjectError, match="There is no project"):
        open_project(other)
    seen = workspace.workspace(visitor)
    assert links.visiting() == visitor and not sharing.may_change(visitor)
    assert holdout_report.report(seen) is not None
    for way in types_seen.ways_to_color(seen):
        colors.coloring(seen, way)


def test_what_was_taken_back_is_closed_at_once_to_those_inside(linked, visits, asks):
    visits(linked.token, Person(VERA))
    opened = workspace.workspace(linked.project)
    asks(Person(ANNA))
    links.revoke(linked.project, links.links_of(linked.project)[0].id)
    visits(linked.token, Person(VERA))
    assert not links.visiting()
    for act in (
        lambda: workspace.workspace(linked.project),
        lambda: remarks.said(opened),
        lambda: remarks.comment(opened, remarks.subjects(opened)[0], "x"),
    ):
        with pytest.raises(ProjectError, match="There is no project"):
            act()


def test_a_link_adds_nothing_to_what_a_sign_in_opens_elsewhere(linked, asks):
    asks(Person(VERA))
    with pytest.raises(ProjectError, match="There is no project"):
        open_project(linked.project)


def test_a_visitor_begins_no_work_and_sees_what_others_had_worked_out(linked, visits, asks):
    opened = workspace.workspace(linked.project)
    edit.name_cells(opened, ROW, "Dendritic", "lasso")
    visits(linked.token, Person(VERA))
    assert provisional.state(opened).newest is None
    assert not jobs.list_jobs(f"{linked.project}/{provisional.PROVISIONAL}")
    assert colors.coloring(opened, colors.PREDICTION).name == colors.PREDICTION
    asks(Person(ANNA))
    provisional.state(opened)
    for job in jobs.list_jobs(f"{linked.project}/{provisional.PROVISIONAL}"):
        jobs.wait(job.id, 60)
    visits(linked.token, Person(VERA))
    assert provisional.state(opened).newest is not None
