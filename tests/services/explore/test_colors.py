"""Colors that say what they are: gray for unknown, no names on a map for what is no place."""

import numpy as np

from scanvi_core import keys
from scanvi_core.services.explore import colors, picked_cells, selection
from scanvi_core.services.explore.rules import Condition, Rule
from scanvi_core.services.labels import edit
from scanvi_core.services.workspace import workspace


def test_the_verdict_unknown_is_gray_and_other_types_are_not(labeled):
    opened = workspace(labeled)
    edit.name_cells(opened, np.arange(5), keys.UNKNOWN, "lasso")
    places = colors.type_colors(opened)
    assert places[keys.UNKNOWN] == colors.GRAY
    assert all(place >= 0 for name, place in places.items() if name != keys.UNKNOWN)


def test_only_types_and_clusters_are_places_on_a_map(labeled):
    opened = workspace(labeled)
    places = (colors.LABEL, "cell_type", "louvain")
    assert all(colors.coloring(opened, what).is_place for what in places)
    others = (colors.QUALITY, colors.SOURCE, colors.HELD_OUT, "batch")
    assert not any(colors.coloring(opened, what).is_place for what in others)


def test_picked_cells_are_told_by_their_labels_and_markers(labeled):
    opened = workspace(labeled)
    rule = Rule().joined([Condition("gene", "MS4A1", low=0.0)], "replace")
    selection.set_rule(opened, "tab", rule)
    told = picked_cells.about(opened, selection.selection(opened, "tab"))
    assert "MS4A1" in told.markers and len(told.markers) <= picked_cells.MARKERS
    assert told.labels.startswith("CD19+ B ")


def test_a_scale_ends_before_a_few_values_that_would_flatten_the_rest():
    values = np.random.default_rng(0).random(10_000)
    assert colors.value_range(values) == (values.min(), values.max())
    values[3] = 1_000
    assert colors.value_range(values)[1] < 1.01
    rare = np.zeros(10_000)
    rare[5] = 2.0  # a gene of one cell in ten thousand
    assert colors.value_range(rare) == (0.0, 2.0)
    assert colors.value_range(np.full(3, np.nan)) == (0.0, 1.0)
