"""Packs that are cut off, changed or made to do harm: refused in a sentence, nothing left."""

import io
import json
import os
import stat
import struct
import zipfile

import numpy as np
import pytest
from safetensors.numpy import load, save

from scanvi_core.errors import FileRefused
from scanvi_core.project import pack as pack_file
from scanvi_core.services.packs import child, opening
from scanvi_core.services.workspace import workspace
from tests.services.packed import look_in_a_fork, npy, pack_with, put, read, said_well, told

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
RECORD, ANNOTATOR, WEIGHTS = pack_file.RECORD, pack_file.ANNOTATOR, pack_file.WEIGHTS


@pytest.fixture
def opened(project, monkeypatch):
    """A project without a model; packs are looked through in a fork."""
    monkeypatch.setattr(opening, "run_child", look)
    return workspace(project)


def look(request, talk=None, module=""):
    assert module == opening.CHILD
    return look_in_a_fork(request, talk, module, child.take_in)


def refused(opened, content, match):
    """Find that a pack is refused and leaves nothing."""
    before = sorted(path.name for path in opened.project.root.iterdir())
    with pytest.raises(FileRefused, match=match) as caught:
        opening.look_at(opened, io.BytesIO(content))
    assert sorted(path.name for path in opened.project.root.iterdir()) == before
    said_well(caught.value)


def resealed(packed, changes):
    """Return a pack with some members changed, and the digests of what it holds then."""
    content = pack_with(packed, changes).getvalue()
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        names = [name for name in file.namelist() if name != RECORD]
        record = json.loads(file.read(RECORD))
        record["sha256"] = {name: pack_file.digest(file.read(name)) for name in names}
    return pack_with(content, {RECORD: json.dumps(record).encode()}).getvalue()


def tensors(change):
    def apply(content):
        arrays = load(content)
        change(arrays)
        return save(arrays)

    return apply


def test_a_sound_pack_is_taken(opened, packed):
    opening.look_at(opened, io.BytesIO(resealed(packed, {})))
    folder = pack_file.folder_of(opened.project)
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert there == {
        RECORD, ANNOTATOR, WEIGHTS, pack_file.LINEAR, pack_file.SHAPES,
    }  # fmt: skip


@pytest.mark.parametrize("part", [0, 10, 0.3, 0.9, 0.999])
def test_one_that_is_cut_off_is_refused(opened, packed, part):
    n = part if isinstance(part, int) else int(part * len(packed))
    refused(opened, packed[:n], "no zip file|damaged")


def test_every_byte_counts(opened, packed):
    random = np.random.default_rng(0)
    for at in random.integers(0, len(packed), 12):
        content = bytearray(packed)
        content[at] ^= 0x55
        try:
            opening.look_at(opened, io.BytesIO(bytes(content)))
        except FileRefused as error:
            said_well(error)
        else:  # in what a zip file says twice, or nobody reads
            with zipfile.ZipFile(io.BytesIO(bytes(content))) as file:
                assert file.read(WEIGHTS) == read(packed, WEIGHTS)


def test_swapped_checksums_are_refused(opened, packed):
    def swap(record):
        digests = record["sha256"]
        digests[WEIGHTS], digests[ANNOTATOR] = digests[ANNOTATOR], digests[WEIGHTS]

    refused(opened, pack_with(packed, {RECORD: told(swap)}).getvalue(), "not what was written")


def test_another_model_under_the_same_checksums_is_refused(opened, packed):
    changed = tensors(lambda arrays: arrays.update(y_prior=arrays["y_prior"] * 2))
    refused(opened, pack_with(packed, {WEIGHTS: changed}).getvalue(), "not what was written")


def test_a_member_that_is_not_listed_is_refused(opened, packed):
    def drop(record):
        del record["sha256"]["README.txt"]

    refused(opened, pack_with(packed, {RECORD: told(drop)}).getvalue(), "other files")


def narrower(arrays):
    name = "z_encoder.encoder.fc_layers.Layer 0.0.weight"
    arrays[name] = np.ascontiguousarray(arrays[name][:, :-1])


def without_first(key):
    return lambda record: {**record, key: record[key][1:]}


WRONG = {
    "a tensor of another shape": (WEIGHTS, tensors(narrower)),
    "a tensor that is gone": (WEIGHTS, tensors(lambda arrays: arrays.pop("px_r"))),
    "weights that are no numbers": (
        WEIGHTS, tensors(lambda arrays: arrays.update(px_r=arrays["px_r"] * np.nan)),
    ),
    "linear models of other genes": (
        pack_file.LINEAR, tensors(lambda arrays: arrays.update(center=arrays["center"][1:])),
    ),
    "places of other types": (
        pack_file.SHAPES, tensors(lambda arrays: arrays.update(middles=arrays["middles"][1:])),
    ),
    "types that are not the model's": (RECORD, told(without_first("types"))),
    "a wrong kind": (RECORD, put(types="T cell")),
    "no color": (RECORD, told(lambda record: record["types"][0].update(color="red;}"))),
    "a rule that is none": (RECORD, put(rules=[{"label": "x", "rule": {"evil": 1}}])),
    "genes that are not the model's": (RECORD, told(without_first("ids"))),
    "a name nobody can have": (
        ANNOTATOR, told(lambda model: model["label_names"].__setitem__(0, "  ")),
    ),
    "a gene twice": (
        ANNOTATOR, told(lambda model: model["genes"].__setitem__(0, model["genes"][1])),
    ),
    "a network of any size": (
        ANNOTATOR, told(lambda model: model["model"].update(n_hidden=1_000, n_layers=4)),
    ),
    "a network beyond all bounds": (
        ANNOTATOR, told(lambda model: model["model"].update(n_hidden=10**9)),
    ),
    "no model": (WEIGHTS, b"no safetensors"),
    "a pickle": (WEIGHTS, b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94."),
    "10 GB that are claimed": (WEIGHTS, struct.pack("<Q", 10 * 2**30) + b"{}"),
    "no JSON": (ANNOTATOR, b"{"),
    "JSON without end": (ANNOTATOR, b"[" * 200_000),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_does_not_fit_together_is_refused(opened, packed, what):
    name, change = WRONG[what]
    refused(opened, resealed(packed, {name: change}), "cannot be opened|no pack")


@pytest.mark.parametrize(
    "name",
    ["../evil", "/etc/passwd", "model/../../evil", "model/weights.pkl", "model/x.npy",
     "model/evil.safetensors", "cells.h5ad", "C:\\evil"],
)  # fmt: skip
def test_names_that_none_has_are_refused(opened, packed, name):
    refused(opened, pack_with(packed, {name: npy([1])}).getvalue(), "no pack: it holds")


def test_a_link_is_refused(opened, packed):
    stream = io.BytesIO(pack_with(packed, {"README.txt": None}).getvalue())
    entry = zipfile.ZipInfo("README.txt")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(stream, "a") as file:
        file.writestr(entry, b"/etc/passwd")
    refused(opened, stream.getvalue(), "no plain file")


def test_a_member_that_claims_10_gb_is_refused_before_it_is_read(opened, packed):
    stream = io.BytesIO(packed)
    with zipfile.ZipFile(stream, "a") as file:
        next(item for item in file.infolist() if item.filename == WEIGHTS).file_size = 10 * 2**30
        file._didModify = True
    refused(opened, stream.getvalue(), "too large")


def test_a_file_of_any_size_is_refused_before_it_is_kept(opened, packed, monkeypatch):
    monkeypatch.setattr(opening, "MOST_BYTES", 1_000)
    refused(opened, packed, "no pack: it has")


def test_a_newer_version_is_told(opened, packed):
    refused(opened, resealed(packed, {RECORD: put(format=3)}), "format 3")


def test_a_pack_that_was_looked_at_stays_when_the_next_is_refused(opened, packed):
    opening.look_at(opened, io.BytesIO(packed))
    refused(opened, b"nothing", "no zip file")
    assert pack_file.read(opened.project) is not None
