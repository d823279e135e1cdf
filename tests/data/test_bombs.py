"""Packed files that unpack to more than data do, or hold more than fits, are refused early."""

import gzip
import io
import time
import zipfile

import numpy as np
import pytest

from scanvi_core.data.formats.text.glimpse import VALUE_BYTES, glimpse
from scanvi_core.data.guard import text as guard_text
from scanvi_core.data.guard.text import MAX_RATIO, RATIO_FROM_BYTES, check_ratio, open_text
from scanvi_core.data.guard.zip import opened_zip
from scanvi_core.data.intake.import_file import import_file
from scanvi_core.errors import FileRefused

pytestmark = pytest.mark.usefixtures("fresh_children")
HEADER = ("gene," + ",".join(f"cell{i}" for i in range(20_000)) + "\n").encode()
ROW = b"GAPDH" + b",0" * 20_000 + b"\n"
SOON_S = 30  # of processor time, loading the libraries included; it was minutes


def bomb(path, start, line, n_mib):
    """Write a gzip file of many members: so many MiB of the same line."""
    block = gzip.compress(line * (2**23 // len(line)), 9)
    path.write_bytes(gzip.compress(start) + block * (n_mib // 8))
    return path


def zip_of(path, name, n_mib):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as z:
        z.writestr(name, HEADER + ROW * (n_mib * 2**20 // len(ROW)))
    return path


MADE = {
    "table.csv.gz": lambda p: bomb(p, HEADER, ROW, 2_000),
    "file.h5ad.gz": lambda p: bomb(p, b"\x89HDF\r\n\x1a\n", bytes(2**20), 2_000),
    "table.zip": lambda p: zip_of(p, "table.csv", 80),
}


@pytest.mark.parametrize("name", MADE)
def test_what_unpacks_to_more_than_data_do_is_refused_soon(tmp_path, name):
    path = MADE[name](tmp_path / name)
    began = time.monotonic()
    with pytest.raises(FileRefused, match=r"unpacks from [\d,]+ bytes to \d+ MiB or more"):
        import_file(path, tmp_path / "ds", timeout_s=SOON_S)
    assert time.monotonic() - began < 10 * SOON_S
    assert [item.name for item in tmp_path.iterdir() if item.name != "source"] == [name]


def test_no_more_of_it_is_unpacked_than_tells(tmp_path):
    path = bomb(tmp_path / "x.csv.gz", HEADER, ROW, 400)
    n_bytes = 0
    with open_text(path, np.inf) as stream, pytest.raises(FileRefused, match="unpacks from"):
        while block := stream.read(2**20):
            n_bytes += len(block)
    assert n_bytes <= RATIO_FROM_BYTES + 2**20


def test_little_of_a_packed_file_is_read_at_a_time(tmp_path):
    """Whatever `gzip` of this Python asks for: else much comes of it before its place is known."""
    asked = []

    class File(io.BytesIO):
        def read(self, size=-1):
            asked.append(size)
            return super().read(size)

    noise = np.random.default_rng(0).bytes(2**20)
    with gzip.GzipFile(fileobj=guard_text.Sips(File(gzip.compress(noise)))) as packed:
        assert packed.read() == noise
        packed.seek(0)
        assert packed.read(10) == noise[:10]
    assert max(asked) <= guard_text.SIP_BYTES and min(asked) > 0


def test_a_table_with_few_counts_packs_well_and_is_read(tmp_path, monkeypatch):
    """One value in a thousand is not zero: fewer than any measurement of genes has."""
    monkeypatch.setattr(guard_text, "RATIO_FROM_BYTES", 2**20)
    values = np.random.default_rng(0).random((1_000, 4_000)) < 0.001
    text = "\n".join(
        f"GENE{i}," + ",".join(map(str, row)) for i, row in enumerate(values.astype(int).tolist())
    )
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress(text.encode(), 9))
    with open_text(path, np.inf) as stream:
        assert len(stream.read()) == len(text) > 300 * path.stat().st_size


def test_the_ratio_is_asked_of_what_is_large():
    check_ratio("x", 1, RATIO_FROM_BYTES)
    check_ratio("x", 2**20, MAX_RATIO * 2**20)
    with pytest.raises(FileRefused):
        check_ratio("x", 2**20, MAX_RATIO * 2**20 + 1)


def test_many_entries_of_a_zip_count_together(tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        for i in range(9):
            z.writestr(str(i), bytes(8 * 2**20))
    with pytest.raises(FileRefused, match="unpacks from"), opened_zip(path, 1e9):
        pass


@pytest.mark.parametrize("cell", [b",1", b",17", b",0", b", 0", b',"0"', b",0.0"])
def test_a_table_that_cannot_fit_is_refused_before_it_is_read(tmp_path, cell):
    path = tmp_path / "x.csv"
    path.write_bytes(b"gene,a,b,c\n" + (b"G" + cell * 3 + b"\n") * 1_000)
    needed = 3_000 * VALUE_BYTES
    assert glimpse(path, np.inf, needed + 100).n_lines == 1_001
    if cell in {b",1", b",17"}:
        with pytest.raises(FileRefused, match=r"Not enough memory for x\.csv: it holds"):
            glimpse(path, np.inf, needed - 100)
    else:
        assert glimpse(path, np.inf, 100).n_lines == 1_001
