"""Explore without a browser: chips of conditions, genes, and rules used again."""

import json
import threading

import numpy as np

from scanvi_core.services import jobs
from scanvi_core.services.explore import gene_tests, rules, selection
from scanvi_core.services.explore.rules import Condition, Rule
from scanvi_core.services.jobs import JobRequest
from scanvi_core.services.labels import edit
from scanvi_core.services.runs.train_request import TRAIN
from scanvi_core.services.workspace import workspace
from tests.pages.conftest import said, tab_of

WAIT_S = 120
HOSTILE = "<img src=x onerror=alert(1)> ![a](http://b/c.png)"


def sound(app):
    assert not app.exception, app.exception
    assert not any("Something went wrong" in error.value for error in app.error)
    return app


def pick(app, project, *steps):
    rule = Rule()
    for operation, term in steps:
        rule = rule.joined([term], operation)
    selection.set_rule(workspace(project), tab_of(app), rule)
    return sound(app.run())


def open_tab(app, name):
    app.session_state["explore-tab"] = name
    return sound(app.run())


def values(project, gene):
    return workspace(project).dataset.gene(gene)


B, T = Condition("gene", "CD79A", low=0.0), Condition("gene", "CD3D", low=0.0)


def test_a_condition_is_added_by_its_gene_and_level(visit, labeled):
    app = sound(visit("explore", labeled))
    app.text_input(key="rule-gene.text").set_value("cd79a").run()
    app.number_input(key="rule-level").set_value(0.5).run()
    app.button(key="rule-add").click().run()
    sound(app)
    n = int((values(labeled, "CD79A") > 0.5).sum())
    assert f"**= {n} cells**" in said(app)
    assert app.button(key="name-cells").label == f"Name {n} cells"
    app.text_input(key="rule-gene.text").set_value("CD3D").run()
    app.segmented_control(key="rule-how").set_value("but not").run()
    app.number_input(key="rule-level").set_value(0.0).run()
    app.button(key="rule-add").click().run()
    both = (values(labeled, "CD79A") > 0.5) & (values(labeled, "CD3D") == 0)
    assert f"**= {both.sum()} cells**" in said(app)


def test_naming_keeps_the_rule_and_drops_the_chips(visit, labeled):
    app = visit("explore", labeled)
    pick(app, labeled, ("replace", B), ("subtract", T))
    app.selectbox(key="picked-name").set_value("Dendritic").run()
    app.button(key="name-cells").click().run()
    sound(app)
    assert rules.logged(workspace(labeled))[0].words == "CD79A over 0 and not CD3D over 0"
    state = workspace(labeled).labels()
    meant = (values(labeled, "CD79A") > 0) & (values(labeled, "CD3D") == 0)
    assert {state.names[code] for code in state.codes[meant]} == {"Dendritic"}
    assert app.selectbox(key="picked-name").value is None  # not for the next cells unasked
    assert "**= " not in said(app)


def test_labels_are_taken_off_the_picked_cells_and_undone(visit, labeled):
    opened = workspace(labeled)
    before = opened.labels().codes.copy()
    app = visit("explore", labeled)
    pick(app, labeled, ("replace", B))
    app.button(key="clear-cells").click().run()
    sound(app)
    mask = values(labeled, "CD79A") > 0
    assert (opened.labels().codes[mask] == -1).all()
    assert (opened.labels().codes[~mask] == before[~mask]).all()
    assert opened.store.events()[-1].kind == "clear"
    app.button(key="undo").click().run()
    assert (opened.labels().codes == before).all()
    edit.clear_cells(opened, mask.nonzero()[0], "lasso")
    pick(app, labeled, ("replace", B))
    assert not any(button.key == "clear-cells" for button in app.button)  # there is none to take


def test_conditions_that_leave_no_cell_name_the_one_to_take_away(visit, labeled):
    app = visit("explore", labeled)
    pick(app, labeled, ("replace", B), ("intersect", Condition("gene", "CD3D", low=9.0)))
    n = (values(labeled, "CD79A") > 0).sum()
    assert "**= 0 cells**" in said(app)
    assert f"Without “CD3D over 9” it would be {n}." in said(app)
    assert app.button(key="name-cells").disabled


def test_a_label_of_hostile_letters_is_shown_and_never_interpreted(visit, labeled):
    edit.rename(workspace(labeled), "CD19+ B", HOSTILE)
    app = visit("explore", labeled)
    pick(app, labeled, ("replace", Condition("label", values=(HOSTILE,))))
    assert app.button(key="name-cells").label != "Name 0 cells"
    for item in (*app.markdown, *app.caption):
        assert HOSTILE not in str(item.value)


def test_a_pasted_list_of_genes_is_drawn_and_what_is_missing_named(visit, labeled):
    app = open_tab(visit("explore", labeled), "Genes")
    app.text_area(key="genes-pasted").set_value("CD3D, lyz NOSUCH")
    next(item for item in app.button if item.label == "Add these genes").click().run()
    sound(app)
    assert "2 of 3 genes found. Not in these data: NOSUCH." in said(app)
    assert len(app.get("plotly_chart")) == 1
    assert list(app.multiselect[0].value) == ["CD3D", "LYZ"]


def test_a_gene_is_suggested_while_typing(visit, labeled):
    app = open_tab(visit("explore", labeled), "Genes")
    app.text_input(key="genes-find").set_value("cd3").run()
    assert any("CD3D" in option for pills in app.get("button_group")
               for option in getattr(pills, "options", []))  # fmt: skip


def test_markers_come_from_a_job_and_are_kept(visit, labeled):
    app = open_tab(visit("explore", labeled), "Genes")
    app.segmented_control(key="genes-view").set_value("Markers of each type").run()
    app.button(key="gene-test").click().run()
    job = [job for job in jobs.list_jobs(labeled) if job.kind == gene_tests.GENE_TEST][-1]
    assert jobs.wait(job.id, WAIT_S).error is None
    sound(app.run())
    app.selectbox(key="markers-of").set_value("CD19+ B").run()
    assert "CD79A" in set(app.dataframe[0].value["gene"][:8])


def test_rules_of_a_file_are_shown_before_they_name_and_what_is_missing_is_said(visit, labeled):
    known = {"label": "New B", "rule": Rule().joined([B], "replace").to_json()}
    lost = {
        "label": "Lost",
        "rule": Rule().joined([Condition("batch", values=("B77",))], "replace").to_json(),
    }
    file = json.dumps({"scanvi_rules": 1, "rules": [known, lost]}).encode()
    app = open_tab(visit("explore", labeled), "Rules")
    app.file_uploader(key="rules-upload").set_value(("rules.json", file, "application/json"))
    sound(app.run())
    table = app.dataframe[0].value
    free = (workspace(labeled).labels().codes < 0) & (values(labeled, "CD79A") > 0)
    assert table["cells"].tolist() == [free.sum(), 0]
    assert "There is no batch B77 here." in table["what does not fit here"][1]
    assert not np.isin("New B", workspace(labeled).labels().active)


def test_pages_of_the_first_model_say_that_it_is_in_training(visit, labeled):
    go_on = threading.Event()
    job = jobs.submit(JobRequest(labeled, TRAIN, "training", lambda _: go_on.wait(60)))
    try:
        for slug in ("explore", "evaluate", "review"):
            told = said(sound(visit(slug, labeled)))
            assert "The first model is in training" in told and "Train to see" not in told
    finally:
        go_on.set()
        jobs.wait(job, WAIT_S)
    assert "No model yet" in said(sound(visit("explore", labeled)))
