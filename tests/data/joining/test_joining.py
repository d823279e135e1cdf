"""Several data sets as one: the genes they share under any names, tables, counts."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from scanvi_core.data.dataset import Dataset
from scanvi_core.data.intake.import_file import import_file
from scanvi_core.data.joining.genes import Source, kind_of_names, shared_genes
from scanvi_core.data.joining.join import join
from scanvi_core.data.joining.origin import SOURCE_BATCH, SOURCE_COLUMN
from scanvi_core.data.joining.tables import all_cells
from scanvi_core.errors import ColumnMissing, FileRefused

SYMBOLS = [f"GENE{at}" for at in range(30)]
IDS = [f"ENSG{at:011d}" for at in range(30)]


def cells(n, names, *, seed, obs=None, var=None):
    """Return some cells whose counts tell genes apart: those of a gene are near its number."""
    random = np.random.default_rng(seed)
    level = [1 + SYMBOLS.index(name) if name in SYMBOLS else 1 + IDS.index(name) for name in names]
    counts = sp.csr_matrix(random.poisson(level, (n, len(names))).astype(np.float32))
    index = pd.Index([f"cell{at}" for at in range(n)])
    table = pd.DataFrame(obs or {}, index=index)
    return ad.AnnData(counts, obs=table, var=pd.DataFrame(var or {}, index=pd.Index(names)))


@pytest.fixture
def read(tmp_path):
    """Import data sets; return them as sources."""

    def import_all(**files):
        sources = []
        for name, adata in files.items():
            adata.write_h5ad(tmp_path / f"{name}.h5ad")
            import_file(tmp_path / f"{name}.h5ad", tmp_path / name / "dataset")
            sources.append(Source(name, Dataset.open(tmp_path / name / "dataset")))
        return sources

    return import_all


def test_genes_are_shared_by_their_names_in_the_order_of_the_first(read):
    sources = read(a=cells(40, SYMBOLS[5:], seed=0), b=cells(40, SYMBOLS[::-1][2:], seed=1))
    shared = shared_genes(sources)
    assert len(shared) == 23 and shared.named_by == ("gene names", "gene names")
    for source, places in zip(sources, shared.positions, strict=True):
        assert source.dataset.var_names[places].tolist() == SYMBOLS[5:28]


def test_a_file_with_ids_is_joined_by_a_column_of_the_other(read):
    versions = [f"{name}.{at}" for at, name in enumerate(IDS[:25])]
    sources = read(
        symbols=cells(40, SYMBOLS[:25], seed=0, var={"accession": versions}),
        ids=cells(40, IDS[3:], seed=1),
    )
    shared = shared_genes(sources)
    assert shared.named_by == ("accession", "gene names") and len(shared) == 22
    found = [
        source.dataset.var_names[places].tolist()
        for source, places in zip(sources, shared.positions, strict=True)
    ]
    assert found == [SYMBOLS[3:25], IDS[3:25]]
    again = shared_genes(sources[::-1])  # whichever comes first
    assert len(again) == 22 and again.named_by == ("gene names", "accession")
    assert kind_of_names(sources[0].dataset).startswith("symbols, such as GENE")
    assert kind_of_names(sources[1].dataset).startswith("ids, such as ENSG")


def test_a_symbol_that_stands_twice_counts_once(read):
    twice = [*SYMBOLS[:20], "GENE3"]
    sources = read(
        a=cells(40, SYMBOLS[:20], seed=0),
        b=cells(40, IDS[:21], seed=1, var={"gene_symbols": twice}),
    )
    shared = shared_genes(sources)
    assert shared.named_by[1] == "symbols" and len(shared) == 20
    assert shared.positions[1].tolist() == list(range(20))


def test_files_with_too_few_genes_in_common_are_refused_by_name(read):
    sources = read(human=cells(40, SYMBOLS, seed=0), other=cells(40, IDS, seed=1))
    with pytest.raises(FileRefused, match="human calls its first gene GENE0, other ENSG0"):
        shared_genes(sources)


@pytest.fixture
def two(read):
    kinds = ["T", "B"] * 20
    return read(
        first=cells(40, SYMBOLS[:25], seed=0, obs={"kind": pd.Categorical(kinds), "age": 7.5}),
        second=cells(30, SYMBOLS[5:], seed=1, obs={"kind": "NK", "run": [1, 2, 3] * 10}),
    )


def test_the_tables_hold_all_cells_and_columns(two):
    cells = all_cells(two)
    obs = cells.obs
    assert (cells.separator, cells.batch_key) == ("-", SOURCE_COLUMN)
    assert obs[SOURCE_COLUMN].tolist() == ["first"] * 40 + ["second"] * 30
    assert obs["kind"].astype(str).tolist() == ["T", "B"] * 20 + ["NK"] * 30
    assert obs["age"].tolist()[:40] == [7.5] * 40 and obs["age"][40:].isna().all()
    assert obs["run"][:40].isna().all() and obs["run"].tolist()[40:43] == [1, 2, 3]
    assert obs.index[0] == "cell0-first" and obs.index[40] == "cell0-second"
    assert obs.index.is_unique


def test_a_column_of_batches_divides_the_files_that_have_it(two):
    cells = all_cells(two, "run")
    batches = cells.obs[SOURCE_BATCH]
    assert cells.batch_key == SOURCE_BATCH
    assert batches.tolist() == ["first"] * 40 + ["second · 1", "second · 2", "second · 3"] * 10
    with pytest.raises(ColumnMissing, match="No file has a column donor"):
        all_cells(two, "donor")


def test_whole_numbers_are_one_word_whatever_their_type(read):
    n = 40
    sources = read(
        whole=cells(n, SYMBOLS, seed=0, obs={"kind": [0, 1] * 20}),
        floats=cells(n, SYMBOLS, seed=1, obs={"kind": [0.0, np.nan] * 20}),
        words=cells(n, SYMBOLS, seed=2, obs={"kind": ["0", "1"] * 20}),
    )
    assert set(all_cells(sources).obs["kind"].cat.categories) == {"0", "1"}


def test_batches_of_long_numbers_stay_apart(read):
    days = [20230101, 20230102] * 20
    sources = read(
        a=cells(40, SYMBOLS, seed=0, obs={"day": days}),
        b=cells(40, SYMBOLS, seed=1, obs={"other": "x"}),
    )
    found = all_cells(sources, "day").obs[SOURCE_BATCH]
    assert set(found) == {"a · 20230101", "a · 20230102", "b"}


def test_a_column_of_the_user_named_as_ours_is_kept(read):
    types = {"source_file": ["T", "B"] * 20}
    sources = read(
        a=cells(40, SYMBOLS, seed=0, obs=types), b=cells(40, SYMBOLS, seed=1, obs=types)
    )
    joined = all_cells(sources)
    assert joined.batch_key == "source_file_2"
    assert set(joined.obs["source_file"]) == {"T", "B"}
    assert set(joined.obs["source_file_2"]) == {"a", "b"}


def test_names_of_cells_that_ends_do_not_tell_apart_get_another_sign(read):
    first, second = cells(3, SYMBOLS, seed=0), cells(3, SYMBOLS, seed=1)
    first.obs_names, second.obs_names = ["x-a", "q", "r"], ["x", "q", "s"]
    first, second = (ad.concat([each] * 20, index_unique="+") for each in (first, second))
    first.obs_names = [name.replace("+0", "") for name in first.obs_names]
    second.obs_names = [name.replace("+0", "") for name in second.obs_names]
    joined = all_cells(read(**{"b": first, "a-b": second}))
    assert joined.separator == "_" and joined.obs.index.is_unique


def test_placeholders_are_no_genes(read):
    names = [*SYMBOLS[:20], "nan", "NA", "-"]
    one = cells(40, IDS[:23], seed=0, var={"gene_symbols": names})
    other = cells(40, IDS[7:30], seed=1, var={"gene_symbols": [*SYMBOLS[7:27], "nan", "NA", "-"]})
    shared = shared_genes(read(a=one, b=other))
    assert len(shared) <= 16


def test_the_joined_file_holds_the_counts_of_all(two, tmp_path):
    request = {
        "parts": [{"name": each.name, "folder": str(each.dataset.folder)} for each in two],
        "target": str(tmp_path / "joined.h5ad"),
        "batch_key": None,
    }
    made = join(request)
    joined = ad.read_h5ad(tmp_path / "joined.h5ad")
    assert joined.shape == (made["n_obs"], made["n_vars"]) == (70, 20)
    assert joined.var_names.tolist() == SYMBOLS[5:25]
    first, second = (each.dataset.counts for each in two)
    expected = sp.vstack([first[:, 5:25], second[:, :20]]).tocsr()
    assert (expected != joined.X).nnz == 0
    assert made["notes"] == [
        "The files were joined: first (40 cells), second (30 cells). They share 20 genes.",
        "5 genes of first are not in all files and were left out.",
        "5 genes of second are not in all files and were left out.",
    ]
