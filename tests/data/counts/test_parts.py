"""Parts of the molecules are told by their values, whatever their layers are called."""

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from tests.data.intake.outcomes import ask

N, GENES = 400, 60  # more cells than are compared value by value
WHOLE = np.random.default_rng(0).poisson(2.0, (N, GENES))
PART = np.random.default_rng(1).binomial(WHOLE, 0.7)
REST = WHOLE - PART
LOGS = np.log1p(WHOLE / WHOLE.sum(axis=1, keepdims=True) * 1e4).round(2)
STORED = [sp.csr_matrix, sp.csc_matrix, np.asarray]


def found(tmp_path, x, layers, matrix=None, raw=None):
    """Return what is found in a file with these matrices, each stored in another way."""
    obs = pd.DataFrame(index=[f"AAACCTGAGAAAC{i:03d}-1" for i in range(N)])
    data = anndata.AnnData(STORED[0](x.astype(np.float32)), obs)
    if raw is not None:
        data.raw = anndata.AnnData(sp.csr_matrix(raw.astype(np.float32)), obs)
    for at, (name, values) in enumerate(layers.items()):
        data.layers[name] = STORED[(at + 1) % 3](values.astype(np.float32))
    data.write_h5ad(tmp_path / "a.h5ad")
    return ask(tmp_path / "a.h5ad", tmp_path / "ds", matrix=matrix)["result"]


@pytest.mark.parametrize("names", [("counts", "raw_counts"), ("umi", "q2"), ("U2", "exon")])
@pytest.mark.parametrize("place", ["X", "raw.X"])
def test_the_whole_of_a_file_comes_before_parts_under_any_name(tmp_path, place, names):
    layers = dict(zip(names, (PART, REST), strict=True))
    x, raw = (WHOLE, None) if place == "X" else (LOGS, WHOLE)
    result = found(tmp_path, x, layers, raw=raw)
    assert result["counts_source"] == place
    told = [note for note in result["repairs"] if "holds a part of the counts in" in note]
    assert bool(told) == (names[0] in {"counts", "umi"})


@pytest.mark.parametrize("names", ["abc", "cab", "bca", ("spliced", "unspliced", "counts_all")])
def test_of_layers_the_whole_comes_before_its_parts(tmp_path, names):
    part, rest, whole = names
    result = found(tmp_path, LOGS, {part: PART, whole: WHOLE, rest: REST})
    assert result["counts_source"] == f"layers/{whole}"


def test_a_layer_with_a_usual_name_that_is_a_part_gives_way(tmp_path):
    result = found(tmp_path, LOGS, {"counts": PART, "everything": WHOLE})
    assert result["counts_source"] == "layers/everything"


def test_parts_without_a_whole_are_taken_the_larger_first(tmp_path):
    assert found(tmp_path, LOGS, {"p": REST, "q": PART})["counts_source"] == "layers/q"


def test_a_part_that_was_asked_for_is_taken_with_a_warning(tmp_path):
    result = found(tmp_path, WHOLE, {"odd": PART}, "layers/odd")
    assert result["counts_source"] == "layers/odd"
    assert "layers/odd holds a part of the counts in X." in result["warnings"]


@pytest.mark.parametrize(
    "x", [WHOLE, WHOLE * 3, np.rint(WHOLE / WHOLE.sum(axis=1, keepdims=True) * 1e5), LOGS],
    ids=["the same", "reads", "per 100,000", "logs"],
)  # fmt: skip
def test_counts_in_another_unit_do_not_make_a_layer_of_counts_a_part(tmp_path, x):
    assert found(tmp_path, x, {"counts": WHOLE})["counts_source"] == "layers/counts"


def test_one_value_that_is_larger_makes_it_no_part(tmp_path):
    other = PART.copy()
    other[0, 0] = WHOLE[0, 0] + 1
    other[0, 1:20] = 0
    assert found(tmp_path, WHOLE, {"counts": other})["counts_source"] == "layers/counts"


@pytest.mark.parametrize("names", [("exon", "intron"), ("exon_counts", "intron_counts")])
def test_logarithms_of_the_whole_come_before_its_parts(tmp_path, names):
    logs = np.log1p(WHOLE / WHOLE.sum(axis=1, keepdims=True) * 1e4)
    result = found(tmp_path, logs, dict(zip(names, (PART, REST), strict=True)))
    assert result["counts_source"] == "X"


def test_logarithms_of_a_layer_of_counts_do_not_make_it_a_part(tmp_path):
    logs = np.log1p(PART / PART.sum(axis=1, keepdims=True) * 1e4)
    result = found(tmp_path, logs, {"q": PART, "p": REST})
    assert result["counts_source"] == "layers/q" and not result["warnings"]


def test_a_part_asked_for_beside_logarithms_of_the_whole_is_taken_with_a_warning(tmp_path):
    logs = np.log1p(WHOLE / WHOLE.sum(axis=1, keepdims=True) * 1e4)
    result = found(tmp_path, logs, {"exon": PART}, "layers/exon")
    assert "layers/exon holds a part of the counts in X." in result["warnings"]
