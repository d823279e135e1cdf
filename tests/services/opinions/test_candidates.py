"""What opinions offer for groups of cells: shares, whose, and only what their names mean here."""

import numpy as np
import pytest

from scanvi_core.project import opinions
from scanvi_core.project.opinions import Opinion
from scanvi_core.services.labels import edit
from scanvi_core.services.opinions import candidates, kept, reliability
from scanvi_core.services.workspace import workspace


@pytest.fixture
def opened(project):
    return workspace(project)


def said(opened, codes, names=("B cells", "b", "T"), meant=None, scores=None, name="Other"):
    n = opened.dataset.n_obs
    labels = np.full(n, -1, np.int32)
    labels[: len(codes)] = codes
    sure = np.full(n, np.nan, np.float32)
    if scores is not None:
        sure[: len(scores)] = scores
    meant = {"B cells": "B", "b": "B", "T": "T"} if meant is None else meant
    return opinions.keep(
        opened.project, Opinion(name, names, labels, sure, "column", meant, {"column": "x"})
    )


ROWS = np.arange(4)


def test_names_that_mean_the_same_are_one_type(opened):
    said(opened, [0, 1, 0, 2])
    ((first,),) = candidates.of_groups(opened, [ROWS])
    assert (first.name, first.share, first.whose) == ("B", 0.75, "Other")
    assert np.flatnonzero(candidates.cells_said(opened, "B")).tolist() == [0, 1, 2]


def test_a_name_without_meaning_and_cells_without_a_word_are_not_offered(opened):
    said(opened, [0, 0, 2, -1], meant={"T": "T"})
    assert candidates.of_groups(opened, [ROWS, ROWS + 4]) == [(), ()]
    assert not candidates.cells_said(opened, "B cells").any()


def test_what_is_not_sure_counts_less_and_the_surest_comes_first(opened):
    said(opened, [0, 0, 0, 0], scores=[0.5] * 4)
    said(opened, [2, 2, 2, 2], name="Surer", scores=[0.9] * 4)
    (offers,) = candidates.of_groups(opened, [ROWS])
    assert [(one.name, one.whose) for one in offers] == [("T", "Surer"), ("B", "Other")]
    np.testing.assert_allclose([one.share for one in offers], [0.9, 0.5])


def test_the_revision_changes_with_each_change(opened):
    seen = {kept.revision(opened)}
    own = said(opened, [0])
    seen.add(kept.revision(opened))
    opinions.set_names(opened.project, own.id, {"T": "T"})
    seen.add(kept.revision(opened))
    assert len(seen) == 3 and kept.kept(opened)[0].names == {"T": "T"}
    opinions.remove(opened.project, own.id)
    assert kept.kept(opened) == ()


def test_a_type_that_was_renamed_or_merged_is_meant_by_its_name_of_now(opened):
    edit.start_empty(opened)
    own = said(opened, [0] * 6 + [2] * 6)
    edit.name_cells(opened, np.arange(6), "B", "review")
    edit.name_cells(opened, np.arange(6, 12), "T", "review")

    def right():
        (now,) = kept.kept(opened)
        tracks = reliability.tracks(opened, now)
        return {name: (track.right_decisions, track.decisions) for name, track in tracks.items()}

    assert right() == {"B": (1, 1), "T": (1, 1)}
    edit.rename(opened, "B", "Naive B")
    edit.rename(opened, "Naive B", "B lymphocyte")
    assert right() == {"B lymphocyte": (1, 1), "T": (1, 1)}
    edit.rename(opened, "T", "B lymphocyte")  # merged
    assert right()["B lymphocyte"] == (2, 2) and len(right()) == 1
    for _ in range(3):
        edit.undo(opened)
    assert right() == {"B": (1, 1), "T": (1, 1)}
    assert opinions.read(opened.project, own.id).names == {"B cells": "B", "b": "B", "T": "T"}
