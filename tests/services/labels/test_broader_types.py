import numpy as np

from scanvi_core.services.labels import broader_types, edit
from scanvi_core.services.workspace import workspace


def test_the_tree_is_told_from_above_with_the_cells_of_each_name(labeled):
    opened = workspace(labeled)
    assert broader_types.tree_lines(opened) == ()
    above = {
        "CD8+ Cytotoxic T": ("T cell",),
        "CD56+ NK": ("lymphocyte",),
        "T cell": ("lymphocyte",),
    }
    edit.set_parents(opened, above)
    edit.name_cells(opened, np.flatnonzero(opened.labels().codes < 0)[:7], "T cell", "lasso")
    lines = [(line.depth, line.name) for line in broader_types.tree_lines(opened)]
    at = lines.index((0, "lymphocyte"))
    assert set(lines[at : at + 4]) == {
        (0, "lymphocyte"), (1, "CD56+ NK"), (1, "T cell"), (2, "CD8+ Cytotoxic T"),
    }  # fmt: skip
    counts = {line.name: line.n_cells for line in broader_types.tree_lines(opened)}
    assert counts["T cell"] == 7 and counts["lymphocyte"] == 0
    assert counts["CD56+ NK"] == opened.labels().counts["CD56+ NK"] > 0


def test_what_the_ontology_proposes_is_added_to_what_was_said_as_one_step(labeled):
    opened = workspace(labeled)
    edit.rename(opened, "CD56+ NK", "natural killer cell")
    edit.rename(opened, "CD19+ B", "B cell")
    edit.rename(opened, "CD8+ Cytotoxic T", "T cell")
    edit.set_parents(opened, {"T cell": ("mine",)})
    found = broader_types.propose(opened)
    assert found.parents["B cell"] == found.parents["natural killer cell"] == ("lymphocyte",)
    assert "T cell" not in found.parents and "lymphocyte" in found.broader
    assert "CD34+" in found.without_term
    broader_types.take(opened, found)
    assert opened.labels().parents == {"T cell": ("mine",), **found.parents}
    assert not broader_types.propose(opened).parents
    edit.undo(opened)
    assert opened.labels().parents == {"T cell": ("mine",)}


def test_a_type_of_many_broader_ones_does_not_make_endless_lines(labeled):
    steps = {f"{i}{side}": (f"{i + 1}a", f"{i + 1}b") for i in range(40) for side in "ab"}
    edit.set_parents(workspace(labeled), {"CD34+": ("0a", "0b"), **steps})
    assert len(broader_types.tree_lines(workspace(labeled))) == broader_types.MOST_LINES
