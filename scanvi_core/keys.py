"""Every name this program writes into a file or looks for in one."""

import unicodedata
from collections.abc import Collection, Mapping
from typing import Any

# Written to the exported .h5ad -------------------------------------------------------------
CURATED = "cell_type_curated"
SOURCE = "cell_type_source"
TERM = "cell_type_ontology_term_id"
PREDICTION = "scanvi_prediction"
CONFIDENCE = "scanvi_confidence"
SECOND = "scanvi_second"
MARGIN = "scanvi_margin"
ENTROPY = "scanvi_entropy"
HOLDOUT = "holdout"
NOVELTY = "scanvi_novelty"
REASON = "scanvi_reason"
PREDICTION_SET = "scanvi_prediction_set"
NODE = "scanvi_node"  # the deepest type, broader ones too, that is sure enough
NODE_TERM = "scanvi_node_ontology_term_id"
NODE_DEPTH = "scanvi_node_depth"
NODE_CONFIDENCE = "scanvi_node_confidence"
ISSUE = "label_issue_score"
QC_FLAG = "qc_flag"
DOUBLET = "doublet_score"
LATENT_Z1 = "X_scANVI"
LATENT_Z2 = "X_scANVI_z2"
UMAP_Z1 = "X_umap_scANVI"
UMAP_Z2 = "X_umap_scANVI_z2"
PROBABILITIES = "scanvi_probabilities"
UNS_RECORD = "scanvi"
UNS_LOG = "annotation_log"
COLORS = "_colors"  # after the name of a column: its colors, by which scanpy draws it
COUNTS_LAYER = "counts"

# Where a final label came from (values of SOURCE) ------------------------------------------
GIVEN = "given"
MANUAL = "manual"
ACCEPTED = "accepted"
PREDICTED = "predicted"
PARENT = "parent"  # the broader type of a prediction whose type is not sure
UNLABELED = "unlabeled"

# What users call things --------------------------------------------------------------------
LABEL_COLUMNS = (
    "cell_type", "celltype", "cell_types", "cell_type_curated", "author_cell_type", "cell_label",
    "annotation", "annotations", "labels", "label", "bulk_labels", "cell_ontology_class",
    "predicted.celltype.l2", "majority_voting", "predicted_labels", "cluster_name", "louvain",
    "leiden", "clusters",
)  # fmt: skip
BATCH_COLUMNS = (
    "batch", "sample", "sample_id", "donor_id", "donor", "individual", "patient", "library",
    "library_id", "orig.ident", "channel", "run", "plate", "condition", "stim", "dataset", "tech",
)  # fmt: skip
UNLABELED_WORDS = frozenset(
    {"", "nan", "na", "n/a", "none", "null", "unknown", "unlabeled", "unlabelled", "unassigned",
     "undetermined", "unannotated", "not assigned", "not annotated", "to be annotated",
     "?", "-", "-1", "tbd"}
)  # fmt: skip
TOTAL_COLUMNS = (  # counts per cell, compared without capitals
    "n_counts", "total_counts", "ncount_rna", "n_count", "ncount", "numi", "n_umi", "n_umis",
    "total_umis", "total_umi", "umi_count", "umi_counts", "raw_sum", "library_size", "libsize",
    "lib_size", "sum", "n_molecules",
)  # fmt: skip
SUMMARY_ROWS = frozenset(  # rows that htseq-count and STAR add below the genes
    {"__no_feature", "__ambiguous", "__too_low_aqual", "__not_aligned",
     "__alignment_not_unique", "no_feature", "ambiguous", "too_low_aqual", "not_aligned",
     "alignment_not_unique", "n_unmapped", "n_multimapping", "n_nofeature", "n_ambiguous"}
)  # fmt: skip
EARLIER = {  # keys of records that version 0.1.0 wrote, and what they are now
    "labelled_batch_size": "labeled_batch_size", "n_labelled": "n_labeled",
}  # fmt: skip
COUNT_LAYERS = ("counts", "raw_counts", "count", "raw", "umi")
PART_LAYERS = frozenset(  # layers that hold some of the molecules: taken only without a whole
    {"spliced", "unspliced", "ambiguous", "nascent", "mature", "spanning", "s", "u", "a", "ms",
     "mu", "intronic", "exonic", "introns", "exons", "new", "old", "labeled", "unlabeled_rna"}
)  # fmt: skip


def as_now(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record of a project under the keys of this version."""
    now = {EARLIER.get(key, key): value for key, value in record.items()}
    if isinstance(now.get("groups"), dict):  # one name each, before types stood under several
        above = now.pop("groups").items()
        now["parents"] = {name: [one] if isinstance(one, str) else one for name, one in above}
    return now


def term_column(there: Collection[str], labels: str) -> str:
    """Return the name of the column of ontology ids, among columns that are there.

    Files from CELLxGENE have one of their own, which stays: then it is named after the column of
    the `labels`.
    """
    other = f"{labels}_ontology_term_id"
    ours = SOURCE in there and other not in there  # of an earlier export
    return other if TERM in there and not ours else TERM


def one_line(text: str) -> str:
    """Return a name as it is shown in a sentence, whoever wrote it: in one line, one way round.

    Line breaks and blanks become single spaces; what has no width, or turns the direction, goes.
    """
    visible = "".join(
        c for c in text if c.isspace() or unicodedata.category(c) not in {"Cc", "Cf"}
    )
    return " ".join(visible.split())


def spelling(text: str) -> str:
    """Return a label or name with one spelling of what looks alike.

    Compatible letters as one (NFKC), nothing that has no width, single spaces, none at the ends.
    """
    return one_line(unicodedata.normalize("NFKC", text))


def looks_unlabeled(value: str) -> bool:
    """Tell whether a label value usually means "no label", for example ``Unknown`` or ``NA``."""
    return spelling(value).casefold() in UNLABELED_WORDS


UNKNOWN = "unknown"  # a reviewer's verdict; never a class of the model
