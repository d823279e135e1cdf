"""What the evidence of a card says, against the same worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from scanvi_core.services.diagnostics import uncertainty
from scanvi_core.services.labels import edit
from scanvi_core.services.review import evidence, queue
from scanvi_core.services.review.evidence import INSIDE, NEIGHBORS, Evidence
from scanvi_core.services.runs import results
from scanvi_core.services.workspace import workspace


@pytest.fixture
def item(trained):
    return queue.queue(workspace(trained))[0]


def distances(project, item):
    found = results.current(workspace(project))
    z1 = found.run.array(results.Z1)
    return ((z1 - z1[item.rows].mean(axis=0)) ** 2).sum(axis=1), found.run.array("y")


def test_the_neighbors_are_the_nearest_labeled_cells(trained, item):
    away, y = distances(trained, item)
    away[y < 0] = np.inf
    nearest = np.argsort(away, kind="stable")[:NEIGHBORS]
    names = np.array(results.current(workspace(trained)).names)[y[nearest]]
    told = evidence.of(workspace(trained), item).neighbors
    assert dict(told.to_numpy()) == pd.Series(names).value_counts().to_dict()
    assert told["cells"].is_monotonic_decreasing


def test_labels_in_the_midst_of_the_group_are_told_apart_by_type(trained, item):
    away, y = distances(trained, item)
    radius = np.quantile(away[item.rows], INSIDE)
    names = np.array(results.current(workspace(trained)).names)[y[(y >= 0) & (away <= radius)]]
    told = evidence.of(workspace(trained), item).inside
    assert dict(told.to_numpy()) == pd.Series(names).value_counts().to_dict()


def made(**tables):
    nothing = {"type": [], "cells": []}
    given = {name: pd.DataFrame(tables.get(name, nothing)) for name in ("neighbors", "inside")}
    return Evidence(pd.DataFrame(), "", "", pd.DataFrame(), quality=pd.DataFrame(), **given)


def test_the_effect_says_what_becomes_of_labels_that_say_otherwise():
    found = made(inside={"type": ["B", "NK", "T"], "cells": [5, 2, 1]})
    assert found.effect("B", 312) == (
        "312 cells will have this name. 3 labeled cells in their midst (NK and others) keep their "
        "labels; the model learns both."
    )
    assert "1 labeled cell in their midst (NK) keeps its label" in made(
        inside={"type": ["NK"], "cells": [1]}
    ).effect("B", 2)
    assert made(inside={"type": ["B"], "cells": [5]}).effect("B", 1) == (
        "1 cell will have this name. No cell in their midst has another label."
    )


@pytest.mark.parametrize(
    ("levels", "cells", "said", "favors"),
    [
        ([1.9, 2.1, 1.8], [28, 2], "Looks like A: 3 of 3 separating genes and 28 of the 30", "A"),
        ([0.1, 0.2, 0.0], [2, 28], "Looks like B: 3 of 3 separating genes and 28 of the 30", "B"),
        (
            [0.1, 0.2, 0.0],
            [28, 2],
            "Mixed signs: 3 of 3 separating genes look like B, 28 of the 30 nearest",
            "",
        ),
        (
            [1.9, 2.1, 1.8],
            [16, 14],
            "Probably A: 3 of 3 separating genes; only 16 of the 30 nearest labeled cells agree.",
            "",
        ),
    ],
)
def test_the_verdict_weighs_genes_and_neighbors(levels, cells, said, favors):
    genes = pd.DataFrame({"gene": list("xyz"), "A": 2.0, "these cells": levels, "B": 0.0})
    near = pd.DataFrame({"type": ["A", "B"], "cells": cells})
    near = near.sort_values("cells", ascending=False, ignore_index=True)
    sentence, best, leans = evidence._verdict(genes, near, "A", "B")
    assert sentence.startswith(said) and best == favors
    assert leans == ("A" if said.startswith("Probably A") else favors)
    assert sentence.endswith("The model says A.") == (favors == "B")


@pytest.mark.parametrize(
    ("levels", "apart", "said"),
    [
        ([2.0, 2.0, 2.0, 0.0, 0.0, 0.0], [2.0] * 6, "6 separating genes taken together look like"),
        (
            [1.8, 1.8, 1.8, 0.0, 0.0, 0.0],
            [2.0, 2.0, 2.0, 0.3, 0.3, 0.3],
            "3 of 6 separating genes, those furthest apart, look like A, 26 of the 30",
        ),
    ],
)
def test_genes_that_are_as_many_on_each_side_support_no_type(levels, apart, said):
    genes = pd.DataFrame({"gene": list("uvwxyz"), "A": apart, "these cells": levels, "B": 0.0})
    near = pd.DataFrame({"type": ["B", "A"], "cells": [26, 4]})
    for first, second in (("A", "B"), ("B", "A")):
        sentence, favors, leans = evidence._verdict(genes, near, first, second)
        assert sentence.startswith(f"Unclear: {said}") and not favors and not leans


def test_without_genes_and_neighbors_the_verdict_says_so():
    none = pd.DataFrame({"type": [], "cells": []})
    assert evidence._verdict(pd.DataFrame(), none, "A", "B")[0].startswith("Nothing separates")


def test_the_quality_is_the_median_here_and_everywhere(trained, item):
    data = workspace(trained).dataset
    told = evidence.of(workspace(trained), item).quality.set_index("measure")
    assert "doublet score" not in told.index  # not looked for yet
    counts = np.asarray(data.totals)
    assert told.loc["counts"].tolist() == [np.median(counts[item.rows]), np.median(counts)]
    assert ("mitochondrial, %" in told.index) == bool(np.any(data.pct_counts_mt))
    assert uncertainty.reasons(workspace(trained)) is None


def test_batches_are_told_with_their_share_of_all_cells(trained, item):
    told = evidence.of(workspace(trained), item).batches
    assert told["cells"].sum() == item.rows.size
    assert told["share"].sum() == pytest.approx(100)
    assert (told["all cells"] <= 100).all()


def test_a_label_given_since_is_among_the_neighbors_of_the_next_cards(trained, item):
    before = evidence.of(workspace(trained), item)
    edit.name_cells(workspace(trained), item.rows[:5], "By hand", "lasso")
    assert evidence.of(workspace(trained), item) is before  # a card in front does not change
