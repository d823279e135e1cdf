"""What releases of anndata from 0.7 on write is read, trained on and exported unchanged.

Each release writes the files itself, in the environments that ``python -m tests.extended`` makes.
"""

import json
import shutil
import subprocess

import anndata
import h5py
import pandas as pd
import pytest
from anndata.io import read_elem

from scanvi_core import keys
from scanvi_core.data.dataset import Dataset
from scanvi_core.export.child import annotate
from tests import ROOT, extended
from tests.cli import program
from tests.data.anndata_files import every_encoding
from tests.data.anndata_files.every_encoding import CELLS, COLUMNS, COUNTS, IDS, N
from tests.data.anndata_files.test_encodings import same
from tests.data.intake.outcomes import ask
from tests.export.samples import request_for

FILES = [f"{index}{suffix}" for index in every_encoding.INDEXES for suffix in (".h5ad", ".zarr")]
AT_LEAST = {"text", "category", "category with gaps", "flag", "number"}


@pytest.fixture(scope="module", params=extended.WRITERS)
def release(request, once):
    """The folder of what a release wrote, and what that is."""
    python = extended.python_of(f"anndata-{request.param}")
    if not python.exists():
        pytest.skip(f"no anndata {request.param}: python -m tests.extended installs it")

    def build(folder):
        script = ROOT / "tests" / "data" / "anndata_files" / "every_encoding.py"
        subprocess.run([python, "-W", "ignore", script, folder], check=True, capture_output=True)
        return folder

    folder = once(f"anndata-{request.param}", build)
    return folder, json.loads((folder / "written.json").read_text())


def one_file(release, name):
    folder, written = release
    if name not in written:
        pytest.skip("this release cannot write it")
    assert set(written[name]["columns"]) >= AT_LEAST
    return folder / name, written[name]


def plain(values):
    return [None if pd.isna(value) else value for value in pd.Series(values).astype(object)]


@pytest.mark.parametrize("name", FILES)
def test_what_a_release_writes_is_read(release, tmp_path, name):
    path, written = one_file(release, name)
    reply = ask(path, tmp_path / "ds")
    assert "error" not in reply, reply
    dataset = Dataset.open(tmp_path / "ds")
    assert dataset.obs_names.tolist() == CELLS and dataset.var_names.tolist() == IDS
    assert (dataset.counts != COUNTS).nnz == 0
    assert set(dataset.obs) == set(written["columns"])
    for column in written["columns"]:
        found = plain(dataset.column(column))
        expected = plain(COLUMNS[column]())
        if "flag" in column or "category of numbers" in column:
            found, expected = list(map(str, found)), list(map(str, expected))
        assert found == expected, column
    notes = [*dataset.manifest["repairs"], *dataset.manifest["warnings"]]
    assert not [note for note in notes if "cannot be read" in note and "records" not in note]
    assert not [note for note in notes if "not in the store" in note and "uns/" not in note]


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".h5ad")])
def test_what_a_release_writes_is_exported_unchanged(release, tmp_path, name):
    path, _ = one_file(release, name)
    request = request_for(path, tmp_path / "out.h5ad", N)
    annotate(request, request.target)
    with h5py.File(path) as before, h5py.File(request.target) as after:
        for part in ("obs", "var", "raw", "layers", "obsm", "varm", "obsp", "varp", "uns", "X"):
            old, new = read_elem(before[part]), read_elem(after[part])
            if isinstance(old, dict | pd.DataFrame):
                assert same(dict(old), {key: new[key] for key in old}), part
    result = anndata.read_h5ad(request.target)
    assert result[:5, :3].shape == (5, 3)


@pytest.mark.slow
@pytest.mark.parametrize("labels", ["text", "category with gaps", "nullable text"])
def test_what_a_release_writes_is_annotated(release, tmp_path, capsys, labels):
    folder, written = release
    name = next(name for name in ("nullable.h5ad", "text.h5ad") if name in written)
    if labels not in written[name]["columns"]:
        pytest.skip("this release cannot write it")
    shutil.copy(folder / name, tmp_path / "in.h5ad")
    target = tmp_path / "out.h5ad"
    status, summary, err = program.annotate(
        capsys, tmp_path / "in.h5ad", target, labels=("--labels-key", labels)
    )
    assert status == 0, err
    result = anndata.read_h5ad(target)
    assert keys.CURATED in result.obs and summary["n_cells"] == N
    assert result[:5, :3].copy().shape == (5, 3)
