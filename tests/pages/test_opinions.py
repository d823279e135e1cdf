"""Opinions on the pages: offered, taken, mapped by hand, and said on the cards."""

import numpy as np
import pytest

from scanvi_core.project.folder import create_project
from scanvi_core.services import jobs
from scanvi_core.services.explore import maps
from scanvi_core.services.labels import edit
from scanvi_core.services.opinions import from_columns, kept, names
from scanvi_core.services.projects.open_file import import_into
from scanvi_core.services.review import queue
from scanvi_core.services.workspace import workspace
from tests.pages.conftest import said
from tests.pages.review.reading import captions, primary, question
from tests.pages.test_labels import write_cells
from tests.pages.test_screens import sound


@pytest.fixture
def two(tmp_path):
    """A project of a file without labels, with what two tools say."""
    cells = write_cells(
        tmp_path, predicted_labels=["B-cells", "T cells", "Unassigned"], sex=["m", "f"],
        **{"predicted.celltype.l2": ["B", "T"]},
    )  # fmt: skip
    return import_into(create_project("Cells"), cells).id


def test_a_file_offers_what_tools_say_and_they_are_no_labels(visit, two):
    app = sound(visit("labels", two))
    assert "This file has opinions of CellTypist and Azimuth." in said(app)
    app.button(key="use-opinions").click().run()
    opened = workspace(two)
    assert [one.names for one in kept.kept(opened)] == [
        {"B-cells": "B-cells", "T cells": "T cells"}, {"B": "B-cells", "T": "T cells"},
    ]  # fmt: skip
    assert not opened.labels().seq and "This file has opinions" not in said(sound(app))
    assert app.button(key="start-with-opinions").proto.type == "primary"
    assert app.button_group(key="label-source").value == "Start empty"
    assert "do not look like cell types: sex" in said(app)
    app.button(key="start-with-opinions").click().run()
    assert edit.is_by_hand(workspace(two)) and sound(app).title[0].value == "Review"


def test_columns_of_tools_are_not_chosen_as_labels_unless_asked_for(visit, two):
    app = sound(visit("labels", two))
    assert app.button_group(key="label-source").value == "Start empty"
    opened = workspace(two)
    from_columns.take(opened, from_columns.of_file(opened), "predicted_labels")
    app = visit("labels", two)
    app.button_group(key="label-source").set_value("A column of the file").run()
    column = sound(app).selectbox(key="labels-key")
    assert column.value == "sex"
    assert set(column.options[1:]) == {"predicted_labels", "predicted.celltype.l2"}
    column.select("predicted_labels").run()
    assert "A tool predicted these" in said(app)
    assert app.button(key="use-labels").proto.type == "secondary"


def test_one_of_them_is_removed_and_offered_again_below(visit, two):
    opened = workspace(two)
    one = from_columns.take(opened, from_columns.of_file(opened), "predicted_labels")
    app = sound(visit("labels", two))
    app.button(key=f"remove-{one.id}").click().run()
    assert kept.kept(opened) == ()
    assert "predicted_labels" in sound(app).selectbox(key="opinion-column").options


def test_the_first_card_proposes_what_they_say_with_one_key(visit, project):
    opened = workspace(project)
    edit.start_empty(opened)
    from_columns.take(opened, from_columns.of_file(opened), "expert_label")
    assert jobs.wait(maps.start_base_map(opened), 120).error is None
    app = sound(visit("review", project))
    item = queue.queue(opened)[0]
    name = item.candidates[0].name
    assert item.candidates[0].whose and f"Are they **{name}**" in question(app).replace("\\", "")
    button = app.button(key="name-part")
    assert button.proto.shortcut == "a" and primary(app) == ["name-part"]
    button.click().run()
    state = workspace(project).labels()
    assert {state.names[code] for code in state.codes[item.rows]} == {name}
    assert any(text.startswith("expert\\_label says ") for text in captions(app))


def test_cards_follow_when_a_name_comes_to_mean_another_type(project):
    opened = workspace(project)
    edit.start_empty(opened)
    one = from_columns.take(opened, from_columns.of_file(opened), "expert_label")
    assert jobs.wait(maps.start_base_map(opened), 120).error is None
    before = queue.queue(opened)[0].candidates[0].name
    names.save(opened, one, one.names | {before: "Mine"})
    assert queue.queue(opened)[0].candidates[0].name == "Mine"
    names.remove(opened, kept.kept(opened)[0])
    assert queue.queue(opened)[0].candidates == ()


def test_a_card_of_the_review_says_it_in_a_line_and_without_opinions_nothing(visit, trained):
    app = sound(visit("review", trained))
    assert not any(text.startswith("expert\\_label says ") for text in captions(app))
    opened = workspace(trained)
    from_columns.take(opened, from_columns.of_file(opened), "expert_label")
    app.run()
    rows = queue.queue(opened)[0].rows
    (line,) = [text for text in captions(app) if text.startswith("expert\\_label says ")]
    assert f"of {len(rows)} cells" in line and np.size(rows) > 1
    sound(app)


def test_a_type_that_the_model_does_not_know_is_one_key_away_where_opinions_propose_it(
    visit, trained
):
    opened = workspace(trained)
    one = from_columns.take(opened, from_columns.of_file(opened), "expert_label")
    item = queue.queue(opened)[0]
    own = one.label_names[np.bincount(one.labels[item.rows]).argmax()]
    names.save(opened, one, one.names | {own: "Mine"})
    app = visit("review", trained)
    rows = item.rows
    button = app.button(key="choose-others")  # it speaks against the model's answer, so is the
    assert (button.label, button.proto.shortcut) == ("Mine", "2")  # second of both
    assert not any(one.proto.type == "primary" for one in app.button)
    button.click().run()
    state = workspace(trained).labels()
    assert {state.names[code] for code in state.codes[rows]} == {"Mine"}
    sound(app)
