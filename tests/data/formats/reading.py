"""Reading a file as the Open page does, and holding it against what was written."""

import gzip

import pandas as pd
import scipy.io
import scipy.sparse as sp

from scanvi_core.data.dataset import Dataset
from tests.data.intake import outcomes

N_CELLS, N_GENES = 60, 40
CELLS = [f"{'ACGT' * 3}{i:02d}-1" for i in range(N_CELLS)]
IDS = [f"ENSG{i:011d}" for i in range(N_GENES)]
GENES = ["ACTB", "MT-ND1", *[f"GENE{i}" for i in range(2, N_GENES)]]
TYPES = ["T cell", "B cell", "NK"] * 20


def ask(path, tmp_path, **answers):
    return outcomes.ask(path, tmp_path / "ds", answers=answers)


def taken(path, tmp_path, **answers):
    reply = ask(path, tmp_path, **answers)
    assert "error" not in reply, reply
    assert "question" not in reply["result"], reply["result"]
    return Dataset.open(tmp_path / "ds")


def question(path, tmp_path, **answers):
    return ask(path, tmp_path, **answers)["result"]["question"]


def refusal(path, tmp_path, **answers):
    failure = ask(path, tmp_path, **answers)["error"]
    assert failure["hint"]
    assert not (tmp_path / "ds").exists()
    return failure["message"]


def same(dataset, truth, genes=GENES, cells=CELLS):
    assert dataset.obs_names.tolist() == list(cells)
    assert dataset.var_names.tolist() == list(genes)
    assert (dataset.counts != sp.csr_matrix(truth)).nnz == 0


def triple(folder, counts, prefix="", features="features.tsv", packed=True, cells_in_rows=False):
    folder.mkdir(exist_ok=True)
    matrix = sp.coo_matrix(counts if cells_in_rows else counts.T)
    scipy.io.mmwrite(folder / "m.mtx", matrix, field="integer")
    lists = {
        features: "\n".join(f"{i}\t{g}\tGene Expression" for i, g in zip(IDS, GENES, strict=True)),
        "barcodes.tsv": "\n".join(CELLS),
        "matrix.mtx": (folder / "m.mtx").read_text(),
    }
    (folder / "m.mtx").unlink()
    for name, text in lists.items():
        content = (text + "\n").encode()
        target = folder / f"{prefix}{name}{'.gz' if packed else ''}"
        target.write_bytes(gzip.compress(content) if packed else content)
    return folder


def frame(truth):
    return pd.DataFrame(truth.toarray(), index=CELLS, columns=GENES)
