"""What opinions offer for groups of cells: shares, whose, and only what their names mean here."""

import numpy as np
import pytest

from scanvi_core.project import opinions
from scanvi_core.project.opinions import Opinion
from scanvi_core.services.opinions import candidates
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
    seen = {candidates.revision(opened)}
    kept = said(opened, [0])
    seen.add(candidates.revision(opened))
    opinions.set_names(opened.project, kept.id, {"T": "T"})
    seen.add(candidates.revision(opened))
    assert len(seen) == 3 and candidates.kept(opened)[0].names == {"T": "T"}
    opinions.remove(opened.project, kept.id)
    assert candidates.kept(opened) == []
