"""Project files with names, links, sizes and records that none has: nothing of them is left.

They are looked through in a fork of the test, as the child process does it.
"""

import io
import json
import stat
import zipfile
from pathlib import Path

import pytest

from scanvi_core.errors import ProjectError
from scanvi_core.project.folder import open_project
from scanvi_core.project.foreign import members
from scanvi_core.project.runs import STOPPED, Run, status_seen
from scanvi_core.services.projects import library
from scanvi_core.services.runs import model_list
from scanvi_core.services.training import resume
from scanvi_core.services.workspace import workspace
from tests.services.packed import (
    CELLS,
    GENES,
    HUGE,
    left,
    needs_fork,
    pack_with,
    put,
    read,
    refusal,
    told,
)

Y = "runs/0001/y.npy"


def frozen(**values):
    return told(lambda record: record["settings"].update(values))


# Names, links, sizes ---------------------------------------------------------------------------

NAMES = [
    "../evil", "/etc/passwd", "runs/../../evil", "C:\\evil", "runs\\evil", "other/file",
    "dataset/evil.npy", "dataset/counts_data.npy/x", "runs/0001/odd.npy", "runs/1/run.json",
    "runs/0001/model/weights.pkl", "exports/x.h5ad", "backups/labels-1.db", "project.db-wal",
    "settings.damaged.json", "labels-on-server", "source/con", "source/x.", "derived/evil.npy",
]  # fmt: skip


@needs_fork
@pytest.mark.parametrize("name", NAMES)
def test_a_member_that_no_project_has_is_refused(packed, quick, name):
    assert "This is no project file: it holds" in refusal(pack_with(packed, {name: b"x"})).message


@needs_fork
@pytest.mark.parametrize("name", ["settings.json", Y, "dataset/manifest.json"])
def test_two_members_of_one_name_are_refused(packed, quick, name):
    stream = pack_with(packed, {})
    with zipfile.ZipFile(stream, "a") as pack, pytest.warns(UserWarning, match="Duplicate"):
        pack.writestr(name, b"{}")
    assert "two files of one name" in refusal(stream).message


@needs_fork
@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
@pytest.mark.parametrize("name", ["source/other.h5ad", Y])
def test_a_link_or_a_special_file_is_refused(packed, quick, name, kind):
    stream = pack_with(packed, {Y: None})
    entry = zipfile.ZipInfo(name)
    entry.create_system, entry.external_attr = 3, (kind | 0o777) << 16
    with zipfile.ZipFile(stream, "a") as pack:
        pack.writestr(entry, b"/etc/passwd")
    assert "no plain file" in refusal(stream).message


@needs_fork
@pytest.mark.parametrize("part", [0.0, 0.3, 0.9, 0.999])
def test_what_is_no_zip_file_or_cut_off_is_refused(packed, quick, part):
    cut = packed[: int(part * len(packed))]
    assert "no zip file" in refusal(io.BytesIO(cut)).message


@needs_fork
def test_a_method_of_packing_that_is_not_ours_is_refused(packed, quick):
    stream = pack_with(packed, {Y: None})
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_BZIP2) as pack:
        pack.writestr(Y, read(packed, Y))
    assert "packed in an unknown way" in refusal(stream).message


@needs_fork
def test_a_bomb_is_refused_before_it_is_unpacked(packed, quick, monkeypatch):
    stream = pack_with(packed, {"dataset/obsm_0.npy": None})
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as pack:
        pack.writestr("dataset/obsm_0.npy", bytes(200_000_000))
    monkeypatch.setattr(members.Layout, "unpack", None)  # nothing is unpacked
    assert "it would grow from" in refusal(stream).message


@needs_fork
def test_members_that_share_their_bytes_are_refused(packed, quick):
    stream = pack_with(packed, {})
    with zipfile.ZipFile(stream, "a") as pack:
        twin = next(item for item in pack.infolist() if item.filename == Y)
        for number in range(3, 5000):
            copy = zipfile.ZipInfo(f"runs/{number:04d}/y.npy")
            copy.header_offset, copy.CRC = twin.header_offset, twin.CRC
            copy.compress_size = copy.file_size = twin.file_size
            pack.filelist.append(copy)
        pack._didModify = True
    assert "cannot be opened" in refusal(stream).message


@needs_fork
@pytest.mark.parametrize("more", [-1, 1, 10_000])
def test_a_member_of_another_length_than_it_says_is_refused(packed, quick, more):
    stream = pack_with(packed, {})
    with zipfile.ZipFile(stream, "a") as pack:
        entry = next(item for item in pack.infolist() if item.filename == Y)
        entry.file_size += more
        pack._didModify = True
    assert "in it is" in refusal(stream).message


@needs_fork
def test_the_disk_of_the_projects_has_to_have_room(packed, quick, home, monkeypatch):
    asked = []

    def full(path):
        asked.append(Path(path))
        return type("Usage", (), {"free": 1_000})

    monkeypatch.setattr(members.shutil, "disk_usage", full)
    with pytest.raises(ProjectError, match="are free") as caught:
        library.take_in(io.BytesIO(packed))
    assert str(home) in caught.value.message
    assert asked[0].is_relative_to(home) and left() == []


# Records ---------------------------------------------------------------------------------------

DEEP = b"[" * 100_000 + b"]" * 100_000
SETTINGS = {
    "no JSON": lambda _: b"{", "a list": lambda _: b"[]", "empty": lambda _: b"",
    "nested": lambda _: DEEP, "no text": lambda _: b"\xff\xfe",
    "no created": told(lambda value: value.pop("created") and None),
    "no name": told(lambda value: value.pop("name") and None),
    "created": put(created="yesterday"), "created 1": put(created="0001-01-01T00:00:00+00:00"),
    "created 2": put(created=5), "name": put(name=5), "name 2": put(name=""),
    "name 3": put(name="x" * 201), "name 4": put(name="\ud800"), "batch": put(batch_key="nothing"),
    "batch 2": put(batch_key=["batch"]), "run": put(current_run="0009"),
    "run 2": put(current_run="../0001"), "run 3": put(current_run=1), "kept": put(kept_run="0009"),
    "unlabeled": put(unlabeled="x"), "unlabeled 2": put(unlabeled=[1]),
    "quality": put(quality=[]), "quality 2": put(quality={"limits": {"totals": 3}}),
    "holdout": put(holdout={"how": 1}), "cap": put(cap={"types": 1}),
    "submission": put(submission={"columns": {"a": 1}}),
    "told apart": put(told_apart=["a"]), "told apart 2": put(told_apart=[[1, 2]]),
}  # fmt: skip


@needs_fork
@pytest.mark.parametrize("change", SETTINGS.values(), ids=SETTINGS)
def test_settings_of_a_wrong_kind_are_refused(packed, quick, change):
    assert "cannot be opened" in refusal(pack_with(packed, {"settings.json": change})).message


@needs_fork
def test_settings_of_another_place_are_not_taken_over(packed, quick, tmp_path):
    asked = {"key": "x", "text": "?", "options": [], "path": "/etc/passwd"}
    more = {
        "owner": "mallory@evil.org", "shared": {"all": "write"}, "question": asked,
        "answers": {"x": "y"}, "awaited": "0002", "archived": True, "unheard": 1,
    }  # fmt: skip
    made = library.take_in(pack_with(packed, {"settings.json": put(**more)}))
    settings = open_project(made).settings
    assert not set(more) & set(settings)
    assert settings["name"] == "Small" and settings["current_run"] == "0002"


MANIFEST = {
    "no JSON": lambda _: b"", "a list": lambda _: b"[1]", "cells": put(n_obs=CELLS + 1),
    "cells 2": put(n_obs=HUGE), "cells 3": put(n_obs=-1), "cells 4": put(n_obs="160"),
    "cells 5": put(n_obs=True), "genes": put(n_vars=GENES + 1), "genes 2": put(n_vars=1),
    "format": put(format=2), "format 2": put(format="1"), "hash": put(counts_sha256="0" * 64),
    "hash 2": put(counts_sha256=5), "obsm": put(obsm=[]), "obsm 2": put(obsm=["a"] * 5000),
    "obsm 3": put(obsm=["X_pca", "X_pca"]), "symbols": put(symbol_column="nothing"),
    "columns": put(obs_columns={}), "columns 2": put(obs_columns={"a": 1}),
    "columns 4": put(obs_columns={"a": None}),
    "columns 3": put(var_columns=["a"]), "source": put(source={}), "source 2": put(source=None),
    "source 3": told(lambda value: value["source"].update(path=5)),
    "source 4": told(lambda value: value["source"].update(mtime_ns=-1)),
    "source 5": told(lambda value: value["source"].update(size=1)),
    "candidates": told(lambda value: value["labels_candidates"][0].update(key="nothing")),
    "matrices": put(matrices=[{}]), "repairs": put(repairs=[1]), "recovery": put(recovery={}),
    "gone": told(lambda value: value.pop("matrices") and None),
}  # fmt: skip


@needs_fork
@pytest.mark.parametrize("change", MANIFEST.values(), ids=MANIFEST)
def test_a_manifest_that_is_not_of_these_data_is_refused(packed, quick, change):
    said = refusal(pack_with(packed, {"dataset/manifest.json": change})).message
    assert "cannot be opened" in said or " reads " in said


RUN = {
    "id": put(id="0002"), "no settings": put(settings=None), "a list": lambda _: b"[]",
    "model": frozen(model={"n_hidden": 10**9}), "model 2": frozen(model={"n_latent": "20"}),
    "train": frozen(train={"max_epochs": 10**9}), "threads": frozen(threads=10**9),
    "threads 2": frozen(threads=0), "together": frozen(together=10**6), "seed": frozen(seed=-1),
    "goes on": frozen(warm_from="0001"), "goes on 2": frozen(warm_from="0002"),
    "map": frozen(map_from="0009"), "types": frozen(label_order=["a", "a"]),
    "types 2": frozen(label_order=[]), "codes": frozen(code_names=["a"]),
    "genes": frozen(genes=["nothing"]), "genes 2": frozen(genes=[1]),
    "batch": frozen(batch_key="nothing"), "batches": frozen(batch_names=[]),
    "parents": frozen(parents={"B": ["x"], "x": ["B"]}),
    "prior": frozen(prior={"Dendritic": "much"}),
    "created": put(created="never"),
    "gone": told(lambda record: record["settings"].pop("genes") and None),
}  # fmt: skip


@needs_fork
@pytest.mark.parametrize("change", RUN.values(), ids=RUN)
def test_a_run_that_does_not_fit_together_is_refused(packed, quick, change):
    said = refusal(pack_with(packed, {"runs/0001/run.json": change})).message
    assert "cannot be opened" in said and "0001" in said


OTHERS = {
    "status": ("status", put(status="flying")), "status 2": ("status", put(time="never")),
    "status 3": ("status", None), "summary": ("summary.json", put(number="one")),
    "summary 2": ("summary.json", told(lambda value: value.pop("epochs") and None)),
    "summary 3": ("summary.json", None), "metrics": ("metrics.jsonl", lambda _: b'{"epoch": "x"}'),
    "metrics 2": ("metrics.jsonl", lambda _: b"[1]\n"), "no record": ("run.json", None),
    "model": ("model/annotator.json", put(genes=["other"])),
    "model 2": ("model/annotator.json", put(calibration={"temperature": 0})),
    "model 3": ("model/annotator.json", None), "weights": ("model/model.safetensors", None),
    "weights 2": ("model/model.safetensors", lambda content: content[:-8]),
    "weights 3": ("model/model.safetensors", lambda _: b"\xff" * 64),
    "weights 4": ("model/model.safetensors", lambda _: b"\x80\x04N."),
    "linear": ("model/companions.safetensors", lambda _: b""),
}  # fmt: skip


@needs_fork
@pytest.mark.parametrize(("name", "change"), OTHERS.values(), ids=OTHERS)
def test_other_files_of_a_run_that_are_damaged_are_refused(packed, quick, name, change):
    refusal(pack_with(packed, {f"runs/0001/{name}": change}))


VAST = 10**400
NUMBERS = {
    "a score": ("runs/0002/summary.json", put(holdout={
        "n": 5, "accuracy": VAST, "macro_f1": 1, "ece": 0})),
    "a share": ("runs/0002/run.json", frozen(prior={"Mine": VAST})),
    "no number": ("runs/0002/run.json", frozen(prior={"Mine": float("nan")})),
    "a limit": ("settings.json", put(quality={
        "batch_key": None, "limits": {"totals": {"every": VAST, "own": {}}}, "leave_out": True})),
    "a matrix": ("dataset/manifest.json", told(
        lambda value: value["matrices"][0].update(minimum=VAST))),
    "a run": ("runs/999999999/status", b"{}"),
    "a temperature": ("runs/0002/summary.json", put(temperature=0)),
    "codes of nothing": ("runs/0002/run.json", told(
        lambda value: value["settings"]["code_names"].append("x"))),
}  # fmt: skip


@needs_fork
@pytest.mark.parametrize(("name", "change"), NUMBERS.values(), ids=NUMBERS)
def test_numbers_that_nothing_can_hold_are_refused(packed, quick, name, change):
    refusal(pack_with(packed, {name: change}))


@needs_fork
def test_a_run_taught_by_one_that_failed_is_refused(packed, quick):
    changes = {
        "runs/0001/status": put(status="failed"), "runs/0001/probabilities.npy": None,
        "runs/0001/summary.json": None,
    }  # fmt: skip
    refusal(pack_with(packed, changes))


@needs_fork
def test_models_of_one_number_are_listed(packed, quick):
    changes = {f"runs/000{run}/summary.json": put(number=1) for run in (1, 2)}
    opened = workspace(library.take_in(pack_with(packed, changes)))
    assert model_list.models(opened).current == (1, opened.current_run().id)


@needs_fork
def test_a_run_that_was_cut_off_elsewhere_is_not_gone_on_with(packed, quick):
    changes = {
        "runs/0002/status": put(status="interrupted", time=""),
        "runs/0002/checkpoint.safetensors": b"\xff" * 64,
        "settings.json": put(current_run="0001"),
    }
    made = library.take_in(pack_with(packed, changes))
    run = Run.open(open_project(made), "0002")
    assert status_seen(run).status == STOPPED and not run.paths.checkpoint.exists()
    assert resume.cut_off(workspace(made)) is None


@needs_fork
def test_what_a_run_says_of_another_place_is_not_taken_over(packed, quick):
    changes = {
        "runs/0002/run.json": frozen(store="/etc", together=1),
        "runs/0002/status": put(status="waiting", process="elsewhere 1:0.00"),
        "settings.json": put(current_run="0001"),
        "runs/0002/submit-slurm.sh": b"rm -rf ~", "runs/0002/stop": b"", "runs/0002/alive": b"",
    }  # fmt: skip
    made = open_project(library.take_in(pack_with(packed, changes)))
    run = made.runs / "0002"
    assert json.loads((run / "run.json").read_text())["settings"]["store"] is None
    assert json.loads((run / "status").read_text())["status"] == "stopped"
    assert not [name for name in ("submit-slurm.sh", "stop", "alive") if (run / name).exists()]
