"""The command line: its summary, its refusals, and what it mends and goes on with."""

import json
import os
import subprocess
import sys
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import torch

from scanvi_core import cli, keys
from scanvi_core.annotation import embedding
from scanvi_core.data.example import write_example

ROOT = Path(__file__).parents[1]
SUMMARY = {
    "n_cells", "n_genes_used", "labels", "n_labelled", "counts_source", "repairs", "device",
    "threads", "epochs", "train_seconds", "train_cells_per_s", "total_seconds", "peak_rss_mb",
    "holdout", "output",
}  # fmt: skip
LABELS = ("--labels-key", "cell_type")


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    return write_example(tmp_path_factory.mktemp("example") / "example.h5ad")


@pytest.fixture(scope="module")
def whole(example):
    return anndata.read_h5ad(example)


@pytest.fixture
def cells(whole):
    """200 cells of the example with 300 genes, to bend; about two in five are labelled."""
    return whole[:200, :300].copy()


@pytest.fixture
def flat_map(monkeypatch):
    """The first two coordinates in place of UMAP: the tests with it are not about the picture."""
    monkeypatch.setattr(
        embedding, "umap_of", lambda z, **_: np.ascontiguousarray(z[:, :2], dtype=np.float32)
    )


def module(*arguments, cwd=ROOT):
    """Run the program as a user does."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "scanvi_core", *map(str, arguments)],
        capture_output=True, text=True, cwd=cwd, env=environment, timeout=300, check=False,
    )  # fmt: skip


def annotate(capsys, source, target, *more, epochs=1, labels=LABELS):
    """Annotate in this process; return the exit status, the summary, and standard error."""
    torch.set_num_threads(1)
    arguments = ["annotate", source, "-o", target, *labels, "--max-epochs", epochs, "--json"]
    status = cli.main([str(word) for word in (*arguments, *more)])
    out, err = capsys.readouterr()
    return status, json.loads(out, parse_constant=pytest.fail) if status == 0 else out, err


def annotated(capsys, tmp_path, adata, *more, labels=LABELS):
    """Write a bent file and annotate it; return the summary and the annotated file."""
    source = tmp_path / "in.h5ad"
    adata.write_h5ad(source)
    status, summary, err = annotate(capsys, source, tmp_path / "out.h5ad", *more, labels=labels)
    assert status == 0, err
    return summary, anndata.read_h5ad(tmp_path / "out.h5ad")


def refusal(capsys, *arguments):
    """Run a command that must be refused, and return its one line on standard error."""
    assert cli.main([str(word) for word in arguments]) == cli.BAD_INPUT
    out, err = capsys.readouterr()
    assert not out
    assert err.count("\n") == 1 and err.endswith("\n")
    assert err.startswith("error: ")
    assert "Traceback" not in err
    return err


@pytest.fixture(scope="module")
def done(example, tmp_path_factory):
    """The quick start of the example, run as a user does, and the file it wrote."""
    target = tmp_path_factory.mktemp("done") / "out.h5ad"
    run = module("annotate", example, "-o", target, *LABELS, "--batch-key", "batch", "--preset",
                 "quick", "--max-epochs", 3, "--json")  # fmt: skip
    assert run.returncode == 0, run.stderr
    return run, target


def test_the_summary_is_one_line_of_json_with_every_promised_key(done):
    run, target = done
    assert run.stdout.count("\n") == 1
    summary = json.loads(run.stdout, parse_constant=pytest.fail)
    assert set(summary) >= SUMMARY
    assert (summary["n_cells"], summary["n_genes_used"]) == (700, 765)
    assert (summary["counts_source"], summary["epochs"]) == ("X", 3)
    assert summary["output"] == str(target)
    assert set(summary["holdout"]) == {"n", "accuracy", "macro_f1", "ece"}
    assert 0 < summary["train_seconds"] <= summary["total_seconds"]


def test_standard_error_stays_silent_where_no_person_watches(done):
    assert done[0].stderr == ""


def test_the_output_keeps_the_users_data_and_labels(done, whole):
    result = anndata.read_h5ad(done[1])
    assert (result.X != whole.X).nnz == 0 and result.X.dtype == whole.X.dtype
    pd.testing.assert_frame_equal(result.obs[list(whole.obs)], whole.obs)
    pd.testing.assert_frame_equal(result.var, whole.var)
    given = whole.obs["cell_type"].notna().to_numpy()
    curated = result.obs[keys.CURATED].astype(str)
    assert (curated[given] == whole.obs["cell_type"][given].astype(str)).all()
    assert (result.obs[keys.SOURCE][given] == keys.GIVEN).all()
    assert (result.obs[keys.SOURCE][~given] == keys.PREDICTED).all()
    assert curated[~given].isin(whole.obs["cell_type"].cat.categories).all()


def test_the_labels_of_the_summary_are_those_of_the_file(done):
    curated = anndata.read_h5ad(done[1]).obs[keys.CURATED]
    assert json.loads(done[0].stdout)["labels"] == curated.value_counts().to_dict()


def test_a_table_of_labels_lies_beside_the_file(done):
    result = anndata.read_h5ad(done[1])
    table = pd.read_csv(done[1].with_suffix(".labels.csv"), index_col=0, dtype=str)
    assert table.index.tolist() == result.obs_names.tolist()
    assert table[keys.CURATED].tolist() == result.obs[keys.CURATED].astype(str).tolist()


def test_the_record_tells_how_the_labels_were_made(done):
    record = json.loads(anndata.read_h5ad(done[1]).uns[keys.UNS_RECORD])
    assert record["run"]["train"]["max_epochs"] == 3
    assert record["run"]["batch_key"] == "batch"
    assert record["result"]["n_batches"] == 8
    assert len(record["run"]["label_order"]) == 10


def test_the_same_seed_gives_the_same_probabilities(capsys, tmp_path, cells, flat_map):
    for target in ("a", "b"):
        (tmp_path / target).mkdir()
    one = annotated(capsys, tmp_path / "a", cells)[1].obsm[keys.PROBABILITIES]
    two = annotated(capsys, tmp_path / "b", cells)[1].obsm[keys.PROBABILITIES]
    assert np.asarray(one).tobytes() == np.asarray(two).tobytes()


def test_nothing_is_kept_in_the_users_home(capsys, tmp_path, cells, flat_map, monkeypatch):
    monkeypatch.setenv("SCANVI_HOME", str(tmp_path / "home"))
    annotated(capsys, tmp_path, cells)
    assert not (tmp_path / "home").exists()
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"in.h5ad", "out.h5ad", "out.labels.csv"}


@pytest.mark.parametrize("choice", [("--dispersion", "gene-label"), ("--gene-likelihood", "zinb")])
def test_model_settings_reach_the_model(capsys, tmp_path, cells, flat_map, choice):
    _, result = annotated(capsys, tmp_path, cells, *choice)
    model = json.loads(result.uns[keys.UNS_RECORD])["run"]["model"]
    assert model[choice[0].strip("-").replace("-", "_")] == choice[1]


def test_check_tells_what_is_in_a_file(capsys, example):
    assert cli.main(["check", str(example), "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == "" and out.count("\n") == 1
    found = json.loads(out, parse_constant=pytest.fail)
    assert found["matrices"][0]["verdict"] == "counts"
    assert found["labels_candidates"][0]["key"] == "cell_type"
    assert found["batch_candidates"][0]["key"] == "batch"
    assert found["needed_mb"] > 0
    assert found["repairs"] == []


def test_check_without_json_is_read_by_people(capsys, example):
    assert cli.main(["check", str(example)]) == 0
    assert "counts_source: X" in capsys.readouterr().out.splitlines()


# Refused ------------------------------------------------------------------------------------


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


def corrected_logs(counts):
    """Logarithms of values that no whole numbers lie behind, as ambient correction leaves them."""
    values = counts.astype(np.float32).tocsr()
    values.data *= np.random.default_rng(0).uniform(0.5, 1.5, values.nnz)
    return values.log1p()


def log_normalised(cells, path):
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
    log_normalised: "log",
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
    "no labelled cell": (no_label, LABELS, "no labelled cells"),
    "only one label": (one_label, LABELS, "Only one label has cells (B)"),
    "a label per cell": (barcodes, LABELS, "200 different values"),
    "all values unlabelled": (
        one_label, (*LABELS, "--unlabeled-category", "B"), "no labelled cells",
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

    monkeypatch.setattr("scanvi_core.services.annotate.annotate", broken)
    status, _, err = annotate(capsys, example, tmp_path / "o.h5ad")
    assert status == cli.FAULT
    assert err.count("\n") == 1 and "Traceback" not in err
    log = Path(err.split("Details are in ")[1].strip().rstrip("."))
    assert "ZeroDivisionError: a fault" in log.read_text()
    log.unlink()


# Mended, and the job goes on ------------------------------------------------------------------


def said(summary, words):
    return any(words in sentence for sentence in summary["repairs"])


def test_repeated_names_are_mended_with_a_notice(capsys, tmp_path, cells, flat_map):
    cells.obs_names = ["twin", "twin", *cells.obs_names[2:]]
    cells.var_names = ["gene", "gene", *cells.var_names[2:]]
    summary, result = annotated(capsys, tmp_path, cells)
    assert said(summary, "1 cell name repeated") and said(summary, "1 gene name repeated")
    assert result.obs_names[:2].tolist() == ["twin", "twin"]  # the user's names stay


def test_words_that_look_unlabelled_are_listed_and_kept(capsys, tmp_path, cells, flat_map):
    labels = cells.obs["cell_type"].astype(object)
    labels.iloc[:12] = "Unknown"
    labels.iloc[12:24] = np.nan
    cells.obs["cell_type"] = pd.Categorical(labels)
    summary, result = annotated(capsys, tmp_path, cells)
    assert said(summary, "Unknown was taken as a cell type")
    assert (result.obs[keys.CURATED].iloc[:12] == "Unknown").all()
    assert (result.obs[keys.SOURCE].iloc[12:24] == keys.PREDICTED).all()


def test_words_named_as_unlabelled_are_predicted(capsys, tmp_path, cells, flat_map):
    labels = cells.obs["cell_type"].astype(object)
    labels.iloc[:12], labels.iloc[12:24] = "Unknown", "?"
    cells.obs["cell_type"] = pd.Categorical(labels)
    more = ("--unlabeled-category", "Unknown", "--unlabeled-category", "?")
    summary, result = annotated(capsys, tmp_path, cells, *more)
    assert not said(summary, "was taken as a cell type")
    assert (result.obs[keys.SOURCE].iloc[:24] == keys.PREDICTED).all()
    assert not {"Unknown", "?"} & set(result.obs[keys.CURATED])


def test_the_reviewers_word_for_no_type_is_kept_but_never_learnt(
    capsys, tmp_path, cells, flat_map
):
    labels = cells.obs["cell_type"].astype(object)
    labels.iloc[:12] = keys.UNKNOWN
    cells.obs["cell_type"] = pd.Categorical(labels)
    summary, result = annotated(capsys, tmp_path, cells)
    assert said(summary, "unknown was kept as your label, but it is no type to learn")
    assert not said(summary, "taken as a cell type")
    assert (result.obs[keys.CURATED].iloc[:12] == keys.UNKNOWN).all()
    assert keys.UNKNOWN not in set(result.obs[keys.PREDICTION])


def test_categories_without_cells_are_dropped_with_a_notice(capsys, tmp_path, cells, flat_map):
    cells.obs["cell_type"] = cells.obs["cell_type"].cat.add_categories(["Ghost", "Spectre"])
    summary, result = annotated(capsys, tmp_path, cells)
    assert said(summary, "cell_type: 2 values without cells dropped")
    assert "Ghost" not in summary["labels"]
    assert "Ghost" in result.obs["cell_type"].cat.categories  # the user's column stays


def test_empty_cells_are_kept_without_a_prediction_and_not_trained_on(
    capsys, tmp_path, cells, flat_map
):
    counts = cells.X.tolil()
    labels = cells.obs["cell_type"].astype(object)
    labels.iloc[0], labels.iloc[1] = "Dendritic", None
    cells.obs["cell_type"] = pd.Categorical(labels)
    counts[:2] = 0
    cells.X = counts.tocsr()
    summary, result = annotated(capsys, tmp_path, cells)
    assert said(summary, "2 cells have no counts: they are kept")
    assert summary["n_cells"] == 200
    first = result.obs.iloc[:2]
    assert first[[keys.CONFIDENCE, keys.MARGIN, keys.ENTROPY]].isna().all(axis=None)
    assert first[keys.PREDICTION].isna().all()
    assert np.isnan(result.obsm[keys.PROBABILITIES][:2]).all()
    assert first[keys.SOURCE].tolist() == [keys.GIVEN, keys.UNLABELED]
    assert result.obs[keys.CONFIDENCE].iloc[2:].notna().all()


def test_a_batch_of_one_cell_is_no_obstacle(capsys, tmp_path, cells, flat_map):
    cells.obs["batch"] = pd.Categorical(["lone"] + ["a", "b"] * 99 + ["a"])
    summary, result = annotated(capsys, tmp_path, cells, "--batch-key", "batch")
    assert np.isfinite(result.obsm[keys.PROBABILITIES]).all()
    assert summary["n_cells"] == 200


def test_forty_tiny_batches_are_no_obstacle(capsys, tmp_path, cells, flat_map):
    cells.obs["donor"] = pd.Categorical([f"d{i % 40}" for i in range(200)])
    _, result = annotated(capsys, tmp_path, cells, "--batch-key", "donor")
    assert np.isfinite(result.obsm[keys.PROBABILITIES]).all()
    assert json.loads(result.uns[keys.UNS_RECORD])["result"]["n_batches"] == 40


def test_a_last_minibatch_of_one_cell_is_no_obstacle(capsys, tmp_path, whole, flat_map):
    _, result = annotated(capsys, tmp_path, whole[:129, :300].copy())
    assert np.isfinite(result.obsm[keys.PROBABILITIES]).all()


def test_types_of_one_or_two_cells_are_learnt(capsys, tmp_path, cells, flat_map):
    labels = cells.obs["cell_type"].astype(object)
    labels.iloc[0], labels.iloc[1:3] = "Rare one", "Rare two"
    cells.obs["cell_type"] = pd.Categorical(labels)
    _, result = annotated(capsys, tmp_path, cells)
    record = json.loads(result.uns[keys.UNS_RECORD])
    assert {"Rare one", "Rare two"} <= set(record["run"]["label_order"])
    assert result.obs[keys.CURATED].iloc[:3].tolist() == ["Rare one", "Rare two", "Rare two"]


def test_a_file_with_every_label_given_is_checked_against_the_model(
    capsys, tmp_path, cells, flat_map
):
    labels = ("--labels-key", "expert_label")
    summary, result = annotated(capsys, tmp_path, cells, labels=labels)
    assert set(result.obs[keys.SOURCE]) == {keys.GIVEN}
    assert result.obs[keys.PREDICTION].notna().all()
    assert summary["holdout"]["n"] > 0


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([1, 2, 3, 10], {"1", "2", "3", "10"}),
        ([True, False], {"True", "False"}),
        ([0.0, 1.0, np.nan], {"0.0", "1.0"}),
    ],
    ids=["integers", "yes and no", "decimals"],
)
def test_labels_need_not_be_words(capsys, tmp_path, cells, flat_map, values, names):
    cells.obs["cluster"] = np.resize(values, 200)
    summary, _ = annotated(capsys, tmp_path, cells, labels=("--labels-key", "cluster"))
    assert set(summary["labels"]) == names


@pytest.mark.parametrize("layer", ["umis", "layers/umis"])
def test_counts_are_read_from_the_layer_asked_for(capsys, tmp_path, cells, flat_map, layer):
    cells.layers["umis"] = cells.X.copy()
    cells.X = cells.X.log1p()
    summary, result = annotated(capsys, tmp_path, cells, "--layer", layer)
    assert summary["counts_source"] == "layers/umis"
    assert (result.X != cells.X).nnz == 0


def test_a_layer_that_is_no_counts_is_refused(capsys, tmp_path, cells):
    cells.layers["logs"] = corrected_logs(cells.X)
    cells.write_h5ad(tmp_path / "in.h5ad")
    line = refusal(capsys, "annotate", tmp_path / "in.h5ad", "-o", tmp_path / "o.h5ad", *LABELS,
                   "--layer", "logs")  # fmt: skip
    assert "layers/logs" in line


def test_counts_behind_logarithms_are_recovered_exactly(capsys, tmp_path, cells, flat_map):
    counts = cells.X.copy()
    cells.X = cells.X.log1p()
    summary, result = annotated(capsys, tmp_path, cells)
    assert any("Counts recovered from" in told for told in summary["repairs"])
    assert np.array_equal(np.rint(np.expm1(result.X.toarray())), counts.toarray())


def test_a_score_without_a_number_is_null_in_json(capsys, tmp_path, cells, flat_map):
    """Two types, each with two cells set aside: no type has the three that a mean F1 needs."""
    cells.obs["cell_type"] = pd.Categorical(["B"] * 13 + ["T"] * 13 + [None] * 174)
    summary, result = annotated(capsys, tmp_path, cells)
    assert summary["holdout"]["n"] == 4
    assert summary["holdout"]["macro_f1"] is None
    record = json.loads(result.uns[keys.UNS_RECORD], parse_constant=pytest.fail)
    assert record["result"]["holdout"]["macro_f1"] is None


def test_a_command_that_cannot_be_read_is_one_line(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["annotate", "in.h5ad", "-o", "out.h5ad"])
    assert ended.value.code == cli.BAD_INPUT
    (line,) = capsys.readouterr().err.splitlines()
    assert "--labels-key" in line and "--help" in line
