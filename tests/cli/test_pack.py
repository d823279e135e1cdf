"""Naming the cells of a file by a pack."""

import anndata
import pytest

from scanvi_core import keys
from tests.cli.program import annotate, refusal


@pytest.fixture
def unlabeled(cells, tmp_path):
    """A file of cells without labels."""
    del cells.obs["cell_type"]
    cells.write_h5ad(tmp_path / "in.h5ad")
    return tmp_path / "in.h5ad"


def test_a_pack_names_all_cells_without_training(
    capsys, unlabeled, example_pack, tmp_path, flat_map
):
    target = tmp_path / "out.h5ad"
    given = ("--pack", example_pack)
    status, summary, err = annotate(capsys, unlabeled, target, *given, labels=(), epochs=None)
    assert status == 0, err
    assert summary["epochs"] == 0 and summary["n_labelled"] == 0
    assert "of the pack's" in summary["pack"][0]
    found = anndata.read_h5ad(target)
    assert found.obs[keys.CURATED].notna().all()
    assert (found.obs[keys.SOURCE] == keys.PREDICTED).all()
    assert sum(summary["labels"].values()) == found.n_obs


def test_without_labels_and_without_a_pack_it_says_so(capsys, unlabeled, tmp_path):
    line = refusal(capsys, "annotate", unlabeled, "-o", tmp_path / "out.h5ad")
    assert "Nothing says what the types are" in line


@pytest.mark.parametrize(
    "option", [("--preset", "quick"), ("--max-epochs", 3), ("--seed", 4)], ids=str
)
def test_options_of_a_training_are_refused_where_a_pack_trains_nothing(
    capsys, unlabeled, example_pack, tmp_path, option
):
    target = tmp_path / "out.h5ad"
    line = refusal(capsys, "annotate", unlabeled, "-o", target, "--pack", example_pack, *option)
    assert "nothing for its options to act on" in line and not target.exists()


def test_a_pack_that_is_none_is_refused(capsys, unlabeled, tmp_path):
    odd = tmp_path / "odd.zip"
    odd.write_bytes(b"no pack")
    line = refusal(capsys, "annotate", unlabeled, "-o", tmp_path / "out.h5ad", "--pack", odd)
    assert "This is no pack" in line
    assert not (tmp_path / "out.h5ad").exists()
