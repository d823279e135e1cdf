"""The list of types that visitors see."""

import numpy as np

from scanvi_core.colors import type_color
from scanvi_core.services.explore import colors
from scanvi_core.services.export.cellxgene import form
from scanvi_core.services.labels import edit
from scanvi_core.services.runs import results
from scanvi_core.services.viewing import types_seen
from scanvi_core.services.workspace import workspace


def test_types_have_their_cells_and_the_color_of_the_map(trained):
    opened = workspace(trained)
    table = types_seen.types(opened).set_index("type")
    state, predictions = opened.labels(), results.current(opened)
    assert table["labeled"].to_dict() == {name: state.counts[name] for name in state.active}
    for code, name in enumerate(predictions.names):
        assert table.loc[name, "predicted"] == np.count_nonzero(predictions.prediction == code)
        assert table.loc[name, "color"] == type_color(colors.type_colors(opened)[name])
    assert table["predicted"].is_monotonic_decreasing


def test_a_type_of_labels_alone_is_listed_too(trained):
    opened = workspace(trained)
    edit.name_cells(opened, np.arange(4), "Brand new", "lasso")
    assert types_seen.types(opened).set_index("type").loc["Brand new", "labeled"] == 4


def test_without_a_model_nothing_is_predicted(labeled):
    opened = workspace(labeled)
    table = types_seen.types(opened)
    assert "predicted" not in table and table["labeled"].sum() > 0
    assert types_seen.ways_to_color(opened) == [colors.LABEL]


def test_terms_are_those_of_the_export(labeled):
    opened = workspace(labeled)
    made = form.draft(opened)
    form.save(
        opened, form.Submission(columns=made.columns, cell_types={"Dendritic": "CL:0000451"})
    )
    table = types_seen.types(opened).set_index("type")
    assert table.loc["Dendritic", "term"] == "CL:0000451"


def test_no_types_are_an_empty_list(project):
    assert types_seen.types(workspace(project)).empty
