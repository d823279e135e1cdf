"""What has to become of files in the layouts that people reported trouble with.

They lie beside the repository (``../shared/reported``): cells of one data set, bent by a script.
"""

from tests import SHARED
from tests.data.intake.outcomes import Asks, Loads, Outcome, Refused

REPORTED = SHARED / "reported"
TURNED = ("The rows were the genes",)
IN_ROWS = "The rows of the matrix are the cells"
ROWS = {"orientation": "cells-in-rows"}
UNKNOWN = "may mean unlabeled"

CASES: dict[str, Outcome] = {
    "A1_citeseq_h5ad_feature_types_antibody.h5ad": Loads(
        "X", 260, 400, ("20 features of the type Antibody Capture left aside",)
    ),
    "A3_velocity_X_total_counts_layers_spliced.h5ad": Loads("X", 260, 250),
    "A4_csc_unsigned_64bit_indices.h5ad": Loads("X", 260, 400),
    "A5_seurat_SCT_data_slot_log1p_corrected.h5ad": Refused(
        "CountsNotFound", "counts corrected by SCTransform"
    ),
    "A6_unlabelled_value_to_be_annotated.h5ad": Loads("X", 260, 400, (UNKNOWN,)),
    "A7_numeric_labels_minus1_unlabelled_and_missing.h5ad": Loads("X", 260, 400),
    "A8_slash_in_type_and_column_names.h5ad": Loads("X", 260, 400),
    "B0_seuratdisk_layout_factors_as_codes.h5ad": Loads("raw.X", 260, 200, (UNKNOWN,)),
    "B1_parse_DGE_filtered": Loads(
        "X", 220, 180, (IN_ROWS, "describes them: sample, species, gene_count")
    ),
    "B2_alevin_fry_usa_mode": Loads(
        "X", 260, 60, (IN_ROWS, "spliced and ambiguous molecules added up", "had a version")
    ),
    "B3_bd_rhapsody_RSEC_MolsPerCell.csv": Asks("orientation", ROWS, Loads("X", 260, 200)),
    "B7_kb_counts_unfiltered": Loads("X", 220, 180, (IN_ROWS,)),
    "C19_csv_cells_in_rows_with_nCount_and_cluster_columns.csv": Asks(
        "orientation", ROWS, Loads("X", 260, 150, ("4 columns describe the cells: cell_type",))
    ),
    "C22_atlas_215_types.h5ad": Loads("X", 1720, 40),
    "C4_anndata013_nullable_strings.h5ad": Loads(
        "raw.X", 260, 200, ("yes, no and missing", "200 gene symbols", "without a value")
    ),
    "C6_drosophila_FBgn_ids_symbols_in_column_mt_colon.h5ad": Loads(
        "X", 200, 300, ("300 gene symbols for display come from the column gene_symbols",)
    ),
    "C7_genes_in_rows_plate_wells_as_cells.h5ad": Asks(
        "orientation", {"orientation": "cells-in-columns"}, Loads("X", 288, 300, TURNED)
    ),
    "D10_outer_join_genes_not_measured_in_query.h5ad": Loads(
        "X", 280, 400, (UNKNOWN, "were not measured in")
    ),
    "D11_one_batch_lognorm_other_counts.h5ad": Refused(
        "CountsNotFound", "of batch STIM and normalized values in those of CTRL"
    ),
    "D6_lognorm_cast_to_int_total_counts_column.h5ad": Loads(
        "X", 260, 400, ("logarithms cut to whole numbers, not counts",)
    ),
}
