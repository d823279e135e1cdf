"""No part of a file that is something else ends in more than a sentence, nor as a fault of ours.

Every sixtieth bend of each kind of file; all with SCANVI_FUZZ=all (``python -m tests.fuzz``).
"""

import os
import shutil

import pytest

from scanvi_core import errors
from tests.data.intake.damage.bending import KINDS, bends, bent
from tests.data.intake.outcomes import ask

STEP = 1 if os.environ.get("SCANVI_FUZZ") == "all" else 60


def fault_of(reply):
    """Return what is wrong with a reply: an error that is no sentence about the input."""
    failure = reply.get("error")
    if failure is None:
        return None
    kind = getattr(errors, failure["class"], Exception)
    said = issubclass(kind, errors.InputError) and "Error:" not in failure["message"]
    return None if said and failure["hint"] else failure["message"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_that_is_something_else_ends_in_a_sentence(kind, tmp_path):
    for name in ("sound", "bent"):
        (tmp_path / name).mkdir()
    path = KINDS[kind](tmp_path / "sound")
    assert "result" in ask(path, tmp_path / "ds", answers={"modality": "rna"})
    faults = {}
    for bend in bends(path)[::STEP]:
        shutil.rmtree(tmp_path / "ds", ignore_errors=True)
        made = bent(path, tmp_path / "bent", bend)
        fault = fault_of(ask(made, tmp_path / "ds", answers={"modality": "rna"}))
        faults |= {bend: fault} if fault else {}
    assert faults == {}
