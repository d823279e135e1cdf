"""A collection of files; what needs annbatch is skipped without it."""

import shutil
import sys

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from scanvi_core.data.collection import annbatch as collection_annbatch
from scanvi_core.data.collection import counts as collection_counts
from scanvi_core.data.collection.collection import Collection
from scanvi_core.data.collection.counts import StoredCounts, grouped
from scanvi_core.errors import ColumnMissing, FileRefused, InputError
from scanvi_core.services.atlas.gather import gather
from tests import SHARED

DATA = SHARED / "data"
WHY = "needs annbatch (Python 3.12 or newer, the extra scale)"


class InMemory:
    """Rows in memory, read as a store is; remembers what was asked for."""

    def __init__(self, counts):
        self.counts, self.shape, self.asked = counts, counts.shape, []

    def read(self, runs):
        self.asked += runs
        return sp.csr_array(sp.vstack([self.counts[run] for run in runs], format="csr"))


@pytest.fixture
def counts():
    return sp.random_array(
        (5_000, 40), density=0.2, format="csr", dtype=np.float32, rng=np.random.default_rng(0)
    )


@pytest.fixture
def small_reads(monkeypatch):
    monkeypatch.setattr(collection_counts, "GAP", 16)
    monkeypatch.setattr(collection_counts, "READ_ROWS", 100)


def equal(some, others):
    return some.shape == others.shape and (some != others).nnz == 0


def some_rows():
    random = np.random.default_rng(1)
    scattered = random.choice(5_000, 700, replace=False)
    return [
        scattered,
        np.sort(scattered),
        np.array([7, 4_999, 7, 0]),
        np.arange(1_000, 2_000),
        np.arange(0, 5_000, 16),
        np.arange(0, 5_000, 17),
        random.random(5_000) < 0.5,
        slice(4_990, 6_000),
        np.array([], dtype=int),
    ]


@pytest.mark.parametrize("rows", some_rows())
def test_stored_counts_give_the_rows_of_the_matrix_in_the_order_asked_for(
    counts, small_reads, rows
):
    assert equal(StoredCounts(InMemory(counts))[rows], counts[rows])


@pytest.mark.parametrize(
    "rows", [rows for rows in some_rows()[1:] if isinstance(rows, np.ndarray)]
)
def test_runs_cover_the_rows_and_are_bounded(small_reads, rows):
    rows = np.unique(np.flatnonzero(rows) if rows.dtype == bool else rows)
    found = []
    for runs, inside in grouped(rows):
        read = np.concatenate([np.arange(run.start, run.stop) for run in runs])
        assert len(read) <= 100 + 16
        found.append(read[inside])
    assert np.array_equal(np.concatenate([rows[:0], *found]), rows)


def test_rows_far_apart_are_read_without_those_between(counts, small_reads):
    reader = InMemory(counts)
    assert StoredCounts(reader)[np.array([4_000, 10, 12])].shape[0] == 3
    assert reader.asked == [slice(10, 13), slice(4_000, 4_001)]


def test_genes_and_cells_are_chosen_without_reading_and_again_from_those(counts, small_reads):
    reader = InMemory(counts)
    genes, few, cells = np.array([30, 2, 17, 5]), np.array([0, 3]), np.arange(1, 5_000, 3)
    stored = StoredCounts(reader).columns(genes).subset(cells).columns(few).subset(cells < 900)
    assert not reader.asked
    expected = counts[cells][cells < 900][:, genes[few]]
    assert stored.shape == expected.shape
    assert equal(stored[:], expected)
    assert stored[:].has_sorted_indices


def test_a_subset_keeps_the_order_of_the_store(counts):
    with pytest.raises(ValueError, match="ascend"):
        StoredCounts(InMemory(counts)).subset(np.array([3, 1]))


def test_totals_and_number_of_counts_are_those_of_the_matrix(counts):
    stored = StoredCounts(InMemory(counts)).columns(np.arange(5, 25))
    assert np.allclose(stored.sum(axis=1), counts[:, 5:25].sum(axis=1, dtype=float), rtol=1e-12)
    assert stored.nnz == counts[:, 5:25].nnz


def test_blocks_give_every_cell_in_order(counts):
    parts = list(StoredCounts(InMemory(counts)).blocks(777))
    assert [start for start, _ in parts] == list(range(0, 5_000, 777))
    assert equal(sp.vstack([part for _, part in parts], format="csr"), counts)


@pytest.mark.parametrize("rows", [[-1], [5_000]])
def test_a_row_that_is_not_there_is_an_error(counts, rows):
    with pytest.raises(IndexError):
        StoredCounts(InMemory(counts))[np.array(rows)]


def test_counts_of_a_gene_that_is_not_there_are_refused(counts):
    reader = InMemory(counts)
    block = reader.read([slice(0, 100)])
    block.indices[17] = 2**30
    reader.read = lambda _: block
    with pytest.raises(FileRefused):
        StoredCounts(reader).columns(np.arange(3))[:100]


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="Python is new enough here")
def test_an_old_python_is_told_what_serves_instead(tmp_path):
    with pytest.raises(InputError) as caught:
        gather(tmp_path / "store.zarr", [tmp_path / "a.h5ad"])
    assert "3.12" in caught.value.message
    assert "[scale]" in caught.value.hint and ".h5ad" in caught.value.hint


def test_without_annbatch_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(collection_annbatch, "NEEDED_PYTHON", (3, 11))
    monkeypatch.setattr(collection_annbatch, "find_spec", lambda _: None)
    with pytest.raises(InputError) as caught:
        gather(tmp_path / "store.zarr", [tmp_path / "a.h5ad"])
    assert "annbatch" in caught.value.message and "[scale]" in caught.value.hint


def simulated(n_obs, genes, seed, **obs):
    random = np.random.default_rng(seed)
    counts = sp.csr_matrix(random.poisson(0.4, (n_obs, len(genes))).astype(np.float32))
    names = [f"cell{i}" for i in range(n_obs)]
    return ad.AnnData(counts, pd.DataFrame(obs, index=names), pd.DataFrame(index=genes))


GENES = [f"G{i}" for i in range(30)]


def write_files(folder):
    """Two files: 137 cells of G0..G29; 64 cells of G10..G34, the other way round, in a layer."""
    first = simulated(137, GENES, 0, kind=["B", "T", None, "T"] * 34 + ["B"], age=range(137))
    second = simulated(
        64, [f"G{i}" for i in range(34, 9, -1)], 1, kind=["NK", "T"] * 32, age=["old"] * 64,
        score=np.linspace(0, 1, 64),
    )  # fmt: skip
    second.layers["counts"] = second.X.tocsc()
    second.X = np.log1p(second.X.toarray())
    paths = [folder / "first.h5ad", folder / "second.h5ad"]
    for data, path in zip((first, second), paths, strict=True):
        data.write_h5ad(path)
    return paths, (first, second)


@pytest.fixture
def files(tmp_path):
    return write_files(tmp_path)


@pytest.fixture(scope="module")
def gathered(tmp_path_factory):
    pytest.importorskip("annbatch", reason=WHY)
    folder = tmp_path_factory.mktemp("gathered")
    paths, data = write_files(folder)
    summary = gather(folder / "store.zarr", paths)
    return Collection.open(folder / "store.zarr"), data, summary


def test_a_collection_holds_the_cells_of_all_files_in_order_and_their_common_genes(gathered):
    store, (first, second), summary = gathered
    common = GENES[10:]
    assert list(store.var_names) == common
    expected = sp.vstack([first[:, common].X, second[:, common].layers["counts"]]).tocsr()
    assert equal(store.counts[:], sp.csr_array(expected))
    assert list(store.obs_names) == [*first.obs_names, *second.obs_names]
    assert "10 of first.h5ad" in summary["left_out"] and "5 of second.h5ad" in summary["left_out"]
    assert (summary["n_obs"], summary["n_vars"]) == (201, 20)


def test_columns_are_words_or_numbers_over_all_files(gathered):
    store, (first, second), _ = gathered
    kind = store.column("kind")
    assert kind.astype(object).where(kind.notna(), None).tolist() == [
        *first.obs["kind"].astype(object).where(first.obs["kind"].notna(), None),
        *second.obs["kind"],
    ]
    assert set(kind.cat.categories) == {"B", "T", "NK"}
    assert store.column("source_file").tolist() == ["first.h5ad"] * 137 + ["second.h5ad"] * 64
    score = store.column("score")
    assert score[:137].isna().all() and np.allclose(score[137:], second.obs["score"])
    assert store.column("age")[136:138].tolist() == ["136", "old"]
    with pytest.raises(ColumnMissing):
        store.column("nothing")


def test_annbatch_itself_opens_the_store(gathered):
    annbatch = pytest.importorskip("annbatch", reason=WHY)
    store, _, summary = gathered
    opened = annbatch.DatasetCollection(summary["store"], mode="r")
    loader = annbatch.Loader(batch_size=10, chunk_size=20, preload_nchunks=2, preload_to_gpu=False)
    batches = [batch["X"] for batch in loader.use_collection(opened)]
    assert equal(sp.csr_array(sp.vstack(batches, format="csr")), store.counts[:])


def test_a_store_is_made_of_shards(gathered):
    store, _, _ = gathered
    data = store.parts[0]["X"]["data"]
    assert data.shards is not None and data.chunks[0] <= data.shards[0]


def test_parts_end_where_memory_does_and_nothing_is_lost(files, tmp_path, monkeypatch):
    pytest.importorskip("annbatch", reason=WHY)
    from scanvi_core.data.collection import write

    monkeypatch.setattr(write, "PART_VALUES", 200)
    paths, (first, _) = files
    gather(tmp_path / "one.zarr", paths[:1])
    store = Collection.open(tmp_path / "one.zarr")
    assert len(store.parts) > 5
    assert equal(store.counts[:], sp.csr_array(first.X))
    assert store.column("kind").tolist()[-1] == "B"


@pytest.mark.parametrize("case", ["there", "twice", "no counts", "no genes", "no file"])
def test_what_cannot_be_gathered_is_refused_and_nothing_is_left(files, tmp_path, case):
    pytest.importorskip("annbatch", reason=WHY)
    (one, two), (first, _) = files
    store, words = tmp_path / "sub" / "store.zarr", case
    store.parent.mkdir()
    names = [one, two]
    if case == "there":
        store.mkdir()
        words = "exists"
    elif case == "twice":
        names, words = [one, one], "twice"
    elif case == "no counts":
        first.X = sp.csr_matrix(np.random.default_rng(0).normal(size=first.shape))
        first.write_h5ad(one)
        words = "first.h5ad: No counts"
    elif case == "no genes":
        first.var_names = [f"ENSG{i:011}" for i in range(30)]
        first.write_h5ad(one)
        words = "0 genes in common"
    else:
        names, words = [one, tmp_path / "gone.h5ad"], "gone.h5ad"
    with pytest.raises(InputError, match=words) as caught:
        gather(store, names)
    assert caught.value.hint
    assert list(store.parent.iterdir()) == ([store] if case == "there" else [])


def test_a_hostile_file_is_refused_as_it_is_when_opened(files, tmp_path):
    pytest.importorskip("annbatch", reason=WHY)
    import h5py

    (one, _), _ = files
    with h5py.File(one, "a") as file:
        file["X/indices"][5] = 10**6
    with pytest.raises(InputError, match="first"):
        gather(tmp_path / "store.zarr", [one])


def test_columns_whose_names_a_folder_cannot_have_are_left_out_and_named(files, tmp_path):
    pytest.importorskip("annbatch", reason=WHY)
    import h5py

    (one, _), _ = files
    with h5py.File(one, "a") as file:
        names = ["..", "source_file", "two words"]
        for name in names:
            file["obs"].copy("age", name)
        columns = [*file["obs"].attrs["column-order"], *names]
        file["obs"].attrs["column-order"] = np.array(columns, dtype=h5py.string_dtype())
    summary = gather(tmp_path / "store.zarr", [one])
    store = Collection.open(tmp_path / "store.zarr")
    assert store.about["obs_columns"] == ["kind", "age", "two words", "source_file"]
    assert set(store.column("source_file")) == {"first.h5ad"}
    assert "'..', 'source_file'" in summary["notes"][-1]


def test_a_store_with_a_part_missing_is_refused(gathered, tmp_path):
    copy = shutil.copytree(gathered[2]["store"], tmp_path / "store.zarr")
    next((copy / "dataset_1/X/data/c").iterdir()).unlink()
    with pytest.raises(FileRefused, match="incomplete"):
        Collection.open(copy)


def test_what_is_no_collection_is_refused(tmp_path):
    with pytest.raises(FileRefused):
        Collection.open(tmp_path / "nothing.zarr")
    (tmp_path / "empty.zarr").mkdir()
    with pytest.raises(FileRefused):
        Collection.open(tmp_path / "empty.zarr")


def test_two_real_files_come_together_as_anndata_reads_them(tmp_path):
    pytest.importorskip("annbatch", reason=WHY)
    paths = [DATA / "kang_ifnb_2800.h5ad", DATA / "pbmc68k_reduced_counts.h5ad"]
    if not all(path.exists() for path in paths):
        pytest.skip("needs the shared data sets")
    gather(tmp_path / "store.zarr", paths)
    store = Collection.open(tmp_path / "store.zarr")
    both = [ad.read_h5ad(path) for path in paths]
    common = [name for name in both[0].var_names if name in set(both[1].var_names)]
    assert list(store.var_names) == common and len(common) > 700
    expected = sp.vstack([sp.csr_matrix(data[:, common].X) for data in both], format="csr")
    assert equal(store.counts[:], sp.csr_array(expected))
    types = [name for data in both for name in data.obs["cell_type"].astype(str)]
    assert store.column("cell_type").tolist() == types
