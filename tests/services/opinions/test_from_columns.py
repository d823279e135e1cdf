"""Opinions from columns: what is taken, and what its names come to mean."""

import numpy as np
import pytest

from scanvi_core.errors import ColumnMissing, LabelsUnusable
from scanvi_core.services.labels import edit, from_csv
from scanvi_core.services.labels.names import names_table
from scanvi_core.services.opinions import from_columns, kept, names
from scanvi_core.services.opinions.from_columns import of_file, of_table
from scanvi_core.services.workspace import workspace


@pytest.fixture
def table(project):
    """A table of the first 20 cells, with what two tools say of them."""
    opened = workspace(project)
    lines = ["barcode,predicted_labels,conf_score,C_scANVI,C_scANVI_uncertainty,odd"]
    words = ["B-cells", "Unassigned", "Dendritic"]
    lines += [
        f"{cell},{words[i % 3]},{i / 10},B,{i / 20},{i}"
        for i, cell in enumerate(opened.dataset.obs_names[:20])
    ]
    return from_csv.from_bytes(opened, "said.csv", "\n".join(lines).encode())


def test_a_table_is_an_opinion_of_its_cells_and_silent_of_the_others(project, table):
    opened = workspace(project)
    columns = of_table(table)
    assert [one.column for one in from_columns.fresh(opened, columns)] == [
        "predicted_labels", "C_scANVI",
    ]  # fmt: skip
    made = from_columns.take(opened, columns, "predicted_labels")
    assert made.label_names == ("B-cells", "Dendritic")
    assert made.labels[:3].tolist() == [0, -1, 1] and (made.labels[20:] < 0).all()
    assert made.scores[19] == 1.0 and made.scores[1] == pytest.approx(0.1 / 1.9)
    assert np.isnan(made.scores[20:]).all()
    assert [one.column for one in from_columns.fresh(opened, columns)] == ["C_scANVI"]


def test_doubt_is_one_less_confidence(project, table):
    made = from_columns.take(workspace(project), of_table(table), "C_scANVI")
    np.testing.assert_allclose(made.scores[:20], 1 - np.arange(20) / 20, atol=1e-6)


def test_names_mean_the_types_there_are_and_without_any_become_types(project, table):
    opened = workspace(project)
    first = from_columns.take(opened, of_table(table), "predicted_labels")
    assert first.names == {"B-cells": "B-cells", "Dendritic": "Dendritic"}
    second = from_columns.take(opened, of_table(table), "C_scANVI")
    assert second.names == {"B": "B-cells"}  # as the other calls them
    edit.use_column(opened, "expert_label", set())
    third = from_columns.take(opened, of_file(opened), "cell_type")
    assert set(third.names.values()) == set(third.label_names)


def test_names_are_set_by_hand_and_an_opinion_is_removed(project, table):
    opened = workspace(project)
    made = from_columns.take(opened, of_table(table), "predicted_labels")
    names.save(opened, made, {"B-cells": "Plasma", "Dendritic": ""})
    (now,) = kept.kept(opened)
    assert now.names == {"B-cells": "Plasma"}
    shown = names.table(opened, now).set_index(names_table.OWN)
    assert shown[names_table.HOW].to_dict() == {"B-cells": names.BY_HAND, "Dendritic": names.NONE}
    names.remove(opened, now)
    assert kept.kept(opened) == ()


def test_columns_without_names_are_refused(project, table):
    opened = workspace(project)
    columns = of_table(table)
    assert "odd" not in columns.texts and "predicted_labels" in columns.texts
    with pytest.raises(ColumnMissing):
        from_columns.take(opened, columns, "nothing")
    empty = from_csv.from_bytes(
        opened, "e.csv", f"barcode,a\n{opened.dataset.obs_names[0]},unknown\n".encode()
    )
    with pytest.raises(LabelsUnusable, match="says nothing"):
        from_columns.take(opened, of_table(empty), "a")
