"""`annotate` with several files, and with a reference."""

import json

import anndata
import pytest

from scanvi_core import cli, keys
from tests.cli.program import LABELS, refusal

BRIEF = ("--max-epochs", "1", "--preset", "quick", "--json")


@pytest.fixture(scope="module")
def files(example, tmp_path_factory):
    """The example in two files; the second has no labels, and lacks some genes."""
    folder = tmp_path_factory.mktemp("files")
    whole = anndata.read_h5ad(example)
    labeled, other = whole[::2].copy(), whole[1::2, 10:].copy()
    del other.obs["cell_type"]
    labeled.write_h5ad(folder / "labeled.h5ad")
    other.write_h5ad(folder / "other.h5ad")
    return folder / "labeled.h5ad", folder / "other.h5ad"


def run(capsys, *words):
    status = cli.main(["annotate", *map(str, words), *LABELS, *BRIEF])
    out, err = capsys.readouterr()
    assert status == 0, err
    return json.loads(out, parse_constant=pytest.fail)


def test_every_file_gets_a_copy_with_the_names_of_its_cells(capsys, files, tmp_path):
    summary = run(capsys, *files, "-o", tmp_path / "out")
    assert {name: about["n_cells"] for name, about in summary["files"].items()} == {
        "labeled": 350, "other": 350,
    }  # fmt: skip
    assert "10 genes of labeled are not in all files" in " ".join(summary["repairs"])
    for path in files:
        before = anndata.read_h5ad(path)
        after = anndata.read_h5ad(tmp_path / "out" / f"{path.stem}.annotated.h5ad")
        assert (before.X != after.X).nnz == 0 and after.obs_names.equals(before.obs_names)
        assert after.obs[keys.CURATED].notna().all()


def test_a_reference_names_the_cells_of_a_file_and_is_not_written(capsys, files, tmp_path):
    labeled, other = files
    summary = run(capsys, other, "--reference", labeled, "-o", tmp_path / "out.h5ad")
    assert summary["files"]["labeled"]["reference"]
    assert sum(row["cells"] for row in summary["mapping"].values()) == 350
    assert all(len(str(row["alike"])) <= 5 for row in summary["mapping"].values())
    after = anndata.read_h5ad(tmp_path / "out.h5ad")
    assert after.obs_names.equals(anndata.read_h5ad(other).obs_names)
    types = set(anndata.read_h5ad(labeled).obs["cell_type"].cat.categories)
    assert set(after.obs[keys.CURATED].astype(str)) <= types
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.h5ad", "out.labels.csv"]


def test_an_output_that_cannot_hold_all_files_is_refused(capsys, files, tmp_path):
    (tmp_path / "file").write_text("")
    said = refusal(capsys, "annotate", *files, "-o", tmp_path / "file", *LABELS)
    assert "each of the 2 files gets one" in said
    said = refusal(capsys, "annotate", files[0], files[0], "-o", tmp_path / "x", *LABELS)
    assert "labeled.h5ad is there twice" in said


def test_a_batch_column_that_no_file_has_is_refused(capsys, files, tmp_path):
    words = (*files, "-o", tmp_path / "out", *LABELS, "--batch-key", "donor")
    assert "No file has a column donor" in refusal(capsys, "annotate", *words)


def test_a_folder_of_samples_is_as_many_files(capsys, files, tmp_path):
    (tmp_path / "run").mkdir()
    for path in files:
        (tmp_path / "run" / path.name).write_bytes(path.read_bytes())
    summary = run(capsys, tmp_path / "run", "-o", tmp_path / "out")
    assert list(summary["files"]) == ["labeled", "other"]
