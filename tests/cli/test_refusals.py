"""What the program refuses: one line on standard error, with a hint, and nothing written."""

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from scanvi_core import cli
from tests.cli.program import LABELS, annotate, corrected_logs, module, refusal


def empty(_cells, path):
    path.write_bytes(b"")


def cut_off(cells, path):
    cells.write_h5ad(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def a_table(_cells, path):
    path.write_text("cell,gene\na,1\n")


def other_hdf5(_cells, path):
    with h5py.File(path, "w") as file:
        file["numbers"] = np.arange(5)


def log_normalized(cells, path):
    cells.X = corrected_logs(cells.X)
    cells.write_h5ad(path)


def scaled(cells, path):
    dense = cells.X.toarray()
    cells.X = (dense - dense.mean(0)) / (dense.std(0) + 1)
    cells.write_h5ad(path)


def with_nan(cells, path):
    cells.X.data[7] = np.nan
    cells.write_h5ad(path)


def negative(cells, path):
    cells.X.data[7] = -3
    cells.write_h5ad(path)


def no_cells(cells, path):
    cells[:0].write_h5ad(path)


def no_genes(cells, path):
    cells[:, :0].write_h5ad(path)


def no_file(_cells, _path):
    """Write nothing."""


BAD_FILES = {
    empty: "empty (0 bytes)",
    cut_off: "cut off",
    a_table: "a text file",
    other_hdf5: "not AnnData",
    log_normalized: "log",
    scaled: "scaled",
    with_nan: "nan in cell",
    negative: "-3 in cell",
    no_cells: "no cells",
    no_genes: "no genes",
    no_file: "There is no file in.h5ad",
}


@pytest.mark.parametrize("command", ["annotate", "check"])
@pytest.mark.parametrize(
    ("make", "words"), BAD_FILES.items(), ids=lambda v: getattr(v, "__name__", "")
)
def test_a_bad_file_is_refused_in_one_line_with_a_hint(
    capsys, tmp_path, cells, command, make, words
):
    source, target = tmp_path / "in.h5ad", tmp_path / "out.h5ad"
    make(cells, source)
    more = ("-o", target, *LABELS) if command == "annotate" else ()
    line = refusal(capsys, command, source, *more)
    assert words in line
    assert len([part for part in line.split(". ") if part.strip()]) >= 2, "no hint"
    assert not target.exists()


def no_label(cells):
    cells.obs["cell_type"] = pd.Categorical([None] * cells.n_obs, ["B", "T"])


def one_label(cells):
    cells.obs["cell_type"] = pd.Categorical(["B"] * 50 + [None] * 150)


def barcodes(cells):
    cells.obs["cell_type"] = cells.obs_names.astype(str).to_numpy()


def same(_cells):
    """Change nothing."""


BAD_REQUESTS = {
    "no such labels column": (same, ("--labels-key", "cell_tipe"), "no column cell_tipe"),
    "no such batch column": (same, (*LABELS, "--batch-key", "donr"), "no column donr"),
    "no such layer": (same, (*LABELS, "--layer", "countz"), "countz"),
    "no labeled cell": (no_label, LABELS, "no labeled cells"),
    "only one label": (one_label, LABELS, "Only one label has cells (B)"),
    "a label per cell": (barcodes, LABELS, "200 different values"),
    "all values unlabeled": (
        one_label, (*LABELS, "--unlabeled-category", "B"), "no labeled cells",
    ),
    "no epochs": (same, (*LABELS, "--max-epochs", "0"), "max_epochs is 0. Choose a value from 1"),
    "a negative seed": (same, (*LABELS, "--seed", "-1"), "seed is -1"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_REQUESTS)
def test_a_request_that_cannot_be_met_is_refused_in_one_line_with_a_hint(
    capsys, tmp_path, cells, name
):
    bend, words, expected = BAD_REQUESTS[name]
    bend(cells)
    source, target = tmp_path / "in.h5ad", tmp_path / "out.h5ad"
    cells.write_h5ad(source)
    line = refusal(capsys, "annotate", source, "-o", target, "--max-epochs", 1, *words)
    assert expected in line
    assert len([part for part in line.split(". ") if part.strip()]) >= 2, "no hint"
    assert [path.name for path in tmp_path.iterdir()] == ["in.h5ad"]


def test_a_missing_column_is_refused_with_the_columns_there_are(capsys, example, tmp_path):
    line = refusal(
        capsys, "annotate", example, "-o", tmp_path / "o.h5ad", "--labels-key", "celltype"
    )
    assert "cell_type" in line and "expert_label" in line


def test_the_output_folder_must_be_there(capsys, example, tmp_path):
    line = refusal(capsys, "annotate", example, "-o", tmp_path / "no" / "out.h5ad", *LABELS)
    assert f"The folder {tmp_path / 'no'} does not exist. Create it first." in line


def test_the_output_must_not_be_a_folder(capsys, example, tmp_path):
    assert "is a folder" in refusal(capsys, "annotate", example, "-o", tmp_path, *LABELS)


def test_the_input_is_never_written_to(capsys, example, tmp_path):
    link = tmp_path / "same.h5ad"
    link.symlink_to(example)
    before = example.read_bytes()
    for target in (example, link):
        line = refusal(capsys, "annotate", example, "-o", target, *LABELS)
        assert "The output is the input file. Choose another name" in line
    assert example.read_bytes() == before


def test_a_missing_input_is_named_also_when_the_output_is_there(capsys, tmp_path):
    (tmp_path / "out.h5ad").write_text("an older result")
    line = refusal(
        capsys, "annotate", tmp_path / "gone.h5ad", "-o", tmp_path / "out.h5ad", *LABELS
    )
    assert "There is no file gone.h5ad" in line
    assert (tmp_path / "out.h5ad").read_text() == "an older result"


def test_the_exit_status_and_the_line_reach_the_shell(tmp_path):
    (tmp_path / "x.h5ad").write_bytes(b"")
    run = module("annotate", "x.h5ad", "-o", "y.h5ad", *LABELS, cwd=tmp_path)
    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr.count("\n") == 1 and "empty (0 bytes)" in run.stderr


def test_a_fault_of_ours_is_one_line_that_names_the_log(capsys, example, tmp_path, monkeypatch):
    def broken(*_arguments):
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr("scanvi_core.services.annotate.command.annotate", broken)
    status, _, err = annotate(capsys, example, tmp_path / "o.h5ad")
    assert status == cli.FAULT
    assert err.count("\n") == 1 and "Traceback" not in err
    log = Path(err.split("Details are in ")[1].strip().rstrip("."))
    assert "ZeroDivisionError: a fault" in log.read_text()
    log.unlink()


def test_a_layer_that_is_no_counts_is_refused(capsys, tmp_path, cells):
    cells.layers["logs"] = corrected_logs(cells.X)
    cells.write_h5ad(tmp_path / "in.h5ad")
    line = refusal(capsys, "annotate", tmp_path / "in.h5ad", "-o", tmp_path / "o.h5ad", *LABELS,
                   "--layer", "logs")  # fmt: skip
    assert "layers/logs" in line


def test_a_command_that_cannot_be_read_is_one_line(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["annotate", "in.h5ad", "--labels-key", "cell_type"])
    assert ended.value.code == cli.BAD_INPUT
    (line,) = capsys.readouterr().err.splitlines()
    assert "--output" in line and "--help" in line
