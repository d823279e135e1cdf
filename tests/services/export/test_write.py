"""The annotated copy and the table beside it."""

import json

import anndata
import numpy as np
import pandas as pd
import pytest

from scanvi_core import keys
from scanvi_core.colors import type_color
from scanvi_core.config import LOW_CONFIDENCE
from scanvi_core.errors import ExportError, InputError
from scanvi_core.services import jobs
from scanvi_core.services.diagnostics import uncertainty, uncertainty_job
from scanvi_core.services.explore import colors
from scanvi_core.services.export import write
from scanvi_core.services.export.write import ExportChoice
from scanvi_core.services.foreground import ForegroundJob
from scanvi_core.services.jobs import JobStatus
from scanvi_core.services.labels import edit
from scanvi_core.services.projects.open_file import import_into
from scanvi_core.services.runs import results
from scanvi_core.services.workspace import workspace


def source(project):
    return anndata.read_h5ad(workspace(project).dataset.manifest["source"]["path"])


@pytest.fixture
def written(trained, tmp_path):
    return write.write(workspace(trained), ExportChoice(threshold=0.6), tmp_path / "out.h5ad")


def test_the_users_part_is_untouched_and_ours_is_the_models(trained, written):
    original, result = source(trained), anndata.read_h5ad(written)
    assert (original.X != result.X).nnz == 0
    pd.testing.assert_frame_equal(result.obs[list(original.obs)], original.obs)
    assert np.array_equal(result.obsm["X_umap"], original.obsm["X_umap"])
    found = results.current(workspace(trained))
    assert np.array_equal(result.obsm[keys.PROBABILITIES], found.probabilities)
    assert np.array_equal(result.obsm[keys.LATENT_Z1], found.run.array("z1"))
    assert np.array_equal(result.obs[keys.CONFIDENCE], found.confidence)
    assert (result.obs[keys.HOLDOUT] == found.holdout).all()
    labels, sources = results.final_labels(workspace(trained), threshold=0.6)
    assert (result.obs[keys.CURATED].astype(object).fillna("") == labels).all()
    assert (result.obs[keys.SOURCE] == sources).all()


def test_below_the_threshold_a_cell_keeps_no_label(trained, written):
    result = anndata.read_h5ad(written).obs
    doubtful = (result[keys.CONFIDENCE] < 0.6) & result["cell_type"].isna()
    assert doubtful.any() and result[keys.CURATED][doubtful].isna().all()
    assert (result[keys.SOURCE][doubtful] == keys.UNLABELED).all()


def test_the_table_beside_says_the_same_as_the_file(trained, written):
    table = pd.read_csv(write.csv_beside(written), index_col="barcode", dtype=str)
    result = anndata.read_h5ad(written).obs
    assert table.index.tolist() == result.index.tolist()
    for name in (keys.CURATED, keys.SOURCE, keys.PREDICTION):
        told = result[name].astype(object).fillna("")
        assert (table[name].fillna("") == told).all(), name


def test_the_record_and_the_log_are_json(trained, written):
    uns = anndata.read_h5ad(written).uns
    record = json.loads(uns[keys.UNS_RECORD], parse_constant=pytest.fail)
    assert record["run"]["label_order"] == list(results.current(workspace(trained)).names)
    assert [json.loads(line)["kind"] for line in uns[keys.UNS_LOG]] == ["import", "holdout"]


def test_exporting_an_export_adds_numbered_columns(trained, written, home, tmp_path):
    from scanvi_core.project.folder import create_project

    again = import_into(create_project("Again"), written).project.id
    edit.use_column(workspace(again), keys.CURATED, set())
    second = write.write(workspace(again), ExportChoice(), tmp_path / "second.h5ad")
    first, result = anndata.read_h5ad(written).obs, anndata.read_h5ad(second).obs
    assert result[keys.CURATED].equals(first[keys.CURATED])
    assert {f"{keys.CURATED}_2", f"{keys.SOURCE}_2"} <= set(result)
    assert f"{keys.CURATED}_2_colors" in anndata.read_h5ad(second).uns
    third = write.write(workspace(again), ExportChoice(replace=True), tmp_path / "third.h5ad")
    assert f"{keys.CURATED}_2" not in anndata.read_h5ad(third).obs


def test_replacing_never_takes_a_column_the_user_brought(trained, tmp_path):
    with pytest.raises(InputError, match="column cell_type of its own"):
        write.write(
            workspace(trained), ExportChoice("cell_type", replace=True), tmp_path / "o.h5ad"
        )
    assert not (tmp_path / "o.h5ad").exists()


@pytest.mark.parametrize("key", [keys.SOURCE, keys.PREDICTION, keys.HOLDOUT])
def test_the_labels_cannot_take_the_name_of_another_column(trained, tmp_path, key):
    with pytest.raises(InputError, match="with other content"):
        write.write(workspace(trained), ExportChoice(key), tmp_path / "o.h5ad")
    with pytest.raises(InputError, match="with other content"):
        write.start(workspace(trained), ExportChoice(key))


def test_the_column_of_labels_can_be_named(trained, tmp_path):
    path = write.write(workspace(trained), ExportChoice("my types"), tmp_path / "o.h5ad")
    assert "my types" in anndata.read_h5ad(path).obs


def test_counts_can_be_added(labeled, tmp_path):
    path = write.write(workspace(labeled), ExportChoice(with_counts=True), tmp_path / "o.h5ad")
    result = anndata.read_h5ad(path)
    assert (result.layers["counts"] != workspace(labeled).dataset.counts).nnz == 0


def test_labels_alone_can_be_exported(labeled, tmp_path):
    result = anndata.read_h5ad(
        write.write(workspace(labeled), ExportChoice(), tmp_path / "o.h5ad")
    )
    assert keys.PREDICTION not in result.obs
    assert result.obs[keys.CURATED].astype(object).equals(result.obs["cell_type"].astype(object))


def test_with_nothing_to_export_nothing_is_written(project, tmp_path):
    with pytest.raises(ExportError, match="nothing to export"):
        write.write(workspace(project), ExportChoice(), tmp_path / "o.h5ad")
    assert not (tmp_path / "o.h5ad").exists()


def test_the_preview_counts_where_labels_come_from(trained):
    table = write.source_table(workspace(trained), 0.6).set_index("source")["cells"]
    _, sources = results.final_labels(workspace(trained), threshold=0.6)
    assert table.sum() == 700
    assert table["your file"] == (sources == keys.GIVEN).sum()
    assert table["predictions"] == (sources == keys.PREDICTED).sum()


def test_the_job_leaves_files_that_can_be_fetched_by_name_only(labeled):
    job = jobs.wait(write.start(workspace(labeled), ExportChoice()), 60)
    assert job.status is JobStatus.DONE and job.result == "Cells.annotated.h5ad"
    assert [path.name for path in write.exported_files(workspace(labeled))] == [job.result]
    path = write.exported_file(workspace(labeled), job.result)
    assert write.exported_file(workspace(labeled), write.csv_beside(path).name).is_file()
    for name in ("../project.db", "..", ".hidden", "", "settings.json", "/etc/hostname"):
        with pytest.raises(InputError, match="no such file"):
            write.exported_file(workspace(labeled), name)


def test_types_have_the_colors_of_the_pages(trained, written):
    shown = colors.coloring(workspace(trained), colors.PREDICTION)
    on_page = dict(zip(shown.names, map(type_color, shown.places), strict=True))
    file = anndata.read_h5ad(written)
    for key in (keys.CURATED, keys.PREDICTION):
        names = file.obs[key].cat.categories
        assert list(file.uns[f"{key}_colors"]) == [on_page[name] for name in names]


# Doubt ------------------------------------------------------------------------------------------


def test_doubt_is_written_once_the_model_was_looked_at(trained, written, tmp_path):
    ours = {keys.REASON, keys.NOVELTY, keys.DOUBLET, keys.ISSUE}
    before = anndata.read_h5ad(written).obs  # quality flags need no model
    assert not ours & set(before) and keys.QC_FLAG in before
    run = workspace(trained).current_run()
    uncertainty_job.check_run(workspace(trained), run.id, ForegroundJob(trained, lambda *_: None))
    found = uncertainty.reasons(workspace(trained))
    result = anndata.read_h5ad(
        write.write(workspace(trained), ExportChoice(), tmp_path / "o.h5ad")
    ).obs
    assert (result[keys.REASON] == np.array(uncertainty.REASON_NAMES)[found.reason]).all()
    assert (result[keys.QC_FLAG] == np.array(uncertainty.QC_NAMES)[found.qc]).all()
    for name, array in (
        (keys.NOVELTY, found.novelty),
        (keys.DOUBLET, found.doublet_score),
        (keys.ISSUE, found.issue_score),
    ):
        assert np.array_equal(result[name], array, equal_nan=True), name
    assert {*ours, keys.QC_FLAG} <= write.OUR_COLUMNS


def test_prediction_sets_are_written_when_asked(trained, tmp_path):
    choice = ExportChoice(sets=True)
    result = anndata.read_h5ad(write.write(workspace(trained), choice, tmp_path / "o.h5ad"))
    for text, prediction in zip(
        result.obs[keys.PREDICTION_SET], result.obs[keys.PREDICTION], strict=True
    ):
        assert prediction in text.split(" | ")
    assert result.obs[keys.PREDICTION_SET].nunique() > 10
    table = pd.read_csv(tmp_path / "o.labels.csv", dtype=str)
    assert (table[keys.PREDICTION_SET] == result.obs[keys.PREDICTION_SET].to_numpy()).all()


@pytest.fixture
def with_broader(labeled, train_now, request_brief):
    """A model that knows which types are T cells."""
    names = workspace(labeled).labels().active
    parents = {name: ("T cell",) for name in names if name.startswith(("CD4+", "CD8+"))}
    edit.set_parents(workspace(labeled), parents)
    train_now(labeled, request_brief)
    return labeled, parents


def test_the_broader_type_is_said_where_the_type_is_not_sure(with_broader, tmp_path):
    project, parents = with_broader
    choice = ExportChoice(broader=True)
    result = anndata.read_h5ad(write.write(workspace(project), choice, tmp_path / "o.h5ad")).obs
    found, open_ = results.current(workspace(project)), workspace(project).labels().codes < 0
    in_group = np.array([name in parents for name in found.names])
    p_group = found.probabilities[:, in_group].sum(axis=1)
    sure = found.confidence >= LOW_CONFIDENCE
    said = open_ & ~sure & (p_group >= LOW_CONFIDENCE)
    assert said.sum() > 10
    assert (result[keys.CURATED][said] == "T cell").all()
    assert ((result[keys.SOURCE] == keys.PARENT) == said).all()
    assert ((result[keys.SOURCE] == keys.PREDICTED) == (open_ & sure)).all()
    assert result[keys.CURATED][open_ & ~sure & ~said].isna().all()


def test_the_preview_counts_the_broader_types_that_will_be_said(with_broader):
    opened = workspace(with_broader[0])
    _, sources = write.final_labels(opened, ExportChoice(broader=True))
    table = write.source_table(opened, 0.0, broader=True).set_index("source")["cells"]
    assert (
        table.sum() == 700 and table["predicted broader types"] == (sources == keys.PARENT).sum()
    )
    assert "predicted broader types" not in write.source_table(opened, 0.0)["source"].to_numpy()
