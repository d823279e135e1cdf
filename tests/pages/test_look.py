"""The page of those who came by a link, how its owner makes one, and what the owner reads."""

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.text import md
from scanvi_core.services.labels import edit
from scanvi_core.services.viewing import links, remarks
from scanvi_core.services.workspace import workspace
from tests import ROOT
from tests.pages.conftest import said
from tests.pages.test_screens import everything, sound


def look(token, **more):
    """Open the address of a link."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30)
    for key, value in {"view": token, **more}.items():
        app.query_params[key] = value
    return app.run()


def widgets(app):
    kinds = (app.button, app.text_input, app.text_area, app.selectbox, app.toggle, app.checkbox)
    return {item.key for kind in kinds for item in kind}


def speak(app, text, name="Vera"):
    app.text_input(key="visitor-name").set_value(name).run()
    app.text_area(key="say").set_value(text)
    send = next(button for button in app.button if button.label == "Send")
    return sound(send.click().run())


@pytest.fixture
def token(trained):
    return links.make(trained)


def test_a_visitor_reads_types_and_scores_and_finds_nothing_to_change(token, trained):
    app = sound(look(token))
    assert app.title[0].value == "Cells" and "You look by a link" in said(app)
    assert "Right on" in app.header[0].value
    assert app.dataframe[0].value["labeled"].sum() > 0
    own = {"visitor-name", "say-about", "say"}
    assert {key for key in widgets(app) if not str(key).startswith("FormSubmitter")} == own
    assert not app.sidebar.children and "project" not in app.query_params


def test_other_pages_are_not_there(token):
    app = sound(look(token))
    for slug in ("labels", "export", "history", "open"):
        with pytest.raises(ValueError, match=r"Known pages: \[[^,]*look\.py'\]"):
            app.switch_page(f"pages/screens/{slug}.py")


def test_an_address_of_a_project_beside_the_link_opens_the_link_alone(token, trained):
    app = sound(look(token, project=trained))
    assert "You look by a link" in said(app) and "open-example" not in widgets(app)


@pytest.mark.parametrize("wrong", ["x", "x" * 48, "../../etc", "\0", "<b>"])
def test_a_wrong_link_opens_nothing(trained, wrong):
    app = sound(look(wrong))
    assert app.title[0].value == "This link opens nothing" and not widgets(app)
    assert not app.dataframe


def test_a_link_that_is_taken_back_closes_the_open_page(token, trained):
    app = sound(look(token))
    links.revoke(trained, links.links_of(trained)[0].id)
    assert sound(app.run()).title[0].value == "This link opens nothing"


M_DC = "mDC → myeloid dendritic cell"  # as the box offers it


def propose(app, name):
    app.button_group(key="say-what").set_value("Propose a name").run()
    app.selectbox(key="say-name").set_value(name)
    return next(button for button in app.button if button.label == "Propose")


def test_who_gives_no_name_speaks_unsigned_and_cannot_vote(token):
    app = speak(sound(look(token)), "Good", name="")
    assert "unsigned, " in said(app) and "each name has one vote" in said(app)
    click = propose(app, M_DC)
    app.selectbox(key="name-about").set_value(app.selectbox(key="name-about").options[0])
    click.click().run()
    votes = [button for button in sound(app).button if button.label.startswith(("For", "Against"))]
    assert len(votes) == 2 and all(button.disabled for button in votes)


def test_a_comment_is_about_the_whole_data_set_unless_one_says_so(token, trained):
    speak(sound(look(token)), "Well done")
    [item] = remarks.said(workspace(trained)).items
    assert item.subject == remarks.ALL_CELLS


def test_a_name_is_for_nothing_until_one_says_so_and_what_was_typed_stays(token, trained):
    app = sound(look(token))
    propose(app, M_DC).click().run()
    assert "Choose what the name is for" in said(sound(app))
    assert app.selectbox(key="say-name").value == M_DC
    assert not remarks.said(workspace(trained)).items


def test_a_click_after_enter_has_sent_it_is_no_error(token, trained):
    app = sound(look(token))
    click = propose(app, M_DC)
    app.selectbox(key="name-about").set_value(app.selectbox(key="name-about").options[0])
    click.click().run()
    assert app.selectbox(key="say-name").value is None
    next(button for button in app.button if button.label == "Propose").click().run()
    assert not sound(app).error and not app.warning
    app.button_group(key="say-what").set_value("Comment").run()
    next(button for button in app.button if button.label == "Send").click().run()
    assert not sound(app).error
    assert len(remarks.said(workspace(trained)).items) == 1


def test_the_owner_sees_a_proposed_name_beside_the_types_and_takes_it(token, trained, visit):
    opened = workspace(trained)
    about = next(one for one in remarks.subjects(opened) if one.name == "Dendritic")
    remarks.propose(opened, about, "mDC", "Vera")
    [item] = remarks.said(opened).items
    assert "1 remark of colleagues" in said(visit("open", trained))
    app = sound(visit("labels", trained))
    app.button(key=f"said-take-types-{item.id}").click().run()
    assert "mDC" in workspace(trained).labels().active and not sound(app).error
    assert not remarks.said(opened).n_open
    edit.undo(opened)
    assert "Dendritic" in opened.labels().active


def test_a_proposed_name_is_dismissed(token, trained, visit):
    opened = workspace(trained)
    about = next(one for one in remarks.subjects(opened) if one.name == "Dendritic")
    remarks.propose(opened, about, "mDC")
    [item] = remarks.said(opened).items
    app = sound(visit("labels", trained))
    assert app.button(key=f"said-done-types-{item.id}").label == "Dismiss"
    app.button(key=f"said-done-types-{item.id}").click().run()
    assert "Dendritic" in opened.labels().active and not remarks.said(opened).n_open


def test_a_visitor_comments_proposes_and_votes_and_the_owner_reads_it(token, trained, visit):
    app = speak(sound(look(token)), "Some <b>are</b> **pDC**")
    assert "Some <b>are</b> **pDC**" in said(app) and "Vera (name not checked)" in said(app)
    click = propose(app, M_DC)
    app.selectbox(key="name-about").set_value(app.selectbox(key="name-about").options[0])
    click.click().run()
    assert "For: 1" in [button.label for button in sound(app).button]  # who proposes is for it
    next(button for button in app.button if button.label == "For: 1").click().run()
    assert "For: 0" in [button.label for button in sound(app).button]
    next(button for button in app.button if button.label == "Against: 0").click().run()
    assert {"For: 0", "Against: 1"} <= {button.label for button in sound(app).button}
    for page in ("labels", "review"):
        owner = sound(visit(page, trained))
        assert any(part.label == "What colleagues said: 2 open" for part in owner.expander)
        assert "myeloid dendritic cell" in said(owner) and "0 for, 1 against" in said(owner)
    first = next(button for button in owner.button if button.label == "Done")
    first.click().run()
    assert any(part.label == "What colleagues said: 1 open" for part in sound(owner).expander)


def test_where_nothing_was_said_the_owner_reads_nothing(trained, visit):
    app = sound(visit("labels", trained))
    assert not [part for part in app.expander if "colleagues" in part.label]


def test_who_used_a_link_stands_beside_it(token, trained):
    app = sound(look(token))
    app.text_input(key="visitor-name").set_value("Vera").run()
    sound(app.run())
    [link] = links.links_of(trained)
    assert [(v.name, v.times) for v in link.visitors] == [("", 1), ("Vera", 1)]


def test_what_was_spoken_of_last_is_offered_next_in_the_other_form_too(token):
    app = sound(look(token))
    chosen = next(one for one in app.selectbox(key="say-about").options if "Dendritic" in one)
    app.selectbox(key="say-about").set_value(chosen)
    app.text_area(key="say").set_value("Too many?")
    sound(next(button for button in app.button if button.label == "Send").click().run())
    assert app.selectbox(key="say-about").value.name == "Dendritic"
    app.button_group(key="say-what").set_value("Propose a name").run()
    assert app.selectbox(key="name-about").value.name == "Dendritic"


def test_the_owner_makes_a_link_and_takes_it_back(visit, trained):
    app = sound(visit("open"))
    app.button(key=f"link-{trained}").click().run()
    assert "for others the link works once" in said(sound(app))
    app.button(key=f"link-make-{trained}").click().run()
    [code] = sound(app).code
    again = app.button(key=f"link-make-{trained}")
    assert again.label == "Make another link" and again.proto.type == "secondary"
    token = code.value.partition("?view=")[2]
    assert sound(look(token)).title[0].value == "Cells"
    [link] = links.links_of(trained)
    app.button(key=f"link-revoke-{link.id}").click().run()
    assert "opens nothing any more" in said(sound(app))
    assert look(token).title[0].value == "This link opens nothing"


def test_projects_without_model_map_or_labels_are_looked_at(project, labeled):
    assert project == labeled
    app = sound(look(links.make(labeled)))
    assert "There is no model yet" in said(app) and "predicted" not in app.dataframe[0].value
    edit.undo(workspace(project))
    assert sound(look(links.make(project))).title[0].value == "Cells"


def test_hostile_names_are_shown_as_they_are(trained, token):
    opened = workspace(trained)
    name = "<img src=x> **B** $x$"
    edit.rename(opened, "Dendritic", name)
    about = next(one for one in remarks.subjects(opened) if one.name == name)
    remarks.comment(opened, about, "x", name)
    remarks.propose(opened, about, "[a](http://x)", name)
    app = sound(look(token))
    shown = "\n".join(everything(app))
    assert shown.count(md(name)) >= 4 and md("[a](http://x)") in shown
    assert name not in shown and "[a](" not in shown
