"""`annotate --resume`: what was trained before a stop or a fault is not trained again."""

import json

import anndata
import numpy as np
import pytest

from scanvi_core import cli, keys
from scanvi_core.services.annotate import command as annotate_service
from scanvi_core.services.training.trainer import Trainer
from tests.cli.program import LABELS, annotate


def stop(*_given, **_named):
    raise KeyboardInterrupt


@pytest.fixture
def source(cells, tmp_path):
    path = tmp_path / "in.h5ad"
    cells.write_h5ad(path)
    return path


@pytest.fixture
def stopped(capsys, source, tmp_path, flat_map):
    """Stop a command in a function of the program; return its output."""

    def at(of, name):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(of, name, stop)
            status, _, err = annotate(capsys, source, tmp_path / "out.h5ad", epochs=3)
        assert status == cli.INTERRUPTED, err
        assert "--resume" in err
        return tmp_path / "out.h5ad"

    return at


@pytest.mark.parametrize("at", ["finish", "_write"])
def test_it_ends_with_what_an_unbroken_command_ends_with(capsys, source, tmp_path, stopped, at):
    of = Trainer if at == "finish" else annotate_service
    output = stopped(of, at)
    with pytest.MonkeyPatch.context() as patch:
        if at == "_write":  # all is trained
            patch.setattr(Trainer, "learn", stop)
        status, summary, err = annotate(capsys, source, output, "--resume", epochs=3)
    assert status == 0, err
    unbroken = tmp_path / "unbroken.h5ad"
    assert annotate(capsys, source, unbroken, epochs=3)[0] == 0
    one, two = (anndata.read_h5ad(path) for path in (output, unbroken))
    assert summary["epochs"] == 3
    for name in (keys.PROBABILITIES, keys.UMAP_Z1):
        np.testing.assert_allclose(one.obsm[name], two.obsm[name], atol=1e-6)
    assert not output.with_name("out.h5ad.unfinished").exists()


def test_another_command_does_not_go_on_from_it(capsys, source, stopped):
    output = stopped(annotate_service, "_write")
    status, _, err = annotate(capsys, source, output, "--resume", "--seed", 7, epochs=3)
    assert status == cli.BAD_INPUT
    assert "another training setting" in err


def test_other_labels_do_not_go_on_from_it(capsys, source, cells, stopped):
    output = stopped(annotate_service, "_write")
    names = cells.obs["cell_type"].astype(object).to_numpy()
    known = np.flatnonzero(cells.obs["cell_type"].notna())
    names[known[0]] = next(name for name in names[known] if name != names[known[0]])
    cells.obs["cell_type"] = names
    cells.write_h5ad(source)
    status, _, err = annotate(capsys, source, output, "--resume", epochs=3)
    assert status == cli.BAD_INPUT
    assert "The labels are others" in err


def test_without_anything_kept_it_says_so(capsys, source, tmp_path):
    status, _, err = annotate(capsys, source, tmp_path / "out.h5ad", "--resume")
    assert status == cli.BAD_INPUT
    assert "nothing to go on from" in err


def test_a_folder_of_that_name_that_is_not_ours_is_left_alone(capsys, source, tmp_path, flat_map):
    own = tmp_path / "out.h5ad.unfinished"
    own.mkdir()
    (own / "mine.txt").write_text("mine")
    assert annotate(capsys, source, tmp_path / "out.h5ad")[0] == 0
    assert (own / "mine.txt").read_text() == "mine"


def test_nothing_of_the_names_of_cells_or_counts_is_kept(stopped):
    output = stopped(annotate_service, "_write")
    kept = output.with_name("out.h5ad.unfinished")
    assert sorted(path.name for path in kept.iterdir()) == ["asked.json", "run"]
    assert json.loads((kept / "asked.json").read_text())["--labels-key"] == LABELS[1]
    assert not list(kept.rglob("*.parquet"))
