"""An import tells how far it is, and one that is stopped leaves nothing behind."""

import numpy as np
import pandas as pd
import pytest

from scanvi_core.data.blocks import progress
from scanvi_core.data.dataset import Dataset
from scanvi_core.data.intake.import_file import import_file
from scanvi_core.errors import (
    ImportStopped,
)
from tests.data.intake.stored import SHAPES, make

pytestmark = pytest.mark.usefixtures("fresh_children")


def test_an_import_tells_how_far_it_is(tmp_path):
    make(tmp_path / "x.h5ad", SHAPES[0])
    told = []
    import_file(tmp_path / "x.h5ad", tmp_path / "ds", report=lambda *now: told.append(now))
    shares = [share for share, _ in told]
    assert shares == sorted(shares) and shares[0] == 0 and 0.9 < shares[-1] <= 1
    stages = dict.fromkeys(words for _, words in told)
    expected = ("CHECKING", "READING", "LOOKING", "COPYING", "TURNING", "FINISHING")
    assert list(stages) == [getattr(progress, name).words for name in expected]


@pytest.mark.parametrize("when", ["Checking the file", "Copying the counts"])
def test_a_canceled_import_leaves_nothing(tmp_path, when):
    folder = tmp_path / "project"
    make(tmp_path / "x.h5ad", (3_000, 400))
    seen = set()
    with pytest.raises(ImportStopped, match="Nothing was kept"):
        import_file(
            tmp_path / "x.h5ad",
            folder / "ds",
            report=lambda _, words: seen.add(words),
            should_stop=lambda: when in seen,
        )
    assert list(folder.iterdir()) == []


def test_a_canceled_import_leaves_the_earlier_copy(tmp_path):
    make(tmp_path / "x.h5ad", SHAPES[0])
    before = import_file(tmp_path / "x.h5ad", tmp_path / "project" / "ds")
    with pytest.raises(ImportStopped):
        import_file(tmp_path / "x.h5ad", tmp_path / "project" / "ds", should_stop=lambda: True)
    assert Dataset.open(tmp_path / "project" / "ds").manifest == before
    assert [path.name for path in (tmp_path / "project").iterdir()] == ["ds"]


def test_a_canceled_import_of_a_table_leaves_no_half_file_beside_the_users(tmp_path):
    source = tmp_path / "project" / "source"
    source.mkdir(parents=True)
    table = pd.DataFrame(
        np.random.default_rng(0).poisson(1, (200, 90)),
        index=[f"cell{i}" for i in range(200)],
        columns=[f"GENE{i}" for i in range(90)],
    )
    table.to_csv(source / "x.csv")
    seen = set()
    with pytest.raises(ImportStopped):
        import_file(
            source / "x.csv",
            tmp_path / "project" / "ds",
            answers={"orientation": "cells-in-rows"},
            report=lambda _, words: seen.add(words),
            should_stop=lambda: "Looking for counts" in seen,
        )
    assert [path.name for path in source.iterdir()] == ["x.csv"]
