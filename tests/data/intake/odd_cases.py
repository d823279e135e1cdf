"""What has to become of every file of the collection of odd files.

The collection lies beside the repository (``../shared/odd_files``): files that other programs
wrote, and real data bent in one way each. A store (zarr) and a folder of 10x files are one entry;
the files of a 10x folder are entries of their own too, because each leads to the whole.
"""

from tests import SHARED
from tests.data.intake.outcomes import Asks, Loads, Outcome, Refused

ODD = SHARED / "odd_files"
STORE_MARKS = (".zgroup", "zarr.json")


FEW_5 = Refused("FileRefused", "5 cells; at least 20 are needed")
FEW_10 = Refused("FileRefused", "10 cells; at least 20 are needed")
FEW_12 = Refused("FileRefused", "12 cells; at least 20 are needed")
SCALED = Refused("CountsNotFound", "X has negative values: it looks scaled")
NO_MATRIX = Refused("CountsNotFound", "X is missing and so are layers")
WORDS = Refused("FileRefused", "is a table of descriptions, not of counts")
V3 = Loads("X", 1107, 507)
EMPTY_41 = "41 cells have no counts"
SCPREP = Loads("X", 100, 100, (EMPTY_41,))
TWINS = Loads("X", 100, 100, ("1 gene name repeated an earlier one", EMPTY_41))
RAW_40 = Loads(
    "raw.X",
    30,
    40,
    ("obsm['df'] is not an embedding", "obsm['sparse'] is not an embedding", "raw.X are used"),
)
KANG = Loads("X", 600, 8353)

CASES: dict[str, Outcome] = {
    "10x_mtx_int_ids": FEW_5,
    "10x_mtx_int_ids/barcodes.tsv": FEW_5,
    "10x_mtx_int_ids/features.tsv": FEW_5,
    "10x_mtx_int_ids/matrix.mtx": FEW_5,
    "10x_v2_h5/filtered_gene_bc_matrices_h5.h5": FEW_12,
    "10x_v2_h5/multiple_genomes.h5": Asks("genome", {"genome": "hg19_chr21"}, FEW_12),
    "10x_v2_mtx/hg19_chr21": FEW_12,
    "10x_v2_mtx/hg19_chr21/barcodes.tsv": FEW_12,
    "10x_v2_mtx/hg19_chr21/genes.tsv": FEW_12,
    "10x_v2_mtx/hg19_chr21/matrix.mtx": FEW_12,
    "10x_v3_h5/filtered_feature_bc_matrix.h5": Loads(
        "X", 1107, 507, ("22,759 values stored out of order",)
    ),
    "10x_v3_h5/visium_raw_probe_bc_matrix.h5": Loads(
        "X", 4987, 1000, ("4,270 cells have no counts",)
    ),
    "10x_v3_mtx_gz": V3,
    "10x_v3_mtx_gz/barcodes.tsv.gz": V3,
    "10x_v3_mtx_gz/features.tsv.gz": V3,
    "10x_v3_mtx_gz/matrix.mtx.gz": V3,
    "README.md": Refused("FileRefused", "not a table of counts"),
    "anndataR/example.h5ad": Loads("layers/counts", 50, 100, ("BoolNA: yes, no and missing",)),
    "anndataR/example.zarr.zip": Loads(
        "layers/counts",
        50,
        100,
        ("BoolNA: yes, no and missing", "counted the categories from 0", "uns['Category']"),
    ),
    "anndata_v0.11.4/adata.h5ad": FEW_10,
    "anndata_v0.11.4/adata.zarr.zip": FEW_10,
    "anndata_v0.5.0/adata.h5ad": Loads(
        "raw.X", 700, 765, ("Counts recovered from", "173,700 values stored out of order")
    ),
    "anndata_v0.7.0/adata.h5ad": RAW_40,
    "anndata_v0.7.0/adata.zarr.zip": RAW_40,
    "anndata_v0.7.8/adata.h5ad": RAW_40,
    "anndata_v0.7.8/adata.zarr.zip": RAW_40,
    "csv_gz/sc_celseq2.metadata.csv.gz": WORDS,
    "csv_gz/sc_dropseq.count.csv.gz": Asks(
        "orientation",
        {"orientation": "cells-in-columns"},
        Loads("X", 225, 15127, ("sc_dropseq.metadata.csv.gz, which lies beside it, describes",)),
    ),
    "csv_gz/sc_dropseq.metadata.csv.gz": WORDS,
    "csv_gz/spring_P12A.counts.tsv.gz": Asks(
        "orientation", {"orientation": "cells-in-rows"}, Loads("X", 1393, 28205)
    ),
    "csv_gz/spring_genes.txt": Refused("FileRefused", "starts with '0610007P14Rik'"),
    "derived/X_none_counts_in_layer.h5ad": Loads("layers/counts", 600, 8353),
    "derived/csc.h5ad": KANG,
    "derived/dense_float64_lzf.h5ad": KANG,
    "derived/duplicate_obs_names.h5ad": Loads("X", 600, 8353, ("1 cell name repeated",)),
    "derived/duplicate_var_names.h5ad": Loads("X", 600, 8353, ("3 gene names repeated",)),
    "derived/empty_cells.h5ad": Loads("X", 600, 8353, ("2 cells have no counts",)),
    "derived/every_cell_own_batch.h5ad": Loads("X", 600, 8353, ("batch cannot be used as batch",)),
    "derived/every_cell_own_class.h5ad": Loads("X", 600, 8353, ("look like barcodes",)),
    "derived/few_noninteger_counts.h5ad": Asks(
        "rounding",
        {"rounding": "round"},
        Loads("X", 600, 8353, ("5,149 of 421,254 values (1.2%) were rounded",)),
    ),
    "derived/forty_cells.h5ad": Loads("X", 40, 8353, ("1 of 2 batches have fewer than 20 cells",)),
    "derived/int64_csr.h5ad": KANG,
    "derived/lognorm_X_raw_counts.h5ad": Loads("raw.X", 600, 8353, ("genes of raw.X are used",)),
    "derived/lognorm_only_no_counts.h5ad": Loads("X", 600, 8353, ("Counts recovered from",)),
    "derived/median_norm_nolog_layer_odd_name.h5ad": Loads("layers/raw_counts_here", 600, 8353),
    "derived/nan_in_counts.h5ad": Refused(
        "FileRefused", "nan in cell GTAGCCCTAGACTC.11, gene CA6"
    ),
    "derived/nan_labels_unused_categories.h5ad": Loads(
        "X", 600, 8353, ("cell_type: 3 values without cells", "200 cells without a value")
    ),
    "derived/negative_value.h5ad": Refused(
        "FileRefused", "-3 in cell GTAGCCCTAGACTC.11, gene CA6"
    ),
    "derived/no_obs_columns.h5ad": KANG,
    "derived/not_hdf5.h5ad": Refused("FileRefused", "a text file that starts with 'hello, not"),
    "derived/numeric_bool_labels_odd_colnames.h5ad": KANG,
    "derived/scaled_X_raw_lognorm_layer_counts.h5ad": Loads("layers/counts", 600, 800),
    "derived/scaled_only_no_counts.h5ad": SCALED,
    "derived/single_class.h5ad": Loads("X", 600, 8353, ("it has 1 value",)),
    "derived/thirty_genes.h5ad": Loads("X", 600, 30, ("26 cells have no counts",)),
    "derived/transposed_genes_by_cells.h5ad": Asks(
        "orientation",
        {"orientation": "cells-in-columns"},
        Loads("X", 600, 8353, ("The rows were the genes",)),
    ),
    "derived/truncated.h5ad": Refused("FileRefused", "375,565 of 1,126,697 bytes"),
    "derived/whitespace_unicode_labels.h5ad": Loads(
        "X", 600, 8353, ("cell_type: ' NK' and 'NK' and 'NK ' (45 cells) differ only by spaces",)
    ),
    "derived/zarr_v2.zarr": KANG,
    "derived/zarr_v3.zarr": KANG,
    "derived/zero_cells.h5ad": Refused("FileRefused", "no cells"),
    "derived/zero_genes.h5ad": Refused("FileRefused", "no genes"),
    "h5mu/mdata_axis0.h5mu": Asks(
        "modality", {"modality": "mod1"}, Refused("CountsNotFound", "No counts found")
    ),
    "layers/scimilarity_test_counts_layer.h5ad": Loads("layers/counts", 1000, 1000),
    "layers/scvi_pbmc_10k_protein_dense.h5ad": Loads("X", 200, 16727),
    "layers/spapros_small_raw_counts.h5ad": Loads("X", 2700, 2000),
    "loom/loompy_test.loom": Refused("CountsNotFound", "X holds only zeros"),
    "loom/mpfc-starmap.loom": Loads(
        "X", 3704, 158, ("does not name its cells", "may mean unlabeled: 'NA'")
    ),
    "na_labels/pbmc_NA_string_dense_objdtype.h5ad": Loads(
        "layers/counts", 7480, 200, ("may mean unlabeled: 'NA'",)
    ),
    "na_labels/scirpy_wu2020_v0_6_nanstrings.h5ad": Loads(
        "X", 200, 3000, ("have fewer than 20 cells",)
    ),
    "scanpy/10x_pbmc68k_reduced.zarr.zip": Loads(
        "layers/counts",
        700,
        765,
        ("uns/louvain/params/random_state are not in the store", "uns['rank_genes_groups']"),
    ),
    "scprep/test_10X": SCPREP,
    "scprep/test_10X/barcodes.tsv": SCPREP,
    "scprep/test_10X/genes.tsv": SCPREP,
    "scprep/test_10X/matrix.mtx.gz": SCPREP,
    "scprep/test_10X.h5": SCPREP,
    "scprep/test_10X.zip": SCPREP,
    "scprep/test_10X_cellranger3": SCPREP,
    "scprep/test_10X_cellranger3/barcodes.tsv": SCPREP,
    "scprep/test_10X_cellranger3/features.tsv": SCPREP,
    "scprep/test_10X_cellranger3/matrix.mtx": SCPREP,
    "scprep/test_10X_cellranger3.h5": SCPREP,
    "scprep/test_10X_duplicate_gene_names": TWINS,
    "scprep/test_10X_duplicate_gene_names/barcodes.tsv": TWINS,
    "scprep/test_10X_duplicate_gene_names/genes.tsv": TWINS,
    "scprep/test_10X_duplicate_gene_names/matrix.mtx.gz": TWINS,
    "scprep/test_10X_invalid.zip": Refused("FileRefused", "an empty zip archive"),
    "scprep/test_10X_no_subdir.zip": SCPREP,
    "tiledbsoma/bruce-nan.h5ad": Refused("FileRefused", "2,556 missing or infinite values"),
    "tiledbsoma/categorical_int_nan.h5ad": SCALED,
    "tiledbsoma/pbmc-small-x-csc.h5ad": SCALED,
    "tiledbsoma/pbmc-small-x-csr.h5ad": SCALED,
    "tiledbsoma/pbmc-small-x-dense.h5ad": SCALED,
    "tiledbsoma/pbmc-small.h5ad": Loads(
        "raw.X", 80, 230, ("Counts recovered", "The genes of raw.X", "orig.ident cannot be used")
    ),
    "tiledbsoma/x-empty.h5ad": Refused("CountsNotFound", "X holds only zeros"),
    "tiledbsoma/x-none.h5ad": NO_MATRIX,
    "tiledbsoma/xnone.h5ad": NO_MATRIX,
    "zellkonverter/example_anndata.h5ad": Loads("layers/counts", 200, 459),
    "zellkonverter/krumsiek11.h5ad": SCALED,
    "zellkonverter/krumsiek11_augmented_v0-8.h5ad": SCALED,
}

WAITS: dict[str, str] = {}  # by entry, why its answer is not yet right


def entries() -> list[str]:
    """Return every entry of the collection that is here: files, stores and 10x folders."""
    stores = {path.parent for mark in STORE_MARKS for path in ODD.rglob(mark)}
    stores = {path for path in stores if not stores & set(path.parents)}
    files = [path for path in ODD.rglob("*") if path.is_file() and not stores & set(path.parents)]
    folders = {path.parent for path in files if ".mtx" in path.suffixes}
    return sorted(str(path.relative_to(ODD)) for path in {*stores, *files, *folders})
