"""What the guards of text, archives, stores and HDF5 let pass and what they stop."""

import gzip
import io
import os
import sys
import time
import zipfile

import h5py
import numpy as np
import pytest

from scanvi_core.data.guard import hdf5, text, zarr_store
from scanvi_core.data.guard.hdf5_strings import text_bytes
from scanvi_core.data.guard.regular_file import open_regular
from scanvi_core.data.guard.text import check_mtx, open_text
from scanvi_core.data.guard.watchdog import Watchdog
from scanvi_core.data.guard.zarr_store import check_zarr
from scanvi_core.data.guard.zip import opened_zip
from scanvi_core.errors import FileRefused
from tests.data.intake.damage import bad_inputs as bad

MEMORY = 1e9


def all_of(path, max_bytes=MEMORY):
    with open_text(path, max_bytes) as stream:
        return stream.read()


def test_plain_and_packed_text_are_told_apart_by_content(tmp_path):
    (tmp_path / "a.gz").write_bytes(b"plain")
    (tmp_path / "b.txt").write_bytes(gzip.compress(b"packed"))
    assert (all_of(tmp_path / "a.gz"), all_of(tmp_path / "b.txt")) == (b"plain", b"packed")


def test_packed_text_is_bounded_by_what_comes_out(tmp_path):
    path = bad.raw_bytes(tmp_path, gzip.compress(b"1\n" * 10**6))
    assert len(all_of(path, 2e6)) == 2 * 10**6
    with pytest.raises(FileRefused, match="unpacks to more than"):
        all_of(path, 1.9e6)


def test_a_line_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(text.Bounded.__init__, "__defaults__", (1000,))
    path = bad.raw_bytes(tmp_path, b"x" * 900 + b"\n" + b"x" * 900)
    assert len(all_of(path)) == 1801
    with pytest.raises(FileRefused, match="a line of more than"):
        all_of(bad.raw_bytes(tmp_path, b"x" * 1001))


@pytest.mark.parametrize(("content", "words"), [(-8, "cut off"), (20, "damaged")])
def test_packed_text_that_is_cut_off_or_damaged_says_so(tmp_path, content, words):
    packed = bytearray(gzip.compress(np.random.default_rng(0).bytes(5000)))
    if content > 0:
        packed[content] ^= 255
    path = bad.raw_bytes(tmp_path, bytes(packed[: content if content < 0 else None]))
    with pytest.raises(FileRefused, match=words):
        all_of(path)


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "link").symlink_to("/etc/passwd")
    with pytest.raises(FileRefused, match="a link to another file"):
        open_regular(tmp_path / "link")


@pytest.mark.parametrize(
    "name", ["../x", "a/../../x", "/etc/x", "C:\\x", "a\\..\\x", "..", "a/.."]
)
def test_entries_of_an_archive_that_lead_outside_are_refused(tmp_path, name):
    path = bad.zipped(tmp_path / "x.zip", {name: b"x"})
    with pytest.raises(FileRefused, match="outside"), opened_zip(path, MEMORY):
        pass


def test_an_archive_packed_in_another_way_is_refused(tmp_path):
    path = bad.zipped(tmp_path / "x.zip", {"a": b"x" * 100}, zipfile.ZIP_BZIP2)
    with pytest.raises(FileRefused, match="not enabled"), opened_zip(path, MEMORY):
        pass


def test_damage_met_inside_an_archive_is_a_sentence(tmp_path):
    path = bad.zipped(tmp_path / "x.zip", {"a": b"x" * 100}, zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"xxxx", b"xxyx", 1))
    with pytest.raises(FileRefused, match="damaged zip"), opened_zip(path, MEMORY) as archive:
        archive.read("a")


def test_dots_inside_names_are_no_way_outside(tmp_path):
    path = bad.zipped(tmp_path / "x.zip", {"a..b/c.": b"x", "d/...": b""})
    with opened_zip(path, MEMORY) as archive:
        assert len(archive.namelist()) == 2


def test_a_sound_store_passes_without_notices(tmp_path):
    assert check_zarr(bad.zarr_store(tmp_path), MEMORY) == []
    assert check_zarr(bad.zipped_store(tmp_path / "x.zarr"), MEMORY) == []


def test_a_block_that_may_be_all_zeros_is_a_notice(tmp_path):
    root = bad.zarr_store(tmp_path)
    bad.zarr_array(root / "obs" / "codes", np.ones(60, "<i4"), chunk=30)
    (root / "obs" / "codes" / "1").unlink()
    assert "1 of 2 blocks of obs/codes" in check_zarr(root, MEMORY)[0]


def test_a_summary_that_speaks_of_other_codecs_than_the_store_is_judged_too(tmp_path):
    root = bad.zarr_store(tmp_path)
    about = {"shape": [1], "chunks": [1], "dtype": "<f4", "compressor": {"id": "pickle"}}
    bad.put(root / ".zmetadata", {"metadata": {"X/data/.zarray": about}})
    with pytest.raises(FileRefused, match="'pickle'"):
        check_zarr(root, MEMORY)


def version_3(codecs, **more):
    grid = {"name": "regular", "configuration": {"chunk_shape": [10]}}
    about = {"zarr_format": 3, "node_type": "array", "shape": [10], "data_type": "float32"}
    return {**about, "chunk_grid": grid, "codecs": codecs, **more}


@pytest.mark.parametrize(
    ("codecs", "words"),
    [
        ([{"name": "bytes"}, {"name": "numcodecs.pickle"}], "'pickle'"),
        (
            [
                {
                    "name": "sharding_indexed",
                    "configuration": {"chunk_shape": [5], "codecs": [{"name": "evil"}]},
                }
            ],
            "'evil'",
        ),
    ],
)
def test_foreign_codecs_of_version_3_are_refused_inside_shards_as_well(tmp_path, codecs, words):
    bad.put(tmp_path / "x" / "zarr.json", version_3(codecs))
    with pytest.raises(FileRefused, match=words):
        check_zarr(tmp_path / "x", MEMORY)


@pytest.mark.parametrize("about", [[], {"zarr_format": 3}, version_3([], shape=[-1]), "x"])
def test_a_description_that_makes_no_sense_is_refused(tmp_path, about):
    bad.put(tmp_path / "x" / "zarr.json", about)
    with pytest.raises(FileRefused, match="makes no sense"):
        check_zarr(tmp_path / "x", MEMORY)


def test_a_store_of_endless_files_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(zarr_store, "MAX_FILES", 10)
    with pytest.raises(FileRefused, match="more than 10 files"):
        check_zarr(bad.zarr_store(tmp_path), MEMORY)


def test_an_honest_header_is_read(tmp_path):
    header = check_mtx(bad.mtx_folder(tmp_path) / "matrix.mtx", MEMORY)
    assert (header.n_rows, header.n_columns) == (40, 60)
    assert header.n_values == np.count_nonzero(bad.counts())


@pytest.mark.parametrize(
    "lines",
    [b"%%MatrixMarket matrix array real general\n2 2\n", b"1 2 3\n", b"%%MatrixMarket\n", b""],
)
def test_other_headers_are_refused(tmp_path, lines):
    with pytest.raises(FileRefused):
        text.read_mtx_header(io.BytesIO(lines), "x.mtx")


def check(path):
    with h5py.File(path) as file:
        hdf5.check_structure(file, MEMORY)


def test_a_part_with_endless_attributes_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(hdf5, "MAX_ATTRIBUTES", 20)
    path = bad.changed(
        tmp_path, lambda file: [file["obs"].attrs.create(f"a{n}", 1) for n in range(30)]
    )
    with pytest.raises(FileRefused, match="attributes"):
        check(path)


def test_a_group_with_endless_parts_is_refused_before_they_are_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr(hdf5, "MAX_OBJECTS", 3)
    monkeypatch.setattr(hdf5, "_check_member", None)
    with pytest.raises(FileRefused, match="more than 3 parts"):
        check(bad.sound(tmp_path / "x.h5ad"))


def test_a_dense_table_that_is_all_one_value_for_gigabytes_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(hdf5, "TABLE_RATIO_FROM_BYTES", 2**20)
    monkeypatch.setattr(hdf5, "RATIO_FROM_BYTES", 2**20)
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=np.zeros((1000, 1000)), chunks=(1000, 1000), compression=9)
    with pytest.raises(FileRefused, match="GiB"):
        check(path)


@pytest.mark.parametrize("packed", [{}, {"compression": 4, "shuffle": True}])
@pytest.mark.parametrize("inside", [False, True])
def test_texts_are_counted_without_reading_them(tmp_path, packed, inside):
    texts = np.array(["a", "", "ccc", "ääää"], dtype=object)
    kind = np.dtype([("n", "i4"), ("text", bad.TEXT), ("x", "f8")]) if inside else bad.TEXT
    values = texts
    if inside:
        values = np.zeros(4, kind)
        values["text"] = texts
    with h5py.File(tmp_path / "x.h5", "w") as file:
        chunks = {"chunks": (3,)} if packed else {}
        made = file.create_dataset("x", data=values, dtype=kind, **chunks, **packed)
        file.flush()
        assert text_bytes(made.id, "/x") == 1 + 0 + 3 + 8


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_step_that_never_ends_ends_the_process_and_short_steps_do_not():
    def spin(seconds, n_steps):
        with Watchdog(0.2) as watch:
            for _ in range(n_steps):
                watch.step()
                until = time.process_time() + seconds
                while time.process_time() < until:
                    pass

    ends = []
    for seconds, n_steps in ((5.0, 1), (0.05, 6)):
        child = os.fork()
        if child == 0:
            spin(seconds, n_steps)
            os._exit(0)
        ends.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    assert ends == [-27 if sys.platform == "linux" else ends[0], 0]
    assert ends[0] < 0


def test_a_part_whose_name_is_no_text_is_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        h5py.h5g.create(file.id, b"\xff\xfe")
    with (
        h5py.File(tmp_path / "a.h5") as file,
        pytest.raises(FileRefused, match="whose name is no text"),
    ):
        hdf5.check_structure(file, 1e9)


@pytest.mark.parametrize("packed", [{}, {"chunks": (16,), "compression": 4}])
@pytest.mark.parametrize("shared", [False, True])
def test_texts_that_lead_hdf5_round_in_circles_are_refused(tmp_path, packed, shared):
    path = tmp_path / "x.h5"
    with h5py.File(path, "w", userblock_size=512) as file:
        if shared:
            file.attrs["note"] = "lies beside the other texts"
        file.create_dataset(
            "x", data=[f"text {n:03}" for n in range(64)], dtype=bad.TEXT, **packed
        )
    hdf5.check_structure(h5py.File(path), MEMORY)
    content = bytearray(path.read_bytes())
    at = content.index(b"text 032") - 16
    content[at : at + 16] = bytes(16)  # the object has no number, and takes no room
    path.write_bytes(content)
    with h5py.File(path) as file, pytest.raises(FileRefused, match="round in circles"):
        hdf5.check_structure(file, MEMORY)
