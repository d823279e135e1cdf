"""A fault of the program that is met while a file is read is told as one, never as the file's."""

import json
from pathlib import Path

import pytest

from scanvi_core import cli
from scanvi_core.data.anndata_files import elements, features, h5ad, tables
from scanvi_core.data.child import answer
from scanvi_core.data.formats import gathered, packed
from scanvi_core.data.formats.hdf5 import loom, mudata, tenx
from scanvi_core.data.formats.matrices import mtx
from scanvi_core.data.formats.text import delimited
from scanvi_core.data.guard import child_process
from scanvi_core.data.guard.subprocess_limits import Ended
from scanvi_core.errors import OURS
from tests.data.intake.damage import bad_inputs as bad
from tests.data.intake.damage.bending import tenx_v2
from tests.data.intake.outcomes import ask

ANSWERS = {"modality": "rna", "orientation": "cells-in-rows"}


def packed_h5ad(folder):
    content = bad.sound(folder / "a.h5ad").read_bytes()
    return bad.raw_bytes(folder, bad.gzip.compress(content), "b.gz")


def collection(folder):
    store = bad.zarr_store(folder, "dataset_0")
    root = folder / "store.zarr"
    root.mkdir()
    store.rename(root / "dataset_0")
    about = {"format": 1, "n_obs": 60, "n_vars": 40, "n_parts": 1, "obs_columns": []}
    bad.put(root / ".zgroup", {"zarr_format": 2})
    bad.put(root / ".zattrs", {"scanvi": about | {"files": [{"name": "a.h5ad"}]}})
    return root


SOUND = {
    "h5ad": lambda folder: bad.sound(folder / "x.h5ad"),
    "10x": bad.tenx,
    "10x of version 2": tenx_v2,
    "loom": bad.loom,
    "MuData": bad.h5mu,
    "Matrix Market": bad.mtx_folder,
    "table": bad.table,
    "zarr": bad.zarr_store,
    "zarr in a zip": bad.zipped_store,
    "gathered": collection,
    "h5ad in gzip": packed_h5ad,
}
PLANTED = {
    "h5ad": [tables.plain_column, h5ad.symbol_column, h5ad.read_file],
    "10x": [tenx.convert_v3, tenx.features_of, features.choose],
    "10x of version 2": [tenx.convert_v2, tenx.genomes_v2],
    "loom": [loom.convert, tables.plain_column],
    "MuData": [mudata.convert, elements.copy_matrix],
    "Matrix Market": [mtx.convert, mtx.find_lists],
    "table": [delimited.convert],
    "zarr": [elements.copy_anndata, elements.read_frame],
    "zarr in a zip": [elements.copy_matrix],
    "gathered": [gathered.convert],
    "h5ad in gzip": [packed.unpack_gzip],
}


def wrong_type(*_arguments, **_options):
    raise TypeError("planted")


def wrong_attribute(*_arguments, **_options):
    raise AttributeError("planted")


def wrong_key(*_arguments, **_options):
    raise KeyError("planted")


def sound(name, folder):
    folder.mkdir()
    return SOUND[name](folder)


@pytest.mark.parametrize("name", SOUND)
def test_the_sound_files_are_read(name, tmp_path):
    reply = ask(sound(name, tmp_path / "in"), tmp_path / "ds", answers=ANSWERS)
    assert reply["result"]["counts_source"] == "X"


@pytest.mark.parametrize("fault", [wrong_type, wrong_attribute, wrong_key])
@pytest.mark.parametrize(
    ("name", "function"),
    [
        pytest.param(name, function, id=f"{name}: {function.__name__}")
        for name, functions in PLANTED.items()
        for function in functions
    ],
)
def test_a_fault_in_a_reader_is_ours_and_logged(
    name, function, fault, tmp_path, monkeypatch, caplog
):
    path = sound(name, tmp_path / "in")
    monkeypatch.setattr(function, "__code__", fault.__code__)
    error = ask(path, tmp_path / "ds", answers=ANSWERS)["error"]
    assert error["class"] == "ProgramFault"
    assert error["message"].startswith(OURS)
    logged = [record.exc_info[1] for record in caplog.records if record.exc_info]
    assert "planted" in map(str, [cause.args[0] for cause in logged])
    assert not (tmp_path / "ds").exists()


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (RuntimeError("H5Zfilter of evil"), "The file could not be read."),
        (OSError("inflate() failed"), "The file could not be read."),
        (OSError(28, "file = '/secret/x'"), "No space left on device"),
    ],
    ids=["not foreseen", "of a library", "of the system"],
)
def test_what_is_not_foreseen_is_told_without_the_words_of_a_library(
    raised, said, tmp_path, caplog
):
    def task(_request):
        raise raised

    path = sound("h5ad", tmp_path / "in")
    error = answer({"path": str(path), "memory_mb": 900}, task=task)["error"]
    assert said in error["message"]
    assert raised.args[-1] not in error["message"]
    assert caplog.records[-1].exc_info[1] is raised


def test_a_fault_in_the_reader_ends_a_command_as_a_fault_with_its_log(
    tmp_path, monkeypatch, capsys
):
    def run_here(_command, request, *_more):
        reply = answer(json.loads(request))
        return Ended(json.dumps(reply).encode(), b"Traceback of the reader", "")

    monkeypatch.setattr(child_process, "run_watched", run_here)
    monkeypatch.setattr(h5ad.symbol_column, "__code__", wrong_type.__code__)
    monkeypatch.setenv("SCANVI_HOME", str(tmp_path / "home"))
    path = sound("h5ad", tmp_path / "in")
    assert cli.main(["check", str(path)]) == cli.FAULT
    line = capsys.readouterr().err
    assert line.startswith(f"error: {OURS}. Details are in ") and line.count("\n") == 1
    log = Path(line.split("Details are in ")[1].strip().removesuffix("."))
    assert log == tmp_path / "home" / "logs" / "command.log"
    assert "Traceback of the reader" in log.read_text()


def test_what_a_library_said_of_a_refused_file_is_in_the_log(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SCANVI_HOME", str(tmp_path / "home"))
    path = bad.sound(tmp_path / "x.h5ad")
    path.write_bytes(path.read_bytes()[:-200])
    assert cli.main(["check", str(path)]) == cli.BAD_INPUT
    line = capsys.readouterr().err
    assert "x.h5ad is cut off" in line and line.count("\n") == 1
    assert "truncated file" in (tmp_path / "home" / "logs" / "command.log").read_text()
