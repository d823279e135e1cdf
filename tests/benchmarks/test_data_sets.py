"""Benchmarks say which data they need, refuse without them, and stamp what they write."""

import importlib
import json
import os
import re
import runpy
import subprocess
import sys

import pytest

from benchmarks import data_sets, results_file
from benchmarks.accuracy import run as accuracy
from benchmarks.accuracy.__main__ import options, options_of_records
from benchmarks.data_sets.__main__ import MISSING, SAME
from benchmarks.data_sets.content import digest
from benchmarks.data_sets.conversion import FROM_SCANPY, convert
from benchmarks.results_file import Result
from tests import ROOT, SHARED

NEEDED = {  # module and the arguments it needs
    "accuracy": [], "accuracy.references": ["FOLDER"], "speed.answer": [], "speed.step": [],
    "speed.retrain": [], "speed.refit": ["FOLDER"], "quality.doubt": [], "quality.dispersion": [],
    "quality.packs": [], "quality.markers": ["FOLDER"], "quality.opinions": ["FOLDER"],
    "quality.review": ["FOLDER"], "quality.stopping": ["FOLDER"], "quality.updates": ["FOLDER"],
}  # fmt: skip
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in sorted((ROOT / "benchmarks").rglob("*.py"))
    if path.stem != "__init__" and not {"outside", "reference"} & set(path.parts)
]
NOT_OURS = {"benchmarks.speed.step.scvi_tools"}  # runs in the environment of scvi-tools


@pytest.mark.parametrize("module", [name for name in MODULES if name not in NOT_OURS])
def test_every_benchmark_can_be_imported(module):
    importlib.import_module(module)


def results():
    return {path: path.read_bytes() for path in results_file.FOLDER.rglob("*") if path.is_file()}


def refused(module, monkeypatch, *arguments):
    """Run a benchmark here; return the sentence it ends with."""
    monkeypatch.setenv(data_sets.VARIABLE, "")  # what an option sets is taken back
    monkeypatch.setattr(sys, "argv", [module, *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(f"benchmarks.{module}", run_name="__main__", alter_sys=False)
    return str(ended.value)


def started(module, *arguments, cwd=ROOT, **variables):
    return subprocess.run(
        [sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments)],
        capture_output=True, text=True, cwd=cwd, check=False, timeout=120,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | variables,
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*found in sys.modules after import:RuntimeWarning")
@pytest.mark.parametrize("module", NEEDED)
def test_without_the_data_a_benchmark_says_so_and_writes_nothing(module, tmp_path, monkeypatch):
    before = results()
    given = [tmp_path / "kept" if word == "FOLDER" else word for word in NEEDED[module]]
    if module == "accuracy":  # there is nothing to do where all has been measured
        given += ["--results", tmp_path / "results"]
    said = refused(module, monkeypatch, *given, "--data", tmp_path)
    assert re.match(rf"{tmp_path} has no [\w, .]+\.h5ad\. Name the folder with --data or ", said)
    assert results() == before
    assert not list(tmp_path.rglob("*.json*"))


def test_the_folder_is_that_of_the_option_else_of_the_variable(monkeypatch, tmp_path):
    monkeypatch.delenv(data_sets.VARIABLE, raising=False)
    assert data_sets.folder() == data_sets.DEFAULT
    monkeypatch.setenv(data_sets.VARIABLE, str(tmp_path / "variable"))
    assert data_sets.folder() == tmp_path / "variable"
    asked = options().parse_args(["--data", str(tmp_path / "option")])
    assert data_sets.folder() == tmp_path / "option" == asked.data


def test_the_set_that_scanpy_ships_is_made_as_it_was_measured(monkeypatch, tmp_path):
    monkeypatch.setenv(data_sets.VARIABLE, str(tmp_path / "new"))
    made = convert(FROM_SCANPY, [])
    assert digest(made) == data_sets.SETS[made.stem].digest


@pytest.mark.parametrize("name", data_sets.SETS)
def test_every_set_has_a_paper_a_commit_and_a_digest(name):
    source = data_sets.SETS[name]
    assert re.fullmatch(r"10\.\d{4,}/\S+", source.paper)
    assert re.fullmatch(r"[0-9a-f]{64}", source.digest)
    assert source.place.startswith("the package scanpy") or re.search(
        r"^[\w-]+/[\w-]+@[0-9a-f]{40}: data/\S", source.place
    )


@pytest.mark.skipif(not (SHARED / "data").is_dir(), reason="../shared/data is not there")
@pytest.mark.parametrize("name", ["tms_liver", "pbmc68k_reduced_counts"])
def test_a_set_is_told_by_its_content(name):
    assert digest(SHARED / "data" / f"{name}.h5ad") == data_sets.SETS[name].digest


def test_what_is_there_is_told_with_a_status(tmp_path):
    done = started("data_sets", "--convert", FROM_SCANPY, "--data", tmp_path)
    assert done.returncode == 1
    assert f"{FROM_SCANPY}: {SAME}" in done.stdout
    assert f"tms_liver: {MISSING}" in done.stdout


def test_a_result_is_stamped_with_the_commit_and_the_whole_command(tmp_path):
    script = tmp_path / "benchmarks_stamp.py"
    script.write_text(
        "from pathlib import Path\n"
        "from benchmarks.results_file import Result, write\n"
        "write('thing', Result('A', 'python -m thing', ['x'], [[1]]), Path('.'))\n"
    )
    subprocess.run(
        [sys.executable, "-m", "benchmarks_stamp", "--python", "../other env/bin/python"],
        cwd=tmp_path, check=True, env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"},
    )  # fmt: skip
    written = json.loads((tmp_path / "thing.json").read_text())
    assert written["asked"] == "python -m benchmarks_stamp --python '../other env/bin/python'"
    assert written["commit"] == results_file.commit()


def test_of_a_full_path_a_result_tells_the_name_alone(monkeypatch, tmp_path):
    monkeypatch.setattr(
        sys, "argv", ["thing", str(tmp_path / "kept"), "beside/it", "--seeds", "1"]
    )
    assert results_file.command_line().endswith(" kept beside/it --seeds 1")


def test_a_result_from_before_has_neither(tmp_path):
    (tmp_path / "old.json").write_text(
        json.dumps({"title": "A", "command": "b", "machine": "c", "columns": [], "rows": []})
    )
    old = results_file.read("old", tmp_path)
    assert (old.commit, old.asked) == ("", "")
    assert Result("A", "b", [], []).asked


def test_a_record_repeats_the_options_it_was_made_with(tmp_path):
    asked = options().parse_args(["--python", "other/python"])
    assert options_of_records(asked) == ("--python", "other/python")
    assert options_of_records(options().parse_args([])) == ()
    assert accuracy.Grid(tmp_path, tmp_path, tmp_path, asked=("--python", "p")).asked


def test_without_the_other_interpreter_that_is_said(tmp_path):
    from benchmarks.accuracy.bridge import ask

    with pytest.raises(SystemExit, match="name the Python that has celltypist with --python"):
        ask(tmp_path / "python", "celltypist", None)


@pytest.mark.parametrize("path", sorted(results_file.FOLDER.glob("*.json")), ids=lambda p: p.stem)
def test_every_result_tells_its_command_and_its_commit(path):
    found = results_file.read(path.stem)
    assert found.command.startswith(("python -m benchmarks.", "nice -n -19 python -m benchmarks."))
    assert found.columns and found.machine
    assert re.fullmatch(r"[0-9a-f]{7,12}\+?", found.commit or found.brought_by)
    assert bool(found.commit) != bool(found.brought_by)
