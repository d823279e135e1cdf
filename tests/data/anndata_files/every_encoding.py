"""Write a data set with every kind of part that the anndata of this interpreter can write.

``python every_encoding.py FOLDER`` needs anndata alone, so that releases of it run it in
environments of their own. What a release cannot write is left out, and ``written.json`` says what
was written. Names of cells and genes are stored as text, as nullable text where that can be, and
as whatever the release makes of a plain list.
"""

import contextlib
import json
import sys
import tempfile
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import scipy.sparse as sp

N, N_GENES = 60, 40
WORDS = np.array(["B", "T", "NK"] * 20, dtype=object)
GAPS = np.arange(N) % 7 == 0
SOME = np.where(GAPS, None, WORDS)
CELLS = [f"AAACCTGAGAAAC{i:03d}-1" for i in range(N)]
IDS = [f"ENSG{i:011d}" for i in range(N_GENES)]
COUNTS = sp.csr_matrix(np.random.RandomState(0).poisson(0.7, (N, N_GENES)).astype(np.float32))
COLUMNS = {
    "text": lambda: WORDS,
    "category": lambda: pd.Categorical(WORDS),
    "ordered": lambda: pd.Categorical(WORDS, ["NK", "T", "B"], ordered=True),
    "category of numbers": lambda: pd.Categorical(np.arange(N) % 3),
    "category with gaps": lambda: pd.Categorical(SOME),
    "category of nullable text": lambda: pd.Categorical(pd.array(WORDS, dtype="string")),
    "nullable text": lambda: pd.array(SOME, dtype="string"),
    "text that never recurs": lambda: np.array(CELLS, dtype=object),  # else made a category
    "nullable that never recurs": lambda: pd.array(np.where(GAPS, None, CELLS), dtype="string"),
    "text of pandas": lambda: pd.Series(WORDS.tolist()).to_numpy(),
    "nullable whole": lambda: pd.array(np.where(GAPS, None, np.arange(N)), dtype="Int64"),
    "nullable small": lambda: pd.array(np.where(GAPS, None, np.arange(N)), dtype="UInt8"),
    "nullable flag": lambda: pd.array(np.where(GAPS, None, np.arange(N) % 2 == 0), "boolean"),
    "flag": lambda: np.arange(N) % 2 == 0,
    "small": lambda: np.arange(N).astype(np.int8),
    "unsigned": lambda: np.arange(N).astype(np.uint16),
    "half": lambda: np.arange(N).astype(np.float16),
    "number": lambda: np.arange(N) / 3,
}
FRAME = pd.DataFrame({"a": np.arange(N), "b": pd.Categorical(WORDS)}, index=CELLS)
PARTS = {
    "layers/dense": COUNTS.toarray,
    "layers/csc": COUNTS.tocsc,
    "layers/array of scipy": lambda: sp.csr_array(COUNTS),
    "layers/64-bit": lambda: COUNTS.astype(np.float64),
    "obsm/X_pca": lambda: np.ones((N, 2)),
    "obsm/frame": lambda: FRAME,
    "obsm/sparse": lambda: sp.csr_matrix(np.eye(N, 3)),
    "varm/PCs": lambda: np.ones((N_GENES, 2)),
    "obsp/graph": lambda: sp.eye(N, format="csr"),
    "varp/dense": lambda: np.eye(N_GENES),
    "uns/text": lambda: "a",
    "uns/number": lambda: 1.5,
    "uns/flag": lambda: True,
    "uns/list": lambda: np.array(["a", "b"], dtype=object),
    "uns/none": lambda: None,
    "uns/nested": lambda: {"empty": {}, "deep": {"number": 3}},
    "uns/frame": FRAME.copy,
    "uns/nullable": lambda: {"whole": pd.array([1, None], dtype="Int64")},
    "uns/records": lambda: np.zeros(3, [("a", "i4"), ("b", "S3")]),
}
INDEXES = {
    "text": lambda names: pd.Index(names, dtype=object),
    "nullable": lambda names: pd.Index(names, dtype="string"),
    "plain": pd.Index,
}


def whole(index, columns=tuple(COLUMNS), parts=tuple(PARTS)):
    """Return a data set with these columns and parts, its names stored as one of `INDEXES`."""
    cells, genes = INDEXES[index](CELLS), INDEXES[index](IDS)
    var = pd.DataFrame({"symbol": [f"G{i}" for i in range(N_GENES)]}, index=genes)
    obs = pd.DataFrame({name: COLUMNS[name]() for name in columns}, index=cells)
    data = anndata.AnnData(COUNTS.copy(), obs, var)
    data.raw = data.copy()
    for part in parts:
        place, _, name = part.partition("/")
        value = PARTS[part]()
        getattr(data, place)[name] = value.set_index(cells) if part == "obsm/frame" else value
    return data


def allowed():
    """Return a context in which this release writes nullable text, where that must be allowed."""
    settings = getattr(anndata, "settings", None)
    if settings is None or not hasattr(settings, "allow_write_nullable_strings"):
        return contextlib.nullcontext()
    return settings.override(allow_write_nullable_strings=True)


def write(data, path):
    """Write a data set as its path says, nullable text allowed."""
    with allowed():
        data.write_zarr(path) if path.suffix == ".zarr" else data.write_h5ad(path)


def can_write(suffix, *what):
    """Tell whether this release writes such a data set."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            write(whole(*what), Path(folder) / f"a{suffix}")
        except Exception:  # noqa: BLE001  every release has its own
            return False
    return True


def main(folder):
    """Write the data set with each kind of names, in both formats; say what is in it."""
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for suffix in (".h5ad", ".zarr"):
        columns = [name for name in COLUMNS if can_write(suffix, "text", [name], [])]
        parts = [name for name in PARTS if can_write(suffix, "text", [], [name])]
        for index in INDEXES:
            if can_write(suffix, index, columns, parts):
                write(whole(index, columns, parts), folder / f"{index}{suffix}")
                written[f"{index}{suffix}"] = {"columns": columns, "parts": parts}
    (folder / "written.json").write_text(json.dumps(written), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
