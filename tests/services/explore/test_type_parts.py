import numpy as np
import pytest
from scipy import sparse

from scanvi_core.annotation.layout.parts import parts_of
from scanvi_core.errors import LabelsUnusable
from scanvi_core.services.explore import type_parts
from scanvi_core.services.labels import edit
from scanvi_core.services.workspace import workspace


@pytest.fixture
def mixed(labeled):
    """A project in which B cells and monocytes have one name."""
    opened = workspace(labeled)
    expert = opened.dataset.obs["expert_label"].astype(str).to_numpy()
    rows = np.flatnonzero(np.isin(expert, ["CD19+ B", "CD14+ Monocyte"]))
    edit.name_cells(opened, rows, "mixed", "lasso")
    return opened, expert


def test_the_parts_of_a_mixed_type_are_what_it_is_mixed_of(mixed):
    opened, expert = mixed
    first, second = type_parts.parts(opened, "mixed", 2)
    assert len(first.rows) >= len(second.rows)
    shares = [np.mean(expert[part.rows] == "CD19+ B") for part in (first, second)]
    assert max(shares) > 0.95 and min(shares) < 0.05
    b_cells = (first, second)[int(np.argmax(shares))]
    assert {"CD79A", "MS4A1", "CD79B", "CD74", "HLA-DRA"} & set(b_cells.markers)
    assert np.array_equal(
        np.sort(np.concatenate([first.rows, second.rows])),
        np.flatnonzero(opened.labels().codes == opened.labels().names.index("mixed")),
    )


def test_parts_are_the_same_whenever_they_are_asked_for(mixed):
    logs = mixed[0].dataset.counts[:300].log1p()
    assert np.array_equal(parts_of(logs, 3), parts_of(logs, 3))
    sizes = np.bincount(parts_of(logs, 3))
    assert len(sizes) == 3 and (np.diff(sizes) <= 0).all()


def test_an_odd_cell_is_no_part_and_genes_that_nobody_shares_are_no_reason():
    random = np.random.default_rng(0)
    logs = random.poisson(1.0, (60, 200)).astype(float)
    logs[:30, :20] += 3.0
    logs[59, 100:] += 40.0
    codes = parts_of(sparse.csr_matrix(np.log1p(logs)), 2)
    assert sorted(np.bincount(codes)) == [30, 30] and len(set(codes[:30])) == 1
    alone = sparse.csr_matrix(np.eye(60))  # every gene is of one cell
    assert len(parts_of(alone, 2)) == 60


def test_a_type_with_few_cells_has_no_parts(labeled):
    edit.name_cells(workspace(labeled), np.arange(5), "few", "lasso")
    with pytest.raises(LabelsUnusable, match="few has 5 cells"):
        type_parts.parts(workspace(labeled), "few", 2)
