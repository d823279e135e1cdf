"""Files of other ages and programs: their values stay, or they are refused with another way."""

import anndata as ad
import pytest

from scanvi_core.errors import ExportError
from scanvi_core.export.child import annotate
from scanvi_core.export.h5ad import export_annotated
from tests import SHARED
from tests.export.samples import assert_user_parts_equal, request_for

needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="the shared real data are absent")
pytestmark = pytest.mark.filterwarnings("ignore")  # anndata's about old formats and names

OLD = ["anndata_v0.5.0/adata.h5ad", "anndata_v0.7.0/adata.h5ad", "anndata_v0.7.8/adata.h5ad"]
OTHER = [
    "anndataR/example.h5ad", "anndata_v0.11.4/adata.h5ad", "tiledbsoma/pbmc-small.h5ad",
    "tiledbsoma/categorical_int_nan.h5ad", "zellkonverter/example_anndata.h5ad",
    "zellkonverter/krumsiek11.h5ad", "derived/zero_genes.h5ad", "derived/no_obs_columns.h5ad",
    "derived/X_none_counts_in_layer.h5ad", "derived/duplicate_obs_names.h5ad",
    "na_labels/scirpy_wu2020_v0_6_nanstrings.h5ad",
]  # fmt: skip

FACTORS = {  # of SeuratDisk
    "tiledbsoma/pbmc-small.h5ad": {
        "orig.ident": {"SeuratProject"}, "RNA_snn_res.0.8": {"0", "1"},
        "letter.idents": {"A", "B"}, "RNA_snn_res.1": {"0", "1", "2"},
    }
}  # fmt: skip


@needs_shared
@pytest.mark.parametrize("name", OLD + OTHER)
def test_files_of_other_ages_and_writers_keep_their_values(tmp_path, name):
    source = SHARED / "odd_files" / name
    before = ad.read_h5ad(source)
    request = request_for(source, tmp_path / "out.h5ad", before.n_obs)
    annotate(request, request.target)
    after = ad.read_h5ad(request.target)
    for column in FACTORS.get(name, ()):  # anndata sees codes; the names lie in the file
        assert set(after.obs[column].cat.categories) == FACTORS[name][column]
        before.obs[column] = after.obs[column]
    assert_user_parts_equal(before, after)
    assert set(request.obs) <= set(after.obs.columns)


@needs_shared
def test_real_data_through_the_child_process(tmp_path):
    source = SHARED / "data" / "kang_ifnb_2800.h5ad"
    request = request_for(source, tmp_path / "out.h5ad", 2800)
    after = ad.read_h5ad(export_annotated(request).path)
    assert_user_parts_equal(ad.read_h5ad(source), after)


@needs_shared
@pytest.mark.parametrize("name", ["10x_v3_h5", "h5mu", "loom", "csv_gz"])
def test_sources_of_other_kinds_are_refused_with_another_way(tmp_path, name):
    source = next(p for p in sorted((SHARED / "odd_files" / name).iterdir()) if p.is_file())
    request = request_for(source, tmp_path / "out.h5ad")
    with pytest.raises(ExportError, match="labels as CSV"):
        annotate(request, request.target)
