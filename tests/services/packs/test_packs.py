"""A pack written from one project names the cells of another, and the loop goes on from it."""

import io
import json
import zipfile
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from scanvi_core.data.joining.genes import find_genes
from scanvi_core.errors import FileRefused, InputError
from scanvi_core.project import pack as pack_file
from scanvi_core.project.folder import create_project
from scanvi_core.services import jobs
from scanvi_core.services.diagnostics import uncertainty, uncertainty_job
from scanvi_core.services.explore import rules
from scanvi_core.services.explore.rules import Condition, Rule
from scanvi_core.services.export import pack
from scanvi_core.services.foreground import ForegroundJob
from scanvi_core.services.labels import edit, type_terms
from scanvi_core.services.packs import fit, opening, start
from scanvi_core.services.projects import library
from scanvi_core.services.projects.open_file import import_into
from scanvi_core.services.runs import provisional, results, shapes_file
from scanvi_core.services.runs.inputs import inputs_of
from scanvi_core.services.training import train_plan
from scanvi_core.services.workspace import workspace
from tests.projects import train_now
from tests.services.packed import pack_with, read

# of the search for doublets, where it finds none
pytestmark = [
    pytest.mark.filterwarnings("ignore:invalid value encountered in scalar divide"),
    pytest.mark.filterwarnings("ignore:precomputed_knn:UserWarning"),  # of umap, about transform
]


def record_of(packed):
    return json.loads(read(packed, pack_file.RECORD))


def looked(opened):
    """Wait until the reasons for doubt were looked for."""
    job = jobs.wait(uncertainty.latest(opened).id, 300)
    assert job.error is None, job.error


def test_a_pack_names_the_cells_it_comes_from_as_its_own_model(begun, trained, project):
    opened = begun(project)
    ours, theirs = results.current(opened), results.current(workspace(trained))
    assert ours.names == theirs.names
    np.testing.assert_allclose(ours.probabilities, theirs.probabilities, atol=1e-4)
    assert opened.labels().counts == dict.fromkeys(theirs.names, 0)
    assert ours.summary["n_labeled"] == 0 and ours.run.settings.pack == "Cells"


def test_it_holds_no_cell_and_its_file_is_small(packed, trained):
    opened = workspace(trained)
    with zipfile.ZipFile(io.BytesIO(packed)) as file:
        whole = b"".join(file.read(name) for name in file.namelist())
        n_obs, allowed = opened.dataset.n_obs, {len(results.current(opened).names)}
        assert not [name for name in file.namelist() if name.endswith((".npy", ".parquet", ".db"))]
    assert not [name for name in opened.dataset.obs_names if str(name).encode() in whole]
    assert n_obs not in allowed and len(packed) < 20e6
    assert str(opened.project.root).encode() not in whole


def test_it_tells_types_genes_and_what_it_was_made_of(packed, trained):
    record, run = record_of(packed), workspace(trained).current_run()
    assert [each["name"] for each in record["types"]] == list(run.settings.label_names)
    assert all(each["color"].startswith("#") for each in record["types"])
    assert (
        sum(each["labeled"] for each in record["types"])
        == (workspace(trained).labels().codes >= 0).sum()
    )
    assert len(record["symbols"]) == len(record["ids"]) == len(run.settings.genes)
    assert record["data"]["n_obs"] == workspace(trained).dataset.n_obs


def test_doubts_are_found_without_a_label(begun, project):
    opened = begun(project)
    looked(opened)
    seen = uncertainty.reasons(opened)
    assert np.isfinite(seen.novelty).mean() > 0.9
    assert (seen.reason == uncertainty.Reason.AMBIGUOUS).sum() > 0
    assert (seen.reason == uncertainty.Reason.NOVEL).mean() < 0.25  # they are the same cells


def test_the_types_stay_when_it_is_trained_on(begun, project, request_brief):
    opened = begun(project)
    found = results.current(opened)
    named = found.names[:2]
    before = [found.prediction == found.names.index(name) for name in found.names]
    for name in named:
        rows = np.flatnonzero(before[found.names.index(name)])[:12]
        edit.name_cells(opened, rows, name, "lasso")
    assert set(inputs_of(opened).label_names) == set(found.names)
    request = train_plan.update_request(opened)
    assert request.warm
    train_now(project, request)
    now = results.current(opened)
    assert now.run.settings.warm_from == found.run_id
    assert set(now.names) == set(found.names)
    same = np.array(now.names)[now.prediction] == np.array(found.names)[found.prediction]
    assert same.mean() > 0.8  # a small network, trained on in a few steps
    shapes = shapes_file.read(now.run.paths.model)
    assert len(shapes.cells) == len(now.names) and np.isfinite(shapes.middles).any()
    uncertainty_job.check_run(opened, now.run_id, ForegroundJob(project, lambda *_: None))
    seen = uncertainty.reasons(opened)
    assert (seen.reason == uncertainty.Reason.NOVEL).mean() < 0.3


def test_a_first_decision_takes_no_cells_of_types_without_labels(begun, project):
    opened = begun(project)
    found = results.current(opened)
    name = found.names[0]
    edit.name_cells(opened, np.flatnonzero(found.prediction == 0)[:12], name, "lasso")
    provisional.state(opened)
    for job in jobs.list_jobs(f"{opened.id}/{provisional.PROVISIONAL}"):
        jobs.wait(job.id, 60)
    made = provisional.state(opened).newest
    names = np.array(made.predictions.names)
    same = names[made.predictions.prediction] == np.array(found.names)[found.prediction]
    assert same.mean() > 0.95


def test_a_type_that_is_renamed_keeps_its_cells(begun, project):
    opened = begun(project)
    found = results.current(opened)
    edit.rename(opened, found.names[0], "Mine")
    edit.name_cells(opened, np.flatnonzero(found.prediction == 1)[:12], found.names[1], "lasso")
    provisional.state(opened)
    for job in jobs.list_jobs(f"{opened.id}/{provisional.PROVISIONAL}"):
        jobs.wait(job.id, 60)
    made = provisional.state(opened).newest
    mine = np.array(made.predictions.names)[made.predictions.prediction] == "Mine"
    assert (mine == (found.prediction == 0)).mean() > 0.95
    train_now(project, train_plan.update_request(opened))
    now = results.current(opened)
    mine = np.array(now.names)[now.prediction] == "Mine"
    assert (mine == (found.prediction == 0)).mean() > 0.9


def test_a_type_that_is_renamed_or_deleted_is_so_in_the_model(begun, project):
    opened = begun(project)
    first, second = results.current(opened).names[:2]
    edit.rename(opened, first, "Mine")
    edit.delete_type(opened, second)
    names = inputs_of(opened).label_names
    assert "Mine" in names and first not in names and second not in names


def test_labels_of_a_column_leave_the_types_of_the_pack(begun, project):
    opened = begun(project)
    names = results.current(opened).names
    edit.use_column(opened, "cell_type", set())
    assert set(names) <= set(inputs_of(opened).label_names)


def test_the_rules_come_along_and_go_on(trained, project, tmp_path, begun):
    opened = workspace(trained)
    gene = str(opened.dataset.symbols[3])
    rule = Rule().joined([Condition("gene", gene, low=0.0)], "add")
    rules.name_cells(opened, rules.select(opened, rule), "Ruled")
    path = pack.write(opened.current_run(), opened, tmp_path / "r.scanvi-pack.zip")
    other = begun(project, path.read_bytes())
    assert [each.label for each in rules.logged(other)] == ["Ruled"]
    assert rules.logged(other)[0].words == rules.words(rule)


def test_a_project_file_takes_pack_and_rules_along(begun, project):
    opened = begun(project)
    looked(opened)
    with library.save(project).open("rb") as stream:
        there = workspace(library.take_in(stream))
    assert inputs_of(there).label_names == inputs_of(opened).label_names
    assert pack_file.read(there.project) == pack_file.read(opened.project)
    assert shapes_file.read(there.current_run().paths.model) is not None
    copy = workspace(library.duplicate(project))
    assert inputs_of(copy).label_names == inputs_of(opened).label_names
    assert pack_file.read(copy.project) is not None


def test_a_pack_that_is_opened_as_data_is_told_what_it_is(home, example_pack):
    with pytest.raises(FileRefused, match="is a pack: an annotation without cells"):
        import_into(create_project("Cells"), example_pack)


def test_a_project_with_a_model_begins_from_none(packed, trained):
    with pytest.raises(InputError, match="has a model already"):
        opening.look_at(workspace(trained), io.BytesIO(packed))


# Genes ------------------------------------------------------------------------------------------


def with_genes(packed, change):
    """Return the pack with other names of genes."""
    model = json.loads(read(packed, pack_file.ANNOTATOR))
    model["genes"] = change(model["genes"])
    text = json.dumps(model).encode()
    record = record_of(packed)
    record["symbols"], record["ids"] = ([""] * len(model["genes"]) for _ in range(2))
    record["sha256"][pack_file.ANNOTATOR] = pack_file.digest(text)
    changes = {pack_file.ANNOTATOR: text, pack_file.RECORD: json.dumps(record).encode()}
    return pack_with(packed, changes).getvalue()


def test_missing_genes_are_told_and_too_many_refused(packed, project, begun):
    opened = workspace(project)
    few = with_genes(
        packed, lambda genes: [f"odd{i}" if i % 2 else g for i, g in enumerate(genes)]
    )
    opening.look_at(opened, io.BytesIO(few))
    found = fit.fit(opened)
    assert 0.45 < found.share < 0.55 and not found.problem
    assert any("are here (50%)" in note for note in found.notes)
    assert any("less sure" in note for note in found.notes)
    most = with_genes(
        packed, lambda genes: [f"odd{i}" if i % 5 else g for i, g in enumerate(genes)]
    )
    opening.look_at(opened, io.BytesIO(most))
    assert "30% are needed" in fit.fit(opened).problem
    with pytest.raises(FileRefused, match="30% are needed"):
        start.start(opened)


def test_another_species_is_told(packed, project):
    opened = workspace(project)
    mouse = with_genes(packed, lambda genes: [g.capitalize() for g in genes])
    opening.look_at(opened, io.BytesIO(mouse))
    assert "of another species" in fit.fit(opened).problem


def test_names_hold_with_half_of_the_genes(packed, project, trained, begun):
    half = with_genes(
        packed, lambda genes: [f"odd{i}" if i % 2 else g for i, g in enumerate(genes)]
    )
    opened = begun(project, half)
    ours, theirs = results.current(opened), results.current(workspace(trained))
    assert (ours.prediction == theirs.prediction).mean() > 0.8
    assert len(ours.run.settings.genes) == fit_of(half)


def fit_of(packed):
    genes = json.loads(read(packed, pack_file.ANNOTATOR))["genes"]
    return sum(not name.startswith("odd") for name in genes)


def test_genes_are_found_by_ids_of_either_side(packed, project):
    dataset = workspace(project).dataset
    names = [f"ENSG{i:011d}" for i in range(5)]

    versioned = np.array([f"{name}.3" for name in names], dtype=object)
    data = SimpleNamespace(
        var_names=versioned,
        manifest={"symbol_column": None},
        var=pd.DataFrame(index=versioned),
    )
    found = find_genes({"gene names": ["A", "B"], "ids": [names[3], names[1]]}, data)
    assert found.positions.tolist() == [3, 1] and found.named_by == ("ids", "ids")
    assert find_genes({"gene names": [str(dataset.var_names[2])]}, dataset).positions.tolist() == [
        2
    ]


def test_types_bring_their_terms(trained, project, begun, tmp_path):
    maker = workspace(trained)
    type_terms.say(maker, {"CD34+": "CL:0000037", "Dendritic": type_terms.NONE_FITS})
    path = pack.write(maker.current_run(), maker, tmp_path / "made.scanvi-pack.zip")
    opened = begun(project, path.read_bytes())
    terms = opened.labels().terms
    assert terms["CD34+"] == "CL:0000037" and terms["CD14+ Monocyte"] == "CL:0001054"
    assert terms["Dendritic"] == type_terms.NONE_FITS and "CD56+ NK" not in terms
