"""The inventory of bad inputs: what each of its 102 numbers has to end in, or where it is tested.

``CASES`` lists what can be a file; ``ELSEWHERE`` what a file cannot be (labels in training,
entries that no file can hold, code that is not there), with the test that covers it or the reason
why none does. Every number of the inventory is in one of the two.
"""

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from tests.data.intake.damage import bad_files as make
from tests.data.intake.damage import bad_inputs as bad
from tests.data.intake.outcomes import Asks, Loads, Outcome, Refused

KEPT = Loads("X", 60, 40)
ROUNDING = Asks("rounding", {"rounding": "leave"}, Refused("CountsNotFound", "not whole"))
KEPT_TWICE = Loads("X", 60, 40, ("1 value stored twice for the same cell and gene; added up",))
KEPT_UNSORTED = Loads("X", 60, 40, ("1,479 values stored out of order; sorted here",))
OUTSIDE = Refused("FileRefused", "a link to a file outside itself (/uns/leak)")
SOFT = Refused("FileRefused", "a soft link")
DAMAGED = Refused("FileRefused", "damaged")


@dataclass(frozen=True, slots=True)
class Bad:
    """One bad input: its number, a name, how it is made, what becomes of it.

    `same` tells whether the counts that are read are those of the sound file.
    """

    number: int
    name: str
    make: Callable[[Path], Path]
    outcome: Outcome
    same: bool = True


def kept(*says: str, source: str = "X") -> Loads:
    return Loads(source, bad.N_OBS, bad.N_VARS, says)


def file(words: str) -> Refused:
    return Refused("FileRefused", words)


def no_counts(words: str) -> Refused:
    return Refused("CountsNotFound", words)


MTX = "%%MatrixMarket matrix coordinate integer general\n"
PICKLE = [{"id": "vlen-utf8"}, {"id": "pickle"}]
ROWS = {"orientation": "cells-in-rows"}
ASKED = Asks("orientation", ROWS, KEPT)

CASES = [
    Bad(1, "nothing", lambda d: bad.raw_bytes(d, b""), file("empty (0 bytes)")),
    Bad(2, "5 %", lambda d: bad.raw_bytes(d, make.bytes_of(d)[:1500]), file("cut off")),
    Bad(2, "99 %", lambda d: bad.raw_bytes(d, make.bytes_of(d)[:-200]), file("cut off")),
    Bad(3, "second half zeroed", make.second_half_zero, DAMAGED),
    Bad(6, "web page", lambda d: bad.raw_bytes(d, bad.HTML), file("a web page")),
    Bad(7, "gzip around", lambda d: bad.raw_bytes(d, bad.gzip.compress(make.bytes_of(d))), KEPT),
    Bad(7, "zip around", lambda d: bad.zipped(d / "x.zip", {"a.h5ad": make.bytes_of(d)}), KEPT),
    Bad(8, "empty folder", lambda d: d, file("holds no data")),
    Bad(8, "pipe", make.fifo, file("not a regular file")),
    Bad(8, "device", lambda _: Path("/dev/zero"), file("not a regular file")),
    Bad(
        10, "writer died", make.changed(lambda f: f.pop("obs")), file("incomplete: obs is missing")
    ),
    Bad(
        11,
        "h5mu renamed",
        bad.h5mu,
        Asks("modality", {"modality": "rna"}, kept("atac left aside")),
    ),
    Bad(12, "other HDF5", make.other_hdf5, file("not AnnData")),
    Bad(13, "loom renamed", lambda d: bad.loom(d, "x.h5ad"), KEPT),
    Bad(14, "loom without loompy", bad.loom, KEPT),
    Bad(15, "h5ad named .h5", lambda d: bad.sound(d / "x.h5"), KEPT),
    Bad(16, "unknown ending", lambda d: bad.sound(d / "x.unknown"), KEPT),
    Bad(17, "zarr in a zip", bad.zipped_store, KEPT),
    Bad(
        18, "external storage", make.changed(make.storage), file("stored in a file outside itself")
    ),
    Bad(
        19,
        "external link",
        make.changed(lambda f: make.link(f, h5py.ExternalLink("o.h5", "/"))),
        OUTSIDE,
    ),
    Bad(
        20,
        "link to this",
        make.changed(lambda f: make.link(f, h5py.ExternalLink("x.h5ad", "/"))),
        OUTSIDE,
    ),
    Bad(21, "link to a pipe", make.fifo_behind_a_link, OUTSIDE),
    Bad(
        22,
        "link to nothing",
        make.changed(lambda f: make.link(f, h5py.ExternalLink("/no", "/"))),
        OUTSIDE,
    ),
    Bad(23, "virtual data set", make.changed(make.virtual), file("a virtual data set")),
    Bad(24, "soft link", make.changed(lambda f: make.link(f, h5py.SoftLink("/X"))), SOFT),
    Bad(
        24, "dangling soft link", make.changed(lambda f: make.link(f, h5py.SoftLink("/no"))), SOFT
    ),
    Bad(24, "cycle of soft links", make.changed(make.soft_cycle), SOFT),
    Bad(25, "cycle of hard links", make.changed(make.cycle), file("linked 2 times")),
    Bad(26, "billion laughs", make.changed(make.laughs), file("linked 10 times")),
    Bad(
        26, "texts in one place", make.changed(bad.shared_text), file("texts that share one place")
    ),
    Bad(27, "3,000 groups deep", make.changed(make.deep), file("groups inside groups")),
    Bad(28, "dense bomb", make.changed(make.dense_bomb), file("223.5 GiB")),
    Bad(29, "sparse bomb", make.changed(make.sparse_bomb), file("7.5 GiB")),
    Bad(30, "packed zeros", make.changed(make.packed_zeros), kept("layers/z has the shape")),
    Bad(31, "foreign filter", make.changed(make.foreign_filter), file("zstd")),
    Bad(32, "unknown entry", make.changed(make.from_the_future), KEPT),
    Bad(33, "pickle in zarr", make.described("X/data", filters=PICKLE), file("'pickle'")),
    Bad(33, "objects in zarr", make.described("X/data", dtype="|O"), file("may run code")),
    Bad(34, "link in zarr", make.linked_chunk, file("a link")),
    Bad(35, "lost block", make.lost_chunk, file("1 of 4 blocks of X/data are missing")),
    Bad(36, "zarr bomb", make.described("X/data", shape=[10**13]), file("GiB")),
    Bad(37, "zip leads out", lambda d: bad.zipped(d / "x.zip", {"../a": b"x"}), file("outside")),
    Bad(37, "zip overlaps", bad.overlapping_zip, file("overlap")),
    Bad(37, "zip with a link", bad.linked_zip, file("a link")),
    Bad(37, "zip bomb", make.zip_bomb, file("unpacks from")),
    Bad(38, "foreign model", make.model, file("holds no data")),
    Bad(41, "slash in a name", make.changed(make.slash), kept("obs['dose'] cannot be read")),
    Bad(42, "newer anndata", make.changed(make.newer), file("newer")),
    Bad(43, "nan", make.changed(bad.set_value(np.nan)), file("nan in cell c0")),
    Bad(44, "infinite", make.changed(bad.set_value(np.inf)), file("inf in cell c0")),
    Bad(45, "negative", make.changed(bad.set_value(-3)), file("-3 in cell c0")),
    Bad(46, "fractional", make.sound(matrix=make.few_expressed(1.5)), ROUNDING),
    Bad(47, "log and a layer", make.changed(make.log_and_layer), kept(source="layers/counts")),
    Bad(48, "scaled", make.sound(matrix=bad.counts() - 1.03, dense=True), no_counts("scaled")),
    Bad(
        49,
        "only 0 and 1",
        make.sound(matrix=np.minimum(bad.counts(), 1)),
        kept("only zeros and ones"),
        False,
    ),
    Bad(50, "1e30", make.sound(matrix=make.few_expressed(1e30)), no_counts("1e+30, too large")),
    Bad(
        51,
        "empty cells",
        make.sound(matrix=make.empty_rows()),
        kept("5 cells have no counts"),
        False,
    ),
    Bad(
        52,
        "texts",
        make.changed(bad.replace_x(np.array([[b"S1"] * 40] * 60))),
        no_counts("cannot be"),
    ),
    Bad(52, "complex", make.changed(bad.replace_x(bad.counts() + 0j)), no_counts("cannot be")),
    Bad(53, "float16", make.sound(matrix=bad.counts().astype("f2"), dense=True), KEPT),
    Bad(53, "big-endian", make.sound(matrix=bad.counts().astype(">f4"), dense=True), KEPT),
    Bad(54, "one dimension", make.changed(bad.replace_x(np.ones(60))), no_counts("cannot be")),
    Bad(54, "three", make.changed(bad.replace_x(np.ones((60, 40, 2)))), no_counts("cannot be")),
    Bad(55, "turned round", make.changed(bad.replace_x(bad.counts().T)), file("turned round")),
    Bad(56, "no X, a layer", make.changed(make.no_x), kept(source="layers/counts")),
    Bad(56, "no X at all", make.changed(lambda f: f.pop("X")), no_counts("X is missing")),
    Bad(57, "beyond the last gene", make.changed(make.shifted), file("beyond its last gene")),
    Bad(58, "falling pointers", make.changed(make.falling), file("row pointers")),
    Bad(59, "one place twice", make.changed(make.twice), KEPT_TWICE),
    Bad(60, "unsorted", make.changed(make.unsorted), KEPT_UNSORTED),
    Bad(60, "csc", make.changed(make.stored_as(stored="csc")), KEPT),
    Bad(60, "int64 positions", make.changed(make.stored_as(index=np.int64)), KEPT),
    Bad(60, "uint16", make.sound(matrix=bad.counts().astype("u2")), KEPT),
    Bad(60, "float64", make.sound(matrix=bad.counts().astype("f8"), dense=True), KEPT),
    Bad(61, "coo", make.changed(make.coo), no_counts("cannot be")),
    Bad(62, "negative pointers", make.changed(make.negative_pointer), file("row pointers")),
    Bad(63, "two scales", make.changed(make.two_scales), no_counts("X")),
    Bad(64, "no cells", lambda d: bad.of_size(d, 0, 40), file("no cells")),
    Bad(65, "2 cells", lambda d: bad.of_size(d, 2, 40), file("2 cells")),
    Bad(67, "1 gene", lambda d: bad.of_size(d, 60, 1), file("1 gene")),
    Bad(67, "no genes", lambda d: bad.of_size(d, 60, 0), file("no genes")),
    Bad(74, "cells of one name", make.sound(obs=["c"] * 60), kept("59 cell names repeated")),
    Bad(75, "genes of one name", make.sound(var=["g"] * 40), kept("39 gene names repeated")),
    Bad(
        77,
        "no label",
        make.sound(labels=([0, 1, -1] * 20, ["A", "B"])),
        kept("20 cells without a value"),
    ),
    Bad(78, "numbers as labels", make.sound(labels=np.array([1, 2] * 30)), KEPT),
    Bad(79, "one label", make.sound(labels=([0] * 60, ["A"])), kept("it has 1 value")),
    Bad(82, "unknown", make.sound(labels=([0, 1] * 30, ["A", "unknown"])), kept("'unknown'")),
    Bad(
        83,
        "A and A_",
        make.sound(labels=([0, 1] * 30, ["A", "A "])),
        kept("differ only by spaces"),
    ),
    Bad(
        83,
        "accents",
        make.sound(labels=([0, 1] * 30, ["é", "e\u0301"])),
        kept("how letters are stored"),
    ),
    Bad(84, "unused", make.sound(labels=([0, 1] * 30, ["A", "B", "C"])), kept("1 value without")),
    Bad(85, "barcodes", make.sound(labels=bad.names("t", 60)), kept("look like barcodes")),
    Bad(89, "column listed twice", make.changed(make.listed_twice), KEPT),
    Bad(90, "bytes that are no text", make.changed(make.odd_bytes), KEPT),
    Bad(92, "numbers that miss some", make.changed(make.nullable), KEPT),
    Bad(93, "300 columns", make.changed(make.many_columns), KEPT),
    Bad(94, "semicolons", lambda d: bad.table(d, sep=";", decimal=","), ASKED),
    Bad(94, "tabs", lambda d: bad.table(d, sep="\t", name="x.txt"), ASKED),
    Bad(
        95,
        "no number",
        lambda d: bad.table(d, cell="many"),
        Asks("orientation", ROWS, file("many")),
    ),
    Bad(95, "ragged", make.text(",g1,g2\nc1,1,2\nc2,1\n"), file("different numbers of fields")),
    Bad(95, "header alone", make.text(",g1,g2\n"), file("x.csv")),
    Bad(96, "latin-1", lambda d: bad.table(d, encoding="cp1252"), ASKED),
    Bad(97, "no ending", make.wide_text, ASKED),
    Bad(98, "gzip bomb", lambda d: bad.raw_bytes(d, bad.gzip_bomb(5), "x.csv.gz"), file("x.csv")),
    Bad(99, "beyond", make.mtx(entries=["99 1 1"] * 1219), file("matrix.mtx")),
    Bad(99, "0-based", make.mtx(entries=["0 0 1"] * 1219), file("matrix.mtx")),
    Bad(99, "cut off", make.mtx(entries=["1 1 1"]), file("matrix.mtx")),
    Bad(99, "no banner", make.mtx(header="40 60 3\n"), file("")),
    Bad(
        100,
        "9e9 values",
        make.mtx(header=MTX + "40 60 9000000000\n"),
        file("9,000,000,000 values"),
    ),
    Bad(100, "2e9 rows", make.mtx(header=MTX + "2000000000 60 9\n"), file("Not enough memory")),
    Bad(101, "no matrix", make.mtx(missing="matrix.mtx"), file("barcodes.tsv")),
    Bad(102, "workbook", make.workbook, file("an Excel workbook")),
    Bad(102, "pickle", lambda d: bad.raw_bytes(d, pickle.dumps([1])), file("pickle")),
    Bad(102, "objects in npz", make.objects_npz, file("is not a file of single cells")),
]


HOSTILE = "tests/data/guard/test_hostile_files.py::"
GENES = "tests/data/genes/test_choose.py::"
TRAIN = "tests/annotation/model/test_annotator.py::"
ELSEWHERE = {
    4: "tests/data/intake/damage/test_fuzz.py::test_no_damage_ends_in_more_than_a_sentence",
    5: "tests/data/intake/damage/test_fuzz.py::test_no_damage_ends_in_more_than_a_sentence",
    9: f"{HOSTILE}test_a_file_that_another_program_writes_is_refused",
    39: "not: no weights of others are opened, and ours are safetensors, which hold no code",
    40: "tests/data/intake/test_odd_files.py::test_a_file_ends_as_its_entry_states",
    66: f"{TRAIN}test_any_number_of_cells_can_be_trained_on",
    68: f"{GENES}test_small_batches_are_pooled",
    69: f"{GENES}test_the_fallbacks_choose_as_many",
    70: "not: fewer than 20 cells or genes are refused when the file is read (65, 67)",
    71: f"{GENES}test_small_batches_are_pooled",
    72: f"{GENES}test_all_detected_genes_when_no_more_are_asked_for",
    73: "not: no principal components are taken of files below 20 cells or genes (65, 67)",
    76: "not: a file holds names of rows as text; numbers as names were text before",
    80: "tests/services/runs/test_inputs.py"
    "::test_too_few_types_are_told_by_the_plan_and_refused_at_the_start",
    81: f"{TRAIN}test_a_type_with_one_cell_is_trained_on",
    86: f"{HOSTILE}test_a_layer_that_is_not_there_is_named",
    87: "not: no file can hold them; what a file can hold of mixed values is tested in "
    "tests/export/test_columns.py",
    88: "not: no .h5ad can hold times; text that looks like times is text",
    91: "not: no file can hold them",
}
