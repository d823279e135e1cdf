"""Columns of predictions are told from others, with their scores and what those mean."""

import pytest

from scanvi_core.services.opinions.known_columns import known_columns

OTHERS = (
    "cell_type", "batch", "n_counts", "over_clustering", "leiden", "predicted_doublets",
    "predicted_doublet", "doublet_score", "predicted_sex", "mapping.score", "prediction.score.max",
    "popv_prediction_depth", "SingleR.scores.B", "delta.next", "conf_score", "scanvi_confidence",
    "C_scANVI_uncertainty", "_scvi_labels", "phase", "prediction_date",
)  # fmt: skip


def found(*columns):
    return {
        one.column: (one.tool.name, one.score, one.is_unsure)
        for one in known_columns([*columns, *OTHERS])
    }


@pytest.mark.parametrize(
    ("columns", "tool", "score", "is_unsure"),
    [
        (["predicted_labels"], "CellTypist", "conf_score", False),
        (["majority_voting"], "CellTypist", "conf_score", False),
        (["celltypist_cell_label"], "CellTypist", "conf_score", False),
        (["predicted.celltype.l2", "predicted.celltype.l2.score"], "Azimuth",
         "predicted.celltype.l2.score", False),
        (["predicted_celltype_l1", "predicted_celltype_l1_score"], "Azimuth",
         "predicted_celltype_l1_score", False),
        (["predicted.annotation.l1"], "Azimuth", "mapping.score", False),
        (["predicted.id"], "Seurat", "prediction.score.max", False),
        (["popv_prediction", "popv_prediction_score"], "popV", "popv_prediction_score", False),
        (["popv_majority_vote_prediction", "popv_majority_vote_score"], "popV",
         "popv_majority_vote_score", False),
        (["SingleR.labels"], "SingleR", "delta.next", False),
        (["pruned.labels"], "SingleR", "delta.next", False),
        (["C_scANVI"], "scANVI", "C_scANVI_uncertainty", True),
        (["scanvi_prediction"], "scANVI", "scanvi_confidence", False),
        (["transf_ann_level_3_label", "transf_ann_level_3_uncert"], "scArches",
         "transf_ann_level_3_uncert", True),
        (["cell_type_pred_knn", "cell_type_pred_knn_prob"], "Symphony",
         "cell_type_pred_knn_prob", False),
        (["gpt4_annotation"], "a language model", None, False),
    ],
)  # fmt: skip
def test_a_column_of_a_tool_is_known_with_its_score(columns, tool, score, is_unsure):
    assert found(*columns) == {columns[0]: (tool, score, is_unsure)}


def test_other_columns_are_not_offered():
    assert found() == {}


def test_the_column_to_ask_first_stands_first():
    columns = ["predicted_labels", "majority_voting", "predicted.celltype.l1",
               "predicted.celltype.l3", "predicted.celltype.l2"]  # fmt: skip
    order = [one.column for one in known_columns(columns)]
    assert order[0] == "majority_voting" and order[2] == "predicted.celltype.l2"
