"""Every bad input of the inventory ends as it has to, or is covered elsewhere and says where."""

import re

import numpy as np
import pytest

from tests import ROOT
from tests.data.intake.damage.bad_cases import CASES, ELSEWHERE
from tests.data.intake.damage.bad_inputs import counts
from tests.data.intake.outcomes import deviations

N_NUMBERS = 102


@pytest.mark.parametrize("bad", CASES, ids=lambda bad: f"{bad.number}-{bad.name}")
def test_a_bad_input_ends_as_it_has_to(bad, tmp_path):
    expected = counts().sum(axis=1, dtype=np.float64) if bad.same else None
    totals = None if expected is None else lambda _: expected
    (tmp_path / "in").mkdir()
    path = bad.make(tmp_path / "in")
    assert deviations(path, tmp_path / "out" / "ds", bad.outcome, totals) == []


def test_every_number_of_the_inventory_has_a_place():
    assert {bad.number for bad in CASES} | set(ELSEWHERE) == set(range(1, N_NUMBERS + 1))


@pytest.mark.parametrize("number", ELSEWHERE)
def test_a_number_tested_elsewhere_is_tested_there(number):
    where = ELSEWHERE[number]
    if where.startswith("not: "):
        return
    file, name = where.split("::")
    assert re.search(rf"^def {name}\(", (ROOT / file).read_text(), re.MULTILINE)
