"""loom, zarr, MuData and archives: what they hold is read, or what to do is said."""

import asyncio
import gzip
import json
import shutil
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import zarr
from anndata.io import write_elem

from scanvi_core.data.blocks import nodes
from tests.data.formats.reading import (
    CELLS,
    GENES,
    N_CELLS,
    TYPES,
    question,
    refusal,
    same,
    taken,
    triple,
)


def test_a_loom_file_is_read_with_its_layers_and_attributes(truth, tmp_path):
    with h5py.File(tmp_path / "x.dat", "w") as file:
        file.create_dataset("matrix", data=truth.T.toarray(), chunks=(16, 16))
        file["layers/half"] = truth.T.toarray() / 2
        file["col_attrs/CellID"], file["row_attrs/Gene"] = (
            np.array(CELLS, "S"),
            np.array(GENES, "S"),
        )
        file["col_attrs/Clusters"] = np.array(TYPES, "S")
        file["col_attrs/xy"] = np.ones((N_CELLS, 2))
    dataset = taken(tmp_path / "x.dat", tmp_path)
    same(dataset, truth)
    assert dataset.column("Clusters").tolist() == TYPES
    assert dataset.obsm("xy").shape == (N_CELLS, 2)
    converted = anndata.read_h5ad(dataset.manifest["source"]["path"])
    assert (converted.layers["half"] != truth / 2).nnz == 0


def test_a_gathered_collection_is_read_in_the_order_of_its_files(cells, truth, tmp_path):
    store = zarr.open_group(tmp_path / "store", mode="w", zarr_format=3)
    with anndata.settings.override(zarr_write_format=3):
        for i, part in enumerate((cells[:25], cells[25:])):
            part.copy().write_zarr(tmp_path / "store" / f"dataset_{i}")
    files = [{"name": "a.h5ad", "n_obs": 25}, {"name": "b.h5ad", "n_obs": 35}]
    about = {"format": 1, "n_obs": 60, "n_vars": 40, "n_parts": 2, "files": files}
    store.attrs["scanvi"] = about | {"obs_columns": ["cell_type"]}
    dataset = taken(tmp_path / "store", tmp_path)
    same(dataset, truth)
    assert dataset.column("cell_type").tolist() == TYPES
    assert any("Gathered from 2 files: a.h5ad, b.h5ad." in note for note in notes_of(dataset))


def notes_of(dataset):
    return dataset.manifest["repairs"]


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("version", [2, 3])
def test_a_zarr_store_is_read(cells, truth, tmp_path, version, packed):
    store = tmp_path / "store"
    with anndata.settings.override(zarr_write_format=version):
        cells.write_zarr(store)
    if packed:
        with zipfile.ZipFile(tmp_path / "z", "w") as archive:
            for item in sorted(store.rglob("*")):
                archive.write(item, Path("inside") / item.relative_to(store))
        store = tmp_path / "z"
    dataset = taken(store, tmp_path)
    same(dataset, truth)
    assert dataset.column("cell_type").tolist() == TYPES
    assert np.array_equal(dataset.obsm("X_pca"), cells.obsm["X_pca"])
    converted = anndata.read_h5ad(dataset.manifest["source"]["path"])
    assert (converted.layers["twice"] != cells.layers["twice"]).nnz == 0


def test_nullable_text_in_a_zarr_store_is_read_and_its_masks_of_no_gap_go_unsaid(cells, tmp_path):
    cells = cells.copy()
    cells.obs["nullable"] = pd.array(CELLS, dtype="string")  # words that recur become categories
    cells.obs["gaps"] = pd.array([*[None] * 20, *CELLS[20:]], dtype="string")
    with anndata.settings.override(zarr_write_format=3, allow_write_nullable_strings=True):
        cells.write_zarr(tmp_path / "s.zarr")
    assert not list((tmp_path / "s.zarr/obs/nullable/mask").glob("c/*"))
    dataset = taken(tmp_path / "s.zarr", tmp_path)
    assert dataset.column("nullable").tolist() == CELLS
    assert dataset.column("gaps").isna().sum() == 20
    assert not [note for note in dataset.manifest["repairs"] if "nullable" in note]


def test_a_part_of_a_type_that_zarr_does_not_know_does_not_cost_the_others(truth, cells, tmp_path):
    cells = cells.copy()
    cells.uns = {"records": np.zeros(3), "other": "a"}
    with anndata.settings.override(zarr_write_format=3):
        cells.write_zarr(tmp_path / "s.zarr")
    about = tmp_path / "s.zarr/uns/records/zarr.json"
    about.write_text(about.read_text().replace('"float64"', '{"name": "of next year"}'))
    (tmp_path / "s.zarr/zarr.json").write_text(
        json.dumps({"zarr_format": 3, "node_type": "group", "attributes": {}})
    )
    dataset = taken(tmp_path / "s.zarr", tmp_path)
    same(dataset, truth)
    said = [note for note in dataset.manifest["repairs"] if "cannot be read" in note]
    assert len(said) == 1 and said[0].startswith("uns['records'] cannot be read")


def test_a_store_is_listed_from_within_an_event_loop_too(tmp_path):
    import zarr

    group = zarr.open_group(tmp_path / "s.zarr", mode="w")
    group.create_group("inside")

    async def list_it():
        return nodes._names_stored(group)

    with ThreadPoolExecutor(1) as apart:  # the tests of browsers leave a loop here
        assert apart.submit(asyncio.run, list_it()).result() == ["inside"]


def test_a_dense_zarr_store_with_an_entry_of_unknown_make_is_read_without_it(truth, tmp_path):
    import zarr

    obs, var = pd.DataFrame(index=CELLS), pd.DataFrame(index=GENES)
    anndata.AnnData(truth.toarray(), obs=obs, var=var).write_zarr(tmp_path / "s.zarr")
    group = zarr.open_group(tmp_path / "s.zarr", mode="r+")
    group["uns"].create_group("odd").attrs.update(
        {"encoding-type": "from-the-future", "encoding-version": "9.0"}
    )
    dataset = taken(tmp_path / "s.zarr", tmp_path)
    same(dataset, truth)
    assert any("uns['odd']" in sentence for sentence in dataset.manifest["repairs"])


def test_one_modality_of_mudata_is_read_with_the_shared_columns(cells, truth, tmp_path):
    with h5py.File(tmp_path / "m", "w") as file:
        write_elem(file, "obs", pd.DataFrame({"donor": ["d1", "d2"] * 30}, index=CELLS[::-1]))
        write_elem(file, "mod", {})
        write_elem(file["mod"], "rna", cells)
        write_elem(file["mod"], "prot", cells[:, :12].copy())
    asked = question(tmp_path / "m", tmp_path)
    assert (asked["key"], asked["guess"]) == ("modality", "rna")
    dataset = taken(tmp_path / "m", tmp_path, modality="rna")
    same(dataset, truth)
    assert dataset.column("donor").tolist() == ["d2", "d1"] * 30  # by name, not by place
    assert dataset.column("cell_type").tolist() == TYPES


def test_a_packed_h5ad_is_unpacked(cells, truth, tmp_path):
    cells.write_h5ad(tmp_path / "a.h5ad")
    (tmp_path / "b").write_bytes(gzip.compress((tmp_path / "a.h5ad").read_bytes()))
    same(taken(tmp_path / "b", tmp_path), truth)
    shutil.rmtree(tmp_path / "ds")
    with zipfile.ZipFile(tmp_path / "c", "w") as archive:
        archive.write(tmp_path / "a.h5ad", "folder/a.h5ad")
    same(taken(tmp_path / "c", tmp_path), truth)


def test_a_zip_of_a_triple_is_read(truth, tmp_path):
    folder = triple(tmp_path / "filtered", truth, packed=False)
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        for item in folder.iterdir():
            archive.write(item, f"filtered/{item.name}")
    same(taken(tmp_path / "z.zip", tmp_path), truth)
    assert [item.name for item in (tmp_path / "source").iterdir()] == ["z.zip.converted.h5ad"]


def test_known_folders_without_counts_say_what_to_do(tmp_path):
    for name in ("soma/__tiledb_group.tdb", "notes/readme.md"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("nothing")
    assert "TileDB-SOMA" in refusal(tmp_path / "soma", tmp_path)
    assert "not a table of counts" in refusal(tmp_path / "notes", tmp_path)
