"""`scanvi_core.annotate`: the command, on an object in memory."""

import anndata
import numpy as np
import pandas as pd
import pytest

import scanvi_core
from scanvi_core.config import TrainConfig
from scanvi_core.errors import ColumnMissing, InputError

QUICK = TrainConfig(max_epochs=1, device="cpu")


@pytest.fixture
def adata(example):
    cells = anndata.read_h5ad(example)[:150].copy()
    cells.obs["known"] = cells.obs["cell_type"].astype(str).where(np.arange(150) % 2 > 0, "?")
    return cells


def test_the_object_gets_the_columns_of_the_export_and_keeps_its_own(adata):
    before = adata.obs.copy()
    counts = adata.X.copy()
    summary = scanvi_core.annotate(
        adata, labels_key="known", unlabeled_categories=["?"], train=QUICK
    )
    assert summary["n_cells"] == 150
    assert {"cell_type_curated", "scanvi_prediction", "scanvi_confidence"} <= set(adata.obs)
    assert {"X_scANVI", "X_umap_scANVI", "scanvi_probabilities"} <= set(adata.obsm)
    assert "scanvi" in adata.uns
    pd.testing.assert_frame_equal(adata.obs[before.columns].astype(str), before.astype(str))
    assert (counts != adata.X).sum() == 0


def test_a_second_annotation_replaces_the_first(adata):
    for _ in range(2):
        scanvi_core.annotate(adata, labels_key="known", unlabeled_categories=["?"], train=QUICK)
        adata.obs["scanvi_confidence"] = np.asarray(adata.obs["scanvi_confidence"], float)
        assert adata.obs["scanvi_confidence"].max() <= 1
        adata.obs["scanvi_confidence"] = 7.0


def test_a_column_that_is_not_there_is_said(adata):
    with pytest.raises(ColumnMissing, match="kind"):
        scanvi_core.annotate(adata, labels_key="kind", train=QUICK)


def test_cells_of_one_name_are_refused(adata):
    adata.obs_names = ["same"] * adata.n_obs
    with pytest.raises(InputError, match="same name"):
        scanvi_core.annotate(adata, labels_key="known", train=QUICK)


def test_what_no_file_can_hold_is_refused_in_a_sentence(adata):
    adata.uns["odd"] = object()
    with pytest.raises(InputError, match="cannot hold"):
        scanvi_core.annotate(adata, labels_key="known", train=QUICK)


def test_ids_of_the_ontology_are_added_and_the_objects_own_stay(adata):
    for own in (None, "CL:0000000"):
        if own:
            adata.obs["cell_type_ontology_term_id"] = own
            del adata.obs["cell_type_source"]  # as an object that was never annotated
        for _ in range(2):
            scanvi_core.annotate(
                adata, labels_key="known", unlabeled_categories=["?"], train=QUICK
            )
        name = "cell_type_curated" if own else "cell_type"
        ids = adata.obs[f"{name}_ontology_term_id"].astype(object)
        assert (ids[adata.obs["cell_type_curated"] == "Dendritic"] == "CL:0000451").all()
        assert own is None or (adata.obs["cell_type_ontology_term_id"] == own).all()
