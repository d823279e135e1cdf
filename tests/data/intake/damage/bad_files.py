"""Bad inputs made from the sound ones of ``bad_inputs``: one fault each."""

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

from tests.data.intake.damage import bad_inputs as bad


def changed(change) -> Callable[[Path], Path]:
    return lambda folder: bad.changed(folder, change)


def sound(**more) -> Callable[[Path], Path]:
    return lambda folder: bad.sound(folder / "x.h5ad", **more)


def bytes_of(folder: Path) -> bytes:
    return bad.sound(folder / "x.h5ad").read_bytes()


def link(file: h5py.File, value) -> None:
    file["uns/leak"] = value


def soft_cycle(file: h5py.File) -> None:
    file["uns/a"] = h5py.SoftLink("/uns/b")
    file["uns/b"] = h5py.SoftLink("/uns/a")


def storage(file: h5py.File) -> None:
    file.create_dataset("uns/leak", (10,), "u1", external=[("/etc/passwd", 0, 10)])


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((5,), "f4")
    layout[:] = h5py.VirtualSource("/tmp/other.h5", "x", (5,))
    file.create_virtual_dataset("uns/leak", layout)


def laughs(file: h5py.File) -> None:
    here = file.create_group("uns/laugh")
    for level in range(40):
        below = here.create_group(f"l{level}")
        for number in range(9):
            here[f"again{number}"] = below
        here = below


def cycle(file: h5py.File) -> None:
    file["uns/self"] = file["uns"]


def deep(file: h5py.File) -> None:
    file.create_group("uns/" + "/".join("x" * 3000))


def dense_bomb(file: h5py.File) -> None:
    bad.replace_x(np.zeros(1))(file)
    del file["X"]
    file.create_dataset("X", (60, 10**9), "f4", chunks=(1, 1000))


def sparse_bomb(file: h5py.File) -> None:
    for name in ("data", "indices"):
        del file[f"X/{name}"]
        file.create_dataset(f"X/{name}", (2 * 10**9,), "i4", chunks=(1000,))


def packed_zeros(file: h5py.File) -> None:
    file.create_dataset("layers/z", data=np.zeros((60, 10**5), "f4"), compression=9)


def foreign_filter(file: h5py.File) -> None:
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((10,))
    plist.set_filter(32015, h5py.h5z.FLAG_OPTIONAL)
    space = h5py.h5s.create_simple((10,))
    h5py.h5d.create(file["uns"].id, b"zstd", h5py.h5t.NATIVE_INT32, space, plist)


def from_the_future(file: h5py.File) -> None:
    file["uns/odd"] = 1
    file["uns/odd"].attrs["encoding-type"] = "from the future"


def newer(file: h5py.File) -> None:
    file["obs"].attrs["encoding-version"] = "9.0.0"


def shifted(file: h5py.File) -> None:
    file["X/indices"][5] = 1_000_000


def falling(file: h5py.File) -> None:
    file["X/indptr"][3] = 10_000


def negative_pointer(file: h5py.File) -> None:
    file["X/indptr"][0] = -5


def twice(file: h5py.File) -> None:
    """Split the first stored count above one in two entries of the same place."""
    data = file["X/data"][:]
    at = int(np.flatnonzero(data > 1)[0])
    row = int(np.searchsorted(file["X/indptr"][:], at, side="right")) - 1
    parts = {"data": np.insert(data, at, 1.0), "indices": file["X/indices"][:]}
    parts["data"][at + 1] -= 1
    parts["indices"] = np.insert(parts["indices"], at, parts["indices"][at])
    indptr = file["X/indptr"][:]
    indptr[row + 1 :] += 1
    for name, values in {**parts, "indptr": indptr}.items():
        del file[f"X/{name}"]
        file[f"X/{name}"] = values


def unsorted(file: h5py.File) -> None:
    for start, stop in zip(file["X/indptr"][:-1], file["X/indptr"][1:], strict=True):
        for name in ("X/data", "X/indices"):
            file[name][start:stop] = file[name][start:stop][::-1]


def stored_as(**more):
    def change(file: h5py.File) -> None:
        del file["X"]
        bad.write_sparse(file, "X", bad.counts(), **more)

    return change


def coo(file: h5py.File) -> None:
    file["X"].attrs["encoding-type"] = "coo_matrix"


def no_x(file: h5py.File) -> None:
    bad.write_sparse(file, "layers/counts", bad.counts())
    del file["X"]


def two_scales(file: h5py.File) -> None:
    matrix = bad.counts()
    matrix[30:] = np.log1p(matrix[30:] / matrix[30:].sum(axis=1, keepdims=True) * 1e4)
    bad.replace_x(matrix)(file)


def log_and_layer(file: h5py.File) -> None:
    bad.write_sparse(file, "layers/counts", bad.counts())
    bad.replace_x(np.log1p(bad.counts() / bad.counts().sum(1, keepdims=True) * 1e4))(file)


def nullable(file: h5py.File) -> None:
    part = file["obs"].create_group("n_spots")
    part.attrs.update({"encoding-type": "nullable-integer", "encoding-version": "0.1.0"})
    part["values"], part["mask"] = np.arange(60), np.arange(60) % 7 == 0


def slash(file: h5py.File) -> None:
    file["obs/dose/mg"] = np.arange(60)


def listed_twice(file: h5py.File) -> None:
    bad.write_column(file["obs"], "batch.1", np.arange(60))
    order = ["cell_type", "batch", "batch", "batch.1"]
    file["obs"].attrs["column-order"] = np.array(order, dtype=bad.TEXT)


def odd_bytes(file: h5py.File) -> None:
    file["obs/odd"] = np.array([b"\xff\xfe caf\xe9"] * 60, dtype=bad.TEXT)


def many_columns(file: h5py.File) -> None:
    for number in range(300):
        file[f"obs/column{number}"] = np.zeros(60, np.int8)


def few_expressed(value) -> np.ndarray:
    matrix = bad.counts()
    matrix[4, 4] = value
    return matrix


def empty_rows() -> np.ndarray:
    matrix = bad.counts()
    matrix[:5] = 0
    return matrix


def fifo(folder: Path) -> Path:
    os.mkfifo(folder / "x.h5ad")
    return folder / "x.h5ad"


def fifo_behind_a_link(folder: Path) -> Path:
    os.mkfifo(folder / "pipe")
    return bad.changed(folder, lambda file: link(file, h5py.ExternalLink(folder / "pipe", "/")))


def second_half_zero(folder: Path) -> Path:
    content = bytes_of(folder)
    half = len(content) // 2
    return bad.raw_bytes(folder, content[:half] + bytes(len(content) - half))


def linked_chunk(folder: Path) -> Path:
    root = bad.zarr_store(folder)
    (root / "X" / "data" / "0").unlink()
    (root / "X" / "data" / "0").symlink_to("/etc/passwd")
    return root


def lost_chunk(folder: Path) -> Path:
    root = bad.zarr_store(folder)
    (root / "X" / "data" / "1").unlink()
    return root


def described(key: str, **more) -> Callable[[Path], Path]:
    return lambda folder: bad.change_description(bad.zarr_store(folder), key, **more)


def model(folder: Path) -> Path:
    content = {"archive/data.pkl": pickle.dumps({"x": 1}), "archive/version": b"3"}
    return bad.zipped(folder / "model.pt", content, zipfile.ZIP_STORED)


def objects_npz(folder: Path) -> Path:
    np.savez(folder / "x.npz", a=np.array([{}], dtype=object))
    return folder / "x.npz"


def workbook(folder: Path) -> Path:
    return bad.zipped(folder / "x.xlsx", {"[Content_Types].xml": b"<x/>", "xl/a.xml": b"<x/>"})


def wide_text(folder: Path) -> Path:
    return bad.raw_bytes(folder, bad.table(folder).read_bytes(), "x.unknown")


def text(content: str, name: str = "x.csv") -> Callable[[Path], Path]:
    return lambda folder: bad.raw_bytes(folder, content.encode(), name)


def mtx(**more) -> Callable[[Path], Path]:
    return lambda folder: bad.mtx_folder(folder, **more)


def other_hdf5(folder: Path) -> Path:
    with h5py.File(folder / "x.h5", "w") as file:
        file["a"] = 1
    return folder / "x.h5"


def zip_bomb(folder: Path) -> Path:
    path = bad.zipped(folder / "x.zip", {"matrix.mtx": bytes(10**6)})
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02") + 24
    content[at : at + 4] = (2**32 - 2).to_bytes(4, "little")
    path.write_bytes(content)
    return path
