"""Files of a project that are damaged after the import: sentences everywhere, no dead process."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scanvi_core import runtime
from scanvi_core.services.projects import library
from tests.services import use_project
from tests.services.use_project import CASES, FINE, OPEN_CASES, OURS

ROOT = Path(__file__).parents[2]
READ_BY = {  # steps that have to notice the damage, of some cases
    "positions far": {"cells", "export", "training"},
    "one position far": {"cells", "export", "training"},
    "one position below": {"cells", "export", "training"},
    "pointers far": {"cells", "export", "training"},
    "positions cut off": {"cells", "training"},
    "cells of genes far": {"training"},
    "cells of genes below": {"training"},
    "totals": {"check", "training"},
    "table": {"check"},
    "manifest": {"overview", "training"},
    "embedding": {"maps"},
    "probabilities": {"results"},
    "weights": {"retraining"},
}


@pytest.fixture(scope="module")
def used(packed, tmp_path_factory):
    """What became of every use of every damaged project, in one process for all of them."""
    base = tmp_path_factory.mktemp("damaged")
    with runtime.home_at(base / "home"):
        project = library.take_in(io.BytesIO(packed))
    command = [sys.executable, "-m", use_project.__name__, project, str(base)]
    about = os.environ | {"SCANVI_HOME": str(base / "home"), "SCANVI_DATA_ROOT": str(base)}
    about |= {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=ROOT, env=about, capture_output=True, text=True, check=False
    )
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    last = found[-1]["case"] if found else "none"
    assert done.returncode == 0, f"it died of what follows {last}: {done.stderr[-3000:]}"
    return {(item["case"], item["opened"]): item["found"] for item in found}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "opened"),
    [*((case, False) for case in CASES), *((case, True) for case in OPEN_CASES)],
)
def test_damage_ends_in_sentences(used, case, opened):
    found = used[case, opened]
    assert not [f"{step}: {said}" for step, said in found.items() if OURS in said]
    if not opened:  # what is open already may have been read before
        unseen = {step for step in READ_BY.get(case, ()) if found[step] == FINE}
        assert not unseen, found
