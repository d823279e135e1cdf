import numpy as np
import pytest
from scipy import sparse

from scanvi_core.annotation.model.align import align, match_genes, select_columns
from scanvi_core.errors import InputError

MODEL = tuple(f"G{i}" for i in range(10))


@pytest.fixture
def counts():
    return sparse.csr_array(np.random.default_rng(0).poisson(1.0, (30, 10)).astype(np.float32))


def test_columns_come_in_the_order_of_the_model(counts):
    order = np.random.default_rng(1).permutation(10)
    found = align(counts[:, order], [MODEL[i] for i in order], MODEL)
    assert np.array_equal(found.toarray(), counts.toarray())


def test_equal_counts_become_equal_bytes_however_they_were_stored(counts):
    order = np.random.default_rng(1).permutation(10)
    names = [MODEL[i] for i in order]
    with_zeros = counts.copy()
    with_zeros.data[::3] = 0
    dense = with_zeros.toarray()
    forms = [
        align(form, names, MODEL)
        for form in (
            with_zeros[:, order],
            sparse.csc_matrix(dense[:, order]),
            dense[:, order],
            sparse.coo_array(dense[:, order].astype(np.int64)),
        )
    ]
    for form in forms:
        assert form.has_canonical_format and form.dtype == np.float32
        for part in ("data", "indices", "indptr"):
            assert np.array_equal(getattr(form, part), getattr(forms[0], part)), part
    assert np.array_equal(forms[0].toarray(), dense)


def test_missing_genes_are_columns_of_zeros_and_other_genes_are_left_out(counts):
    names = (*MODEL[:6], "other", "more", "still", "last")
    found = align(counts, names, MODEL).toarray()
    assert np.array_equal(found[:, :6], counts.toarray()[:, :6])
    assert not found[:, 6:].any()


def test_too_few_shared_genes_are_refused_with_the_numbers(counts):
    names = (*MODEL[:4], *"abcdef")
    with pytest.raises(InputError, match="4 of the model's 10 genes are among the 10 given") as e:
        align(counts, names, MODEL)
    assert "G0" in e.value.hint
    assert (match_genes((*MODEL[:5], *"abcde"), MODEL) >= 0).sum() == 5  # half is enough


def test_a_gene_given_twice_is_refused_only_if_the_model_reads_it(counts):
    with pytest.raises(InputError, match="more than one column: G3"):
        align(counts, (*MODEL[:9], "G3"), MODEL)
    names = (*MODEL[:8], "other", "other")
    assert np.array_equal(match_genes(names, MODEL)[:8], np.arange(8))


def test_columns_behind_a_gene_given_twice_are_still_found():
    assert match_genes(("x", "x", "G1", "G0"), ("G0", "G1")).tolist() == [3, 2]


@pytest.mark.parametrize("versioned", ["query", "model", "both"])
def test_versions_of_ensembl_ids_are_ignored_where_that_helps(versioned):
    ids = [f"ENSG{i:011d}" for i in range(10)]
    query = [f"{name}.{i + 2}" for i, name in enumerate(ids)] if versioned != "model" else ids
    model = [f"{name}.1" for name in ids] if versioned != "query" else ids
    assert match_genes(query[::-1], model).tolist() == list(range(9, -1, -1))


def test_a_point_in_a_symbol_is_no_version():
    names = [f"AC0{i}.1" for i in range(4)]
    with pytest.raises(InputError):
        match_genes([name.removesuffix(".1") for name in names], names)


def test_one_name_per_column_is_needed(counts):
    with pytest.raises(InputError, match="9 gene names for 10 columns"):
        align(counts, MODEL[:9], MODEL)


def test_a_column_can_be_taken_from_anywhere(counts):
    found = select_columns(counts, np.array([-1, 9, 0]))
    assert np.array_equal(found.toarray()[:, 1:], counts.toarray()[:, [9, 0]])
    assert not found[:, [0]].nnz
