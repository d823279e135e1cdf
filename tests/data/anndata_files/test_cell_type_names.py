"""A column is offered as that of the cell types for its values or its name alone."""

import pytest

from scanvi_core.data.anndata_files.cell_type_names import column_holds_types

TYPES = {
    "predicted.id": ["CD14 Mono", "CD4 TCM", "NK", "B intermediate", "gdT"],
    "louvain": ["CD4 T cells", "B cells", "FCGR3A+ Monocytes", "Megakaryocytes"],
    "subclass": ["L2/3 IT", "Pvalb", "Sst", "Vip", "Oligo", "Micro-PVM"],
    "ident": ["T", "B", "NK", "Macrophage"],
    "obs7": ["Alpha", "Beta", "Delta", "Ductal", "Acinar"],
    "kind": ["hepatocyte", "Kupffer cell", "endothelial cell of hepatic sinusoid"],
    "cell_type": ["H1975", "H2228", "A549"],  # its name says so
    "author_cell_type_2": ["0", "1", "2"],
    "annotation": ["Ex1", "In2", "Unknown"],
    "x": ["CL:0000236", "CL:0000084"],
}
OTHERS = {
    "sex_synthetic": ["male", "female"],
    "donor_id": ["T1", "B2", "NK3"],
    "sample": ["Monocytes_rep1", "Monocytes_rep2"],
    "batch": ["CTRL", "STIM"],
    "phase": ["G1", "S", "G2M"],
    "leiden": ["0", "1", "2"],
    "seurat_clusters": ["0", "1", "10"],
    "labels": ["0", "1", "2"],
    "label": ["PBMC_1", "PBMC_2"],
    "disease": ["normal", "B-cell acute lymphoblastic leukemia", "T-cell lymphoma"],
    "finding": ["normal", "renal cell carcinoma", "hepatitis"],
    "tissue": ["blood", "liver", "lymph node"],
    "place": ["bone marrow", "peripheral blood mononuclear cell sample", "lung"],
    "hash.ID": ["Hashtag1", "Hashtag2", "Negative", "Doublet"],
    "HTO_classification.global": ["Singlet", "Doublet", "Negative"],
    "suspension_type": ["cell", "nucleus"],
    "tissue_type": ["tissue", "cell culture", "organoid"],
    "variant": ["Alpha", "Beta", "Delta", "Omicron"],
    "blood_group": ["A", "B", "AB", "0"],
    "predicted.id": ["0", "1", "2"],
    "cell_line": ["A549", "K562"],
    "cell_cycle_phase": ["G1", "S"],
    "development_stage": ["blastula stage", "human adult stage"],
    "guess": ["True", "False"],
    "treatment": ["anti-CD3", "IL-2", "none"],
}  # fmt: skip


@pytest.mark.parametrize("name", TYPES)
def test_columns_of_types(name):
    assert column_holds_types(name, TYPES[name])


@pytest.mark.parametrize("name", OTHERS)
def test_other_columns(name):
    assert not column_holds_types(name, OTHERS[name])
