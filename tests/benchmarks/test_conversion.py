"""What the authors published becomes the sets that were measured: rebuilt from the sets here."""

import gzip
import io
import urllib.error
import urllib.request

import anndata
import numpy as np
import pandas as pd
import pytest

from benchmarks import data_sets
from benchmarks.data_sets.content import digest
from benchmarks.data_sets.conversion import convert, fetch
from tests import SHARED
from tests.data.formats.r_files import (
    data_frame,
    factor,
    named,
    nothing,
    number,
    s4,
    sparse,
    strings,
    text,
)

pytestmark = pytest.mark.skipif(
    not (SHARED / "data").is_dir(), reason="../shared/data is not there"
)
pytest.importorskip("rdata")


@pytest.fixture
def here(monkeypatch, tmp_path):
    """A folder without data sets."""
    monkeypatch.setenv(data_sets.VARIABLE, str(tmp_path / "sets"))
    return tmp_path


def original(name):
    return anndata.read_h5ad(SHARED / "data" / f"{name}.h5ad")


def rda(path, **objects):
    """Write objects as save() does: their names in a pairlist."""
    head = b"RDX3\nX\n" + number(3) + number(0x040300) + number(0x030500) + number(5) + b"UTF-8"
    for name, content in objects.items():
        head += number(0x402) + number(1) + text(name) + content
    path.write_bytes(gzip.compress(head + nothing(), compresslevel=1))
    return path


def columns(obs, **called):
    """The columns of a table of R, under other names, beside one that has nothing to say."""
    known = {name: factor(obs[own].astype(str)) for name, own in called.items()}
    return {"orig.ident": factor(["all"] * len(obs)), **known}


def seurat(data, counts_in="counts", **called):
    names = {"genes": data.var_names, "cells": data.obs_names}
    assay = s4("Assay", **{counts_in: sparse(data.X, **names), "key": strings(["rna_"])})
    about = data_frame(columns(data.obs, **called), data.obs_names)
    return s4("Seurat", assays=named({"RNA": assay}), **{"meta.data": about})


def test_a_seurat_object_with_columns_of_any_name_is_converted(here):
    data = original("tms_liver")
    file = rda(
        here / "x.rda", seurat_sample=seurat(data, cell_ontology="cell_type", plate="batch")
    )
    made = convert("tms_liver", [file])
    assert digest(made) == data_sets.SETS["tms_liver"].digest
    assert list(anndata.read_h5ad(made).obs) == ["cell_type", "batch"]


def test_a_single_cell_experiment_without_names_in_its_matrix_is_converted(here):
    data = original("onek1k_40donors")
    counts = named({"counts": sparse(data.X, names=False)})
    about = columns(data.obs, indiv="batch", cell="cell_type")
    experiment = s4(
        "SingleCellExperiment",
        assays=s4("SimpleAssays", data=s4("SimpleList", listData=counts)),
        colData=s4("DFrame", rownames=strings(data.obs_names), listData=named(about)),
        rowRanges=s4("GRanges", partitioning=s4("P", NAMES=strings(data.var_names))),
    )
    made = convert("onek1k_40donors", [rda(here / "x.rda", example_sce=experiment)])
    assert digest(made) == data_sets.SETS["onek1k_40donors"].digest


def test_a_list_of_cells_by_genes_with_symbols_that_come_twice_is_converted(here):
    data = original("zheng_facs_pbmc")
    ids = data.var["ensembl"].astype(str)
    turned = sparse(data.X.T.tocsr(), genes=data.obs_names, cells=ids)
    names = set(data.var_names)
    bare = [name.removesuffix("-1") for name in data.var_names]  # nine were made unique so
    symbols = [b if b in names else name for b, name in zip(bare, data.var_names, strict=True)]
    assert len(set(symbols)) == len(symbols) - 9
    about = data_frame(columns(data.obs, subpop="cell_type"), data.obs_names)
    parts = {
        "counts": turned, "samples": about,
        "genes": data_frame({"ensembl": strings(ids), "symbol": strings(symbols)}, ids),
    }  # fmt: skip
    made = convert("zheng_facs_pbmc", [rda(here / "x.RData", pbmc_facs=named(parts))])
    assert digest(made) == data_sets.SETS["zheng_facs_pbmc"].digest


def test_tables_are_joined_in_the_genes_that_all_have(here):
    data, files = original("scmixology"), []
    for number_, (table, batch) in enumerate(data_sets.TABLES.items()):
        own = data[data.obs["batch"] == batch]
        cells = [name.removeprefix(f"{batch}_") for name in own.obs_names]
        counts = pd.DataFrame(own.X.toarray().T.astype(int), index=own.var_names, columns=cells)
        if number_:  # in another order, and with a gene of its own
            counts = counts.iloc[::-1]
            counts.loc[f"ENSGX{number_}"] = 1
        counts["no_metadata"] = 1
        about = pd.DataFrame({"cell_line_demuxlet": own.obs["cell_type"].to_numpy()}, index=cells)
        for what, frame in zip(data_sets.PARTS, (counts, about), strict=True):
            files.append(here / f"{table}.{what}.csv.gz")
            frame.to_csv(files[-1], compression={"method": "gzip", "compresslevel": 1})
    made = convert("scmixology", files)
    assert digest(made) == data_sets.SETS["scmixology"].digest


def test_other_content_is_refused_and_nothing_written(here):
    data = original("tms_liver")
    data.X[0, 0] += 1
    file = rda(here / "x.rda", it=seurat(data, a="cell_type", b="batch"))
    with pytest.raises(SystemExit, match=r"Nothing in x\.rda has the content of tms_liver"):
        convert("tms_liver", [file])
    assert not list(here.rglob("*.h5ad"))


def test_a_table_that_is_missing_is_named(here):
    with pytest.raises(SystemExit, match=r"sc_celseq2\.count\.csv\.gz"):
        convert("scmixology", [])


def test_fetching_asks_for_the_stated_commit(monkeypatch, tmp_path):
    asked = []

    def opened(address, timeout):
        asked.append(address)
        return io.BytesIO(b"content")

    monkeypatch.setattr(urllib.request, "urlopen", opened)
    (file,) = fetch("tms_liver", tmp_path / "new")
    source = data_sets.SETS["tms_liver"]
    assert file.read_bytes() == b"content" and file.name == "seurat_sample_tms_liver.rda"
    place = f"{source.repository}/{source.commit}/{source.files[0]}"
    assert asked == [f"https://raw.githubusercontent.com/{place}"]
    assert len(fetch("scmixology", tmp_path / "new")) == 10


def test_what_cannot_be_had_is_said(monkeypatch, tmp_path):
    def refuse(address, timeout):
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    with pytest.raises(SystemExit, match=r"cannot be had: .*no network"):
        fetch("tms_liver", tmp_path)
    assert not np.any(list(tmp_path.iterdir()))
