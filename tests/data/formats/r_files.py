"""R objects as R saves them (R Internals, Serialization Formats)."""

import bz2
import gzip
import lzma

import numpy as np

from tests.data.formats.reading import CELLS, GENES, TYPES

SEURAT_LAYERS = ("counts.a", "counts.b")


TYPES_OF_R = {"LIST": 2, "LGL": 10, "INT": 13, "REAL": 14, "STR": 16, "VEC": 19, "S4": 25}
NOTHING, SYMBOL, CHAR = 254, 1, 9
OBJECT, ATTRIBUTES, TAG, UTF8 = 0x100, 0x200, 0x400, 8 << 12


def number(value):
    return int(value).to_bytes(4, "big", signed=True)


def text(value):
    content = str(value).encode()
    return number(CHAR | UTF8) + number(len(content)) + content


def node(kind, value=None, attributes=None, *, is_object=False):
    """The bytes of one R object; attributes become a pairlist, the slots of S4."""
    more = b"".join(
        number(TYPES_OF_R["LIST"] | TAG) + number(SYMBOL) + text(name) + part
        for name, part in (attributes or {}).items()
    )
    more += number(NOTHING) if attributes else b""
    flags = TYPES_OF_R[kind] | (OBJECT if is_object else 0) | (ATTRIBUTES if attributes else 0)
    if kind == "S4":
        return number(flags) + more
    if kind in {"STR", "VEC"}:
        content = b"".join(value)
    else:
        content = np.asarray(value).astype(">f8" if kind == "REAL" else ">i4").tobytes()
    return number(flags) + number(len(value)) + content + more


def strings(values, **attributes):
    return node("STR", [text(value) for value in values], attributes)


def numbers(values, **attributes):
    array = np.asarray(values)
    real = array.dtype.kind == "f"
    kind, dtype = ("REAL", np.float64) if real else ("INT", np.int32)
    return node(kind, array.astype(dtype).ravel(), attributes)


def named(parts, **attributes):
    return node("VEC", list(parts.values()), {"names": strings(parts), **attributes})


def s4(name, **slots):
    return node("S4", None, {**slots, "class": strings([name])}, is_object=True)


def nothing():
    return number(NOTHING)


def sparse(counts, *, names=True, genes=GENES, cells=CELLS):
    """A dgCMatrix [genes, cells] of counts [cells, genes]."""
    rows = counts.tocsr().astype(float)
    sides = [strings(genes), strings(cells)] if names else [nothing(), nothing()]
    return s4(
        "dgCMatrix", i=numbers(rows.indices), p=numbers(rows.indptr),
        Dim=numbers(rows.shape[::-1]), Dimnames=node("VEC", sides), x=numbers(rows.data),
    )  # fmt: skip


def factor(values):
    levels = sorted(set(values))
    codes = [levels.index(value) + 1 for value in values]
    about = {"levels": strings(levels), "class": strings(["factor"])}
    return node("INT", codes, about, is_object=True)


def data_frame(columns, rows):
    more = {"row.names": strings(rows), "class": strings(["data.frame"])}
    return node("VEC", list(columns.values()), {"names": strings(columns), **more}, is_object=True)


def dense(values, rows, columns):
    """A matrix of R: by columns."""
    sides = node("VEC", [strings(rows), strings(columns)])
    return node("REAL", np.asarray(values, float).T.ravel(),
                {"dim": numbers(np.shape(values)), "dimnames": sides})  # fmt: skip


def log_map(rows, members):
    flags = np.array([[row in some for row in rows] for some in members.values()], np.int32)
    sides = node("VEC", [strings(rows), strings(members)])
    return node("LGL", flags.ravel(), {"dim": numbers([len(rows), len(members)]),
                "dimnames": sides, "class": strings(["LogMap"])}, is_object=True)  # fmt: skip


def meta():
    totals = numbers(np.arange(len(CELLS)) + 500.0)
    return data_frame({"cell_type": factor(TYPES), "nCount_ADT": totals}, CELLS)


def seurat(assay):
    pca = s4("DimReduc", **{"cell.embeddings": dense(embedding(), CELLS, ["PC_1", "PC_2"])})
    slots = {"assays": named({"RNA": assay}), "meta.data": meta(),
             "reductions": named({"pca": pca}), "active.assay": strings(["RNA"])}  # fmt: skip
    return s4("Seurat", **slots)


def embedding():
    return np.arange(len(CELLS) * 2, dtype=float).reshape(-1, 2)


def seurat_4(counts):
    return seurat(s4("Assay", counts=sparse(counts), data=sparse(counts.log1p())))


def seurat_5(counts):
    """Two samples in layers of their own, as split() or merge() leave them."""
    cells = {"counts.a": CELLS[:25], "counts.b": CELLS[25:]}
    layers = {"counts.a": sparse(counts[:25], names=False),
              "counts.b": sparse(counts[25:], names=False)}  # fmt: skip
    maps = {
        "cells": log_map(CELLS, cells),
        "features": log_map(GENES, dict.fromkeys(cells, GENES)),
    }
    return seurat(s4("Assay5", layers=named(layers), **maps))


def experiment(counts):
    """A SingleCellExperiment with reduced dimensions."""

    def frame(columns, rows):
        names = strings(rows) if rows else nothing()
        return s4("DFrame", rownames=names, listData=named(columns))

    inside = frame({"reducedDims": frame({"PCA": dense(embedding(), CELLS, ["1", "2"])}, [])}, [])
    assays = s4("SimpleAssays", data=s4("SimpleList", listData=named({"counts": sparse(counts)})))
    columns = {"cell_type": factor(TYPES)}
    return s4("SingleCellExperiment", assays=assays, colData=frame(columns, CELLS),
              int_colData=inside)  # fmt: skip


def save(root, path, packed="gzip"):
    """Write an object as saveRDS does: XDR, version 3."""
    pack = {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress, "none": bytes}
    head = b"X\n" + number(3) + number(0x040300) + number(0x030500) + number(5) + b"UTF-8"
    path.write_bytes(pack[packed](head + root))
    return path
