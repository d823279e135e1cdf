"""The report: all that is known, nothing that is not, names as text, no script, no request."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from scanvi_core.annotation.genes import marker_tests
from scanvi_core.errors import ExportError, InputError
from scanvi_core.project.label_log import events
from scanvi_core.services import jobs
from scanvi_core.services.diagnostics import uncertainty
from scanvi_core.services.explore import gene_search, telling_genes
from scanvi_core.services.export import filling, methods, write, written
from scanvi_core.services.export.columns import ExportChoice
from scanvi_core.services.labels import edit
from scanvi_core.services.report import page, source
from scanvi_core.services.report.page import inline, report_html, write_report
from scanvi_core.services.report.parts import NOT_EVALUATED
from scanvi_core.services.runs import provisional, results
from scanvi_core.services.workspace import workspace

HOSTILE = '<script>alert("1")</script> & $B_1$ id="x'
ANNA = "Anna Nowak-Zz"


class Page(HTMLParser):
    """Every tag, every address and all text of a page."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.addresses, self.words, self.ids = set(), [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        for key, value in attrs:
            assert not key.startswith("on")
            if key in ("src", "href", "xlink:href", "data", "action"):
                self.addresses.append(value)
            if key == "id":
                self.ids.append(value)

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.words))


@pytest.fixture
def hostile(trained):
    opened = workspace(trained)
    edit.rename(opened, "CD19+ B", HOSTILE)
    opened.project.update_settings(name="Blood <img src=x onerror=alert(1)>")
    return opened


def test_it_says_what_is_known_of_data_model_and_evaluation(trained):
    opened = workspace(trained)
    text = Page(report_html(opened)).text
    run = opened.current_run()
    manifest, n_aside = opened.dataset.manifest, run.summary["holdout"]["n"]
    known = [manifest["source"]["sha256"], manifest["counts_sha256"], "Counts were taken from X"]
    known += [f"of {n_aside} held-out cells (95 % interval", "doi:10.15252/msb.20209620"]
    known += [f"torch, when the model was trained {run.settings.versions['torch']}"]
    known += [
        methods.paragraph(opened, written.last_choice(opened), planned=True),
        "set 40 cells aside",
        "import 10 labels from cell_type",
    ]
    assert [fact for fact in known if fact not in text] == []
    assert "cells.h5ad" in text and str(opened.dataset.manifest["source"]["path"]) not in text


def test_no_name_becomes_markup_and_nothing_is_loaded(hostile):
    shown = Page(report_html(hostile))
    assert shown.tags.isdisjoint({"script", "img", "iframe", "link", "object", "embed", "form"})
    # in a table, the history and a legend; on a map it is broken, with the markers cut
    assert shown.text.count(HOSTILE) == 3
    assert "Blood <img src=x onerror=alert(1)>" in shown.text
    assert all(re.match(r"#|data:image/png;base64,", address) for address in shown.addresses)


def test_marks_of_figures_do_not_meet(hostile):
    shown = Page(report_html(hostile))
    assert len(shown.ids) == len(set(shown.ids)) > 50
    links = {address[1:] for address in shown.addresses if address.startswith("#")}
    assert links <= set(shown.ids)


def test_without_a_model_it_says_so_in_place_of_numbers(labeled):
    text = Page(report_html(workspace(labeled))).text
    assert f"Accuracy: {NOT_EVALUATED}. There is no model." in text
    assert "No model was trained" in text and "so nothing is doubted" in text
    assert "nan" not in text.casefold().split()


def test_without_labels_it_says_so(project):
    text = Page(report_html(workspace(project))).text
    assert "No cell has a label." in text and "No label was given or changed." in text


def test_a_model_without_labels_set_aside_is_not_evaluated(labeled, train_now, request_brief):
    opened = workspace(labeled)
    opened.store.append(events.holdout(np.empty(0, dtype=int)))
    train_now(labeled, request_brief)
    text = Page(report_html(opened)).text
    assert f"Accuracy: {NOT_EVALUATED}. No labels were set aside" in text
    assert "Reasons for doubt: not looked at yet." in text
    assert "Confusion matrix" not in text


def test_doubts_are_told_once_they_were_looked_for(trained):
    opened = workspace(trained)
    uncertainty.start(opened)
    for job in jobs.list_jobs(trained):
        jobs.wait(job.id, 120)
    n = sum(uncertainty.counts(opened).values())
    assert f"Of {n} cells that nobody labeled" in Page(report_html(opened)).text


def test_in_short_it_says_what_looks_new_and_which_predictions_count(trained, monkeypatch):
    opened = workspace(trained)
    monkeypatch.setattr(filling, "n_novel", lambda *_: 7)
    monkeypatch.setattr(filling.uncertainty, "reasons", lambda _: True)
    short = page._summary(opened, ExportChoice(threshold=0.6), planned=False).parts
    said = [part.text for part in short if part.kind == "text"]
    assert filling.novel_sentence(opened, 0.6) in said and filling.which(opened, 0.6) in said
    facts = next(part.rows for part in short if part.kind == "facts")
    assert facts["predictions"] == str(filling.filling(opened, 0.6).n_cells)


def test_the_labels_are_those_of_the_newest_file(trained):
    opened = workspace(trained)
    level, before = filling.default_level(opened), Page(report_html(opened)).text
    assert written.last_choice(opened).threshold == level
    said = filling.which(opened, level, planned=True)
    assert said in before and "would count as" in before and "No file was written yet." in before
    job = jobs.wait(write.start(opened, ExportChoice(threshold=0.6)), 120)
    after = Page(report_html(opened)).text
    assert filling.which(opened, 0.6) in after and "No file was written yet" not in after
    notes = write.exported_file(opened, job.result).with_suffix(".about.json")
    for damage in ({}, {"threshold": "x", "broader": False}, {"threshold": 0.6, "broader": 1}):
        notes.write_text(json.dumps(damage))
        assert written.last_choice(opened) == ExportChoice()
    notes.write_text(json.dumps({"threshold": 9e9, "broader": False}))
    assert written.last_choice(opened).threshold == filling.NO_PREDICTION


def test_the_few_genes_of_each_type_are_no_ribosomal_ones(trained, monkeypatch):
    ranked = marker_tests.rank_genes
    names = gene_search.index(workspace(trained)).names

    def ribosomal_first(*given, **more):
        table = ranked(*given, **more)
        first = table.groupby("group", sort=False).head(1).assign(gene=0, score=1e9)
        return pd.concat([first, table])

    monkeypatch.setattr(marker_tests, "rank_genes", ribosomal_first)
    monkeypatch.setattr(telling_genes, "housekeeping", lambda _: np.arange(len(names)) == 0)
    text = Page(report_html(workspace(trained))).text
    part = text[text.index("At most 3 genes of each type") : text.index("Levels of these genes")]
    drawn = part[part.index(f"mitochondrial ({names[0]})") + len(names[0]) + 15 :]
    assert names[0] not in drawn
    assert 5 < sum(f" {name} " in part for name in names) <= 3 * 10


def test_one_file_has_no_column_of_references(trained):
    opened = workspace(trained)
    parts = [
        {
            "name": name,
            "n_obs": 350,
            "reference": False,
            "ending": "",
            "source": {"sha256": "a" * 64},
        }
        for name in ("one", "two")
    ]
    opened.dataset.manifest["origin"] = {"name": "joined", "parts": parts}
    columns = page.data.data(opened).parts[-1].columns
    assert columns == ["file", "cells", "SHA-256"]
    parts[0]["reference"] = True
    assert "reference" in page.data.data(opened).parts[-1].columns
    html = report_html(opened)
    assert f'<td class="checksum">{"a" * 64}</td>' in html
    assert f'<dd class="checksum">{opened.dataset.manifest["counts_sha256"]}</dd>' in html


def test_steps_of_the_training_and_of_its_updates_are_told(trained, train_now, request_brief):
    opened = workspace(trained)
    train_now(trained, replace(request_brief, warm=True))
    first, later = (run.summary["steps"] for run in results.finished_runs(opened))
    told = page.model.model(opened).parts[0].rows["steps"]
    assert told == f"{first:,}, then {later:,} by updates"


def test_names_of_people_can_be_left_out(labeled):
    opened = workspace(labeled)
    for event in (events.assign(np.arange(3), "T"), events.note(f"{ANNA} thinks so")):
        opened.store.append(replace(event, actor=ANNA))
    assert report_html(opened).count(ANNA) >= 3
    without = report_html(opened, people=False)
    assert ANNA not in without and "person 2" in without
    assert "assign T to 3 cells" in without


def test_what_was_taken_back_is_no_decision_of_anybody(labeled):
    opened = workspace(labeled)
    edit.name_cells(opened, np.arange(3), "Taken back", "lasso")
    opened.store.undo()
    section = page.decisions.decisions(opened, people=True)
    by_person, steps = section.parts[:2]
    named = [row for row in by_person.rows if row[1] == "named"]
    assert named == []
    assert steps.columns[-1] == "taken back"  # and none that marks each step as verified
    assert [row[-1] for row in steps.rows if "Taken back" in row[3]][-1] == "yes"


def test_making_it_begins_no_work(trained, monkeypatch):
    opened, begun = workspace(trained), []
    edit.name_cells(opened, np.arange(5), "CD56+ NK", "lasso")
    monkeypatch.setattr(provisional, "_begin", lambda *given: begun.append(given))
    monkeypatch.setattr(page.evaluation.holdout_report, "report", lambda _: None)
    assert NOT_EVALUATED in report_html(opened)
    assert begun == [] and jobs.list_jobs(trained) == []


def test_it_takes_the_place_of_a_file_only(labeled, tmp_path):
    opened, target = workspace(labeled), tmp_path / "report.html"
    target.write_text("old", encoding="utf-8")
    write_report(opened, target)
    assert target.read_text(encoding="utf-8").startswith("<!doctype html>")
    with pytest.raises(InputError, match="only a plain file is replaced"):
        write_report(opened, tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        write_report(opened, tmp_path / "nowhere" / "report.html")


def test_a_full_disk_is_a_sentence(labeled, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "no space")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    with pytest.raises(ExportError, match="could not be written"):
        write_report(workspace(labeled), tmp_path / "report.html")
    assert list(tmp_path.glob("*report*")) == []


def test_a_name_in_a_drawing_is_left_as_it_is():
    text = 'url(#a) id="b" href="#c"'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg"><text id="a">{text}</text></svg>'
    assert f'<text id="f-a">{text}</text>' in inline(svg.encode(), "f")


def test_a_project_is_found_by_its_folder_its_id_and_its_name(labeled):
    root = workspace(labeled).project.root
    for named in (str(root), labeled, "Cells"):
        with source.opened(named) as opened:
            assert opened.id == labeled


def test_a_name_that_several_projects_have_is_refused_with_their_ids(labeled, trained):
    with pytest.raises(InputError, match="2 projects are called 'Cells'") as refused:
        source.opened("Cells").__enter__()
    assert labeled in refused.value.hint and trained in refused.value.hint
