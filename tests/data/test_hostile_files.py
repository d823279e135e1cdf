"""Files made to harm, or harmed on the way, are refused with a sentence."""

import gzip
import os

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from scanvi_core.data.child import answer
from scanvi_core.data.intake import import_file
from scanvi_core.errors import CountsNotFound, FileRefused, InputError


@pytest.fixture
def sound(tmp_path):
    """A small sound file, written by anndata."""
    counts = np.random.default_rng(0).poisson(1.0, (60, 40)).astype(np.float32)
    obs = pd.DataFrame(
        {"cell_type": pd.Categorical(["A", "B"] * 30)}, index=[f"c{i}" for i in range(60)]
    )
    var = pd.DataFrame(index=[f"g{i}" for i in range(40)])
    path = tmp_path / "sound.h5ad"
    anndata.AnnData(sp.csr_matrix(counts), obs=obs, var=var).write_h5ad(path)
    return path


def ask(path, memory_mb=4_000, matrix=None):
    folder = path.parent / "ds"
    request = {"task": "import", "path": str(path), "matrix": matrix, "folder": str(folder)}
    return answer({**request, "memory_mb": memory_mb, "timeout_s": 60})


def refusal(path, **more):
    reply = ask(path, **more)
    assert "error" in reply, "the file was taken in"
    assert reply["error"]["hint"]
    return reply["error"]["message"]


def external_link(file):
    file["uns/leak"] = h5py.ExternalLink("/etc/hostname", "/")


def external_storage(file):
    file.create_dataset("uns/leak", (10,), "u1", external=[("/etc/passwd", 0, 10)])


def soft_link(file):
    file["layers/again"] = h5py.SoftLink("/X")


def virtual(file):
    layout = h5py.VirtualLayout((5,), "f4")
    layout[:] = h5py.VirtualSource("/tmp/other.h5", "x", (5,))
    file.create_virtual_dataset("uns/leak", layout)


def hard_link_cycle(file):
    file["uns/self"] = file["uns"]


def deep(file):
    file.create_group("uns/" + "/".join("x" * 40))


def references(file):
    file.create_dataset("uns/ref", (3,), dtype=h5py.ref_dtype)


def shape_bomb(file):
    file.create_dataset("uns/bomb", (60, 10**9), "f4", chunks=(1, 1000))


def sparse_bomb(file):
    for name in ("data", "indices"):
        del file[f"X/{name}"]
        file.create_dataset(f"X/{name}", (2 * 10**9,), "i4", chunks=(1000,))


def foreign_filter(file):
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((10,))
    plist.set_filter(32015, h5py.h5z.FLAG_OPTIONAL)
    space = h5py.h5s.create_simple((10,))
    h5py.h5d.create(file["uns"].id, b"zstd", h5py.h5t.NATIVE_INT32, space, plist)


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (external_link, "link to a file outside itself (/uns/leak)"),
        (external_storage, "stored in a file outside itself (/uns/leak)"),
        (soft_link, "soft link"),
        (virtual, "virtual data set"),
        (hard_link_cycle, "linked 2 times"),
        (deep, "groups inside groups"),
        (references, "references"),
        (shape_bomb, "223.5 GiB"),
        (sparse_bomb, "7.5 GiB"),
        (foreign_filter, "zstd"),
    ],
)
def test_hostile_structure_is_refused_by_name(sound, harm, words):
    with h5py.File(sound, "r+") as file:
        harm(file)
    assert words in refusal(sound)


def test_the_sound_file_itself_is_taken(sound):
    assert ask(sound)["result"]["n_obs"] == 60


def test_a_column_number_beyond_the_last_gene_is_refused(sound):
    with h5py.File(sound, "r+") as file:
        file["X/indices"][5] = 1_000_000
    assert "beyond its last gene" in refusal(sound)


def test_row_pointers_that_fall_are_refused(sound):
    with h5py.File(sound, "r+") as file:
        file["X/indptr"][3] = 10_000
    assert "row pointers" in refusal(sound)


def test_duplicate_positions_are_summed(sound):
    with h5py.File(sound, "r+") as file:
        group, before = file["X"], file["X/data"][:].sum()
        group["indices"][1] = group["indices"][0]
    assert ask(sound)["result"]["n_obs"] == 60
    total = np.load(sound.parent / "ds" / "totals.npy").sum()
    assert total == before


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty (0 bytes)"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (gzip.compress(b"x"), "a gzip archive"),
        (b"PK\x03\x04", "a zip archive"),
        (b"gene,c1\nA,1\n", "a text file"),
        (b"\x80\x04\x95", "pickle"),
        (bytes(100), "filled with zeros"),
    ],
)
def test_what_is_not_hdf5_is_named(tmp_path, content, words):
    path = tmp_path / "x.h5ad"
    path.write_bytes(content)
    assert words in refusal(path)


@pytest.mark.parametrize("at", [700, 900, 2_500])  # at 2,500 HDF5 2.0 loops for ever
def test_a_zeroed_stretch_ends_in_a_sentence_without_the_librarys_words(sound, tmp_path, at):
    content = bytearray(sound.read_bytes())
    content[at : at + 64] = bytes(64)
    sound.write_bytes(content)
    with pytest.raises(InputError) as caught:
        import_file(sound, tmp_path / "ds", timeout_s=4)
    assert caught.value.hint
    assert "Error" not in caught.value.message
    assert "heap" not in caught.value.message


def test_a_full_disk_is_a_project_error(sound, monkeypatch):
    def full(*_args, **_more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    failure = ask(sound)["error"]
    assert failure["class"] == "ProjectError"
    assert "No space left" in failure["message"]
    assert not (sound.parent / "ds").exists()


@pytest.mark.parametrize("share", [0.05, 0.5, 0.99])
def test_a_file_cut_short_is_refused(sound, share):
    content = sound.read_bytes()
    sound.write_bytes(content[: int(len(content) * share)])
    assert "cut off" in refusal(sound)


def test_a_pipe_does_not_hang(tmp_path):
    path = tmp_path / "x.h5ad"
    os.mkfifo(path)
    assert "not a regular file" in refusal(path)


def test_hdf5_without_cells_is_not_anndata(tmp_path):
    with h5py.File(tmp_path / "x.h5ad", "w") as file:
        file["a"] = 1
    assert "not AnnData" in refusal(tmp_path / "x.h5ad")


def test_a_writer_that_died_is_noticed(sound):
    with h5py.File(sound, "r+") as file:
        del file["obs"]
    assert "incomplete: obs is missing" in refusal(sound)


def test_too_little_memory_is_refused_with_numbers(sound):
    assert "needs 0.2 GB, 0.1 GB may be used" in refusal(sound, memory_mb=100)


def test_an_unknown_column_is_left_out_and_named(sound):
    with h5py.File(sound, "r+") as file:
        file["obs/odd"] = np.zeros((60, 2))
        file["uns/odd"] = 1
        file["uns/odd"].attrs["encoding-type"] = "from the future"
    result = ask(sound)["result"]
    assert list(result["obs_columns"]) == ["cell_type"]
    assert any("obs['odd']" in sentence for sentence in result["repairs"])


def test_an_error_crosses_from_the_child_with_its_class(sound, tmp_path):
    with h5py.File(sound, "r+") as file:
        file["X/data"][:] = file["X/data"][:] / 3
    with pytest.raises(CountsNotFound, match="fractional") as caught:
        import_file(sound, tmp_path / "ds")
    assert "raw counts" in caught.value.hint
    assert [item.name for item in tmp_path.iterdir()] == ["sound.h5ad"]


def test_a_child_that_takes_too_long_is_stopped(sound, tmp_path):
    with pytest.raises(InputError, match="longer than"):
        import_file(sound, tmp_path / "ds", timeout_s=0.01)
    assert not (tmp_path / "ds").exists()


def test_a_child_that_dies_is_a_sentence(sound, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(InputError, match="exit code 1"):
        import_file(sound, tmp_path / "ds")


def test_a_missing_file_is_a_sentence(tmp_path):
    with pytest.raises(FileRefused, match=r"no file nothing\.h5ad"):
        import_file(tmp_path / "nothing.h5ad", tmp_path / "ds")


def test_the_users_file_is_not_touched(sound, tmp_path):
    before = (sound.read_bytes(), sound.stat().st_mtime_ns)
    import_file(sound, tmp_path / "ds")
    assert (sound.read_bytes(), sound.stat().st_mtime_ns) == before
