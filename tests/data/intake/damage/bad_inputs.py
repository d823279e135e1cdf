"""Builders of bad inputs: small files, each wrong in one way that has been met or can be made.

The numbers are those of an inventory of 102 bad inputs: what a container, a hostile writer, an old
library, a spreadsheet or a pipeline can do to a file. `test_bad_inputs` says what becomes of each.
"""

import gzip
import io
import json
import struct
import zipfile
import zlib
from pathlib import Path

import h5py
import numpy as np

N_OBS, N_VARS = 60, 40
TEXT = h5py.string_dtype()
HTML = b"<!DOCTYPE html><html><body>Please log in</body></html>"


def counts() -> np.ndarray:
    """Return the counts of the sound file, float32 [60, 40]; every cell has some."""
    return np.random.default_rng(0).poisson(1.0, (N_OBS, N_VARS)).astype(np.float32)


def names(letter: str, n: int) -> list[str]:
    return [f"{letter}{number}" for number in range(n)]


def write_frame(file, key, index, **columns):
    """Write a table as anndata does: texts, numbers, or (codes, categories)."""
    group = file.create_group(key)
    group.attrs.update({"encoding-type": "dataframe", "encoding-version": "0.2.0"})
    group.attrs["_index"] = "_index"
    group.attrs["column-order"] = np.array(list(columns), dtype=TEXT)
    group.create_dataset("_index", data=np.array(index, dtype=object), dtype=TEXT)
    for name, values in columns.items():
        write_column(group, name, values)


def write_column(group, name, values):
    if isinstance(values, tuple):
        part = group.create_group(name)
        part.attrs.update({"encoding-type": "categorical", "encoding-version": "0.2.0"})
        part.attrs["ordered"] = False
        part["codes"] = np.asarray(values[0], np.int8)
        part.create_dataset("categories", data=np.array(values[1], dtype=object), dtype=TEXT)
    elif np.asarray(values).dtype.kind in "OU":
        group.create_dataset(name, data=np.array(values, dtype=object), dtype=TEXT)
    else:
        group[name] = values


def write_sparse(file, key, matrix, *, stored="csr", index=np.int32):
    matrix = matrix if stored == "csr" else matrix.T
    rows, columns = np.nonzero(matrix)
    group = file.create_group(key)
    group.attrs.update({"encoding-type": f"{stored}_matrix", "encoding-version": "0.1.0"})
    group.attrs["shape"] = (N_OBS, N_VARS) if stored == "csr" else matrix.shape[::-1]
    group["data"] = matrix[rows, columns]
    group["indices"] = columns.astype(index)
    lengths = np.bincount(rows, minlength=matrix.shape[0])
    group["indptr"] = np.concatenate([[0], np.cumsum(lengths)]).astype(index)


def sound(path: Path, matrix=None, *, dense=False, labels=None, obs=None, var=None) -> Path:
    """Write a small sound .h5ad file with two types and two batches; parts may be replaced."""
    matrix = counts() if matrix is None else matrix
    labels = ([0, 1] * (N_OBS // 2), ["A", "B"]) if labels is None else labels
    with h5py.File(path, "w") as file:
        file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        columns = {"cell_type": labels, "batch": ([0] * 30 + [1] * 30, ["x", "y"])}
        write_frame(file, "obs", names("c", N_OBS) if obs is None else obs, **columns)
        write_frame(file, "var", names("g", N_VARS) if var is None else var)
        for slot in ("layers", "obsm", "uns"):
            file.create_group(slot).attrs.update(
                {"encoding-type": "dict", "encoding-version": "0.1.0"}
            )
        if dense:
            file["X"] = matrix
        else:
            write_sparse(file, "X", matrix)
    return path


def changed(folder: Path, change) -> Path:
    """Return a sound file to which `change(file)` was done."""
    path = sound(folder / "x.h5ad")
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def of_size(folder: Path, n_obs: int, n_vars: int) -> Path:
    path = folder / "x.h5ad"
    with h5py.File(path, "w") as file:
        write_frame(file, "obs", names("c", n_obs))
        write_frame(file, "var", names("g", n_vars))
        file["X"] = np.ones((n_obs, n_vars), np.float32)
    return path


def raw_bytes(folder: Path, content: bytes, name: str = "x.h5ad") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def set_value(value):
    def change(file):
        file["X/data"][3] = value

    return change


def replace_x(matrix):
    def change(file):
        del file["X"]
        file["X"] = matrix

    return change


def zarr_store(folder: Path, name: str = "x.zarr") -> Path:
    """Write the sound file as a zarr store of version 2, by hand."""
    root = folder / name
    matrix = counts()
    rows, columns = np.nonzero(matrix)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=N_OBS))])
    groups = {
        "": {"encoding-type": "anndata", "encoding-version": "0.1.0"},
        "obs": frame_attributes(),
        "var": frame_attributes(),
        "X": {
            "encoding-type": "csr_matrix",
            "encoding-version": "0.1.0",
            "shape": [N_OBS, N_VARS],
        },
    }
    for key, attributes in groups.items():
        put(root / key / ".zgroup", {"zarr_format": 2})
        put(root / key / ".zattrs", attributes)
    arrays = {"data": matrix[rows, columns], "indices": columns.astype("<i4")}
    for key, values in {**arrays, "indptr": indptr.astype("<i4")}.items():
        zarr_array(root / "X" / key, values)
    zarr_texts(root / "obs" / "_index", names("c", N_OBS))
    zarr_texts(root / "var" / "_index", names("g", N_VARS))
    return root


def frame_attributes():
    about = {"encoding-type": "dataframe", "encoding-version": "0.2.0"}
    return {**about, "_index": "_index", "column-order": []}


def put(path: Path, content) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def describe_array(path: Path, n: int, dtype: str, chunk: int, filters=None) -> None:
    about = {"shape": [n], "chunks": [chunk], "dtype": dtype, "compressor": None}
    fill = "" if filters else 0
    more = {"fill_value": fill, "filters": filters, "order": "C", "zarr_format": 2}
    put(path / ".zarray", {**about, **more})
    put(path / ".zattrs", {"encoding-type": "array", "encoding-version": "0.2.0"})


def zarr_array(path: Path, values: np.ndarray, chunk: int = 500) -> None:
    describe_array(path, len(values), values.dtype.str, chunk)
    for number, start in enumerate(range(0, len(values), chunk)):
        block = np.zeros(chunk, values.dtype)
        part = values[start : start + chunk]
        block[: len(part)] = part
        (path / str(number)).write_bytes(block.tobytes())


def zarr_texts(path: Path, texts: list[str]) -> None:
    describe_array(path, len(texts), "|O", len(texts), [{"id": "vlen-utf8"}])
    about = {"encoding-type": "string-array", "encoding-version": "0.2.0"}
    put(path / ".zattrs", about)
    parts = [struct.pack("<I", len(text)) + text.encode() for text in texts]
    (path / "0").write_bytes(struct.pack("<I", len(texts)) + b"".join(parts))


def change_description(root: Path, key: str, **more) -> Path:
    path = root / key / ".zarray"
    path.write_text(json.dumps({**json.loads(path.read_text()), **more}))
    return root


def zipped(path: Path, entries: dict[str, bytes], method=zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def zipped_store(folder: Path) -> Path:
    root = zarr_store(folder)
    files = [path for path in sorted(root.rglob("*")) if path.is_file()]
    entries = {str(path.relative_to(root)): path.read_bytes() for path in files}
    return zipped(folder / "x.zarr.zip", entries, zipfile.ZIP_STORED)


def overlapping_zip(folder: Path) -> Path:
    """Write an archive whose list names one block of bytes a hundred times."""
    path = zipped(folder / "x.zip", {"matrix.mtx": bytes(10**6)})
    content = path.read_bytes()
    at = content.index(b"PK\x01\x02")
    end = content.index(b"PK\x05\x06")
    listed = content[at:end]
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 100, 100, 100 * len(listed), at, 0)
    path.write_bytes(content[:at] + listed * 100 + tail)
    return path


def linked_zip(folder: Path) -> Path:
    info = zipfile.ZipInfo("matrix.mtx")
    info.external_attr = 0o120777 << 16
    path = folder / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    return path


def mtx_folder(folder: Path, *, header=None, entries=None, missing="") -> Path:
    """Write a 10x folder (version 2) of the sound counts; header and entries may be replaced."""
    root = folder / "tenx"
    root.mkdir()
    matrix = counts().T
    rows, columns = np.nonzero(matrix)
    lines = [
        f"{row + 1} {column + 1} {int(matrix[row, column])}"
        for row, column in zip(rows, columns, strict=True)
    ]
    header = header or (
        f"%%MatrixMarket matrix coordinate integer general\n%\n{N_VARS} {N_OBS} {len(lines)}\n"
    )
    files = {
        "matrix.mtx": header + "\n".join(lines if entries is None else entries) + "\n",
        "genes.tsv": "".join(f"ENSG{number:011d}\tg{number}\n" for number in range(N_VARS)),
        "barcodes.tsv": "".join(f"{name}\n" for name in names("c", N_OBS)),
    }
    for name, content in files.items():
        if name != missing:
            (root / name).write_text(content)
    return root


def table(
    folder: Path, *, sep=",", decimal=".", encoding="utf-8", name="x.csv", cell=None
) -> Path:
    """Write the sound counts as a text table, cells in rows; one cell may hold other text."""
    lines = [sep.join(["", *names("g", N_VARS)])]
    for row, values in zip(names("AAACCTGAGAAACCä", N_OBS), counts(), strict=True):
        lines.append(sep.join([row, *(f"{value:.1f}".replace(".", decimal) for value in values)]))
    if cell is not None:
        parts = lines[5].split(sep)
        parts[7] = cell
        lines[5] = sep.join(parts)
    return raw_bytes(folder, ("\n".join(lines) + "\n").encode(encoding), name)


def loom(folder: Path, name: str = "x.loom") -> Path:
    path = folder / name
    with h5py.File(path, "w") as file:
        file["matrix"] = counts().T
        file.create_group("layers")
        file["row_attrs/Gene"] = np.array(names("g", N_VARS), dtype="S")
        file["col_attrs/CellID"] = np.array(names("c", N_OBS), dtype="S")
    return path


def h5mu(folder: Path) -> Path:
    path = folder / "x.h5ad"
    with h5py.File(path, "w") as file:
        for modality in ("rna", "atac"):
            sound(folder / "part.h5ad")
            with h5py.File(folder / "part.h5ad") as part:
                part.copy(part["/"], file, f"mod/{modality}")
        write_frame(file, "obs", names("c", N_OBS))
        write_frame(file, "var", names("g", 2 * N_VARS))
    (folder / "part.h5ad").unlink()
    return path


def gzip_bomb(n_mib: int) -> bytes:
    """Return a gzip file of so many MiB of zeros, 1,000 times smaller."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb") as packed:
        for _ in range(n_mib):
            packed.write(bytes(2**20))
    return buffer.getvalue()


def shared_text(file: h5py.File, n: int = 500_000, length: int = 10_000) -> None:
    """Add a data set of `n` texts that all lie in one place."""
    one = file.create_dataset("uns/one", (1,), TEXT)
    one[0] = "x" * length
    file.flush()
    with Path(file.filename).open("rb") as handle:
        handle.seek(one.id.get_offset())
        place = handle.read(16)
    chunk = 2**16
    many = file.create_dataset("uns/many", (n,), TEXT, chunks=(chunk,), compression="gzip")
    block = zlib.compress(place * chunk)
    for start in range(0, n, chunk):
        many.id.write_direct_chunk((start,), block)


def tenx(folder: Path) -> Path:
    """Write the sound counts as Cell Ranger 3 does."""
    path = folder / "x.h5"
    with h5py.File(path, "w") as file:
        write_sparse(file, "matrix", counts())
        group = file["matrix"]
        group["shape"] = np.array([N_VARS, N_OBS])
        group["barcodes"] = np.array(names("c", N_OBS), dtype="S")
        group["features/id"] = np.array(names("ENSG", N_VARS), dtype="S")
        group["features/name"] = np.array(names("g", N_VARS), dtype="S")
        group["features/feature_type"] = np.array(["Gene Expression"] * N_VARS, dtype="S")
    return path
