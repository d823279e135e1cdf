"""Files for CELLxGENE and for the Cell Annotation Platform."""

import os
import shutil
import subprocess
from dataclasses import replace

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from scanvi_core import keys, runtime
from scanvi_core.errors import InputError
from scanvi_core.export import terms
from scanvi_core.project.folder import create_project
from scanvi_core.services.export import cap, write
from scanvi_core.services.export.cellxgene import form
from scanvi_core.services.export.cellxgene.form import Submission
from scanvi_core.services.export.columns import CAP, CELLXGENE, ExportChoice
from scanvi_core.services.labels import edit
from scanvi_core.services.projects.open_file import import_into
from scanvi_core.services.workspace import workspace
from tests.projects import copy_of

pytestmark = pytest.mark.skipif(not terms.available(), reason="cellxgene-ontology-guide is absent")

VALIDATOR = os.environ.get("CELLXGENE_SCHEMA") or shutil.which("cellxgene-schema")
GENES = {
    "CD3D": "ENSG00000167286", "CD3E": "ENSG00000198851", "CD4": "ENSG00000010610",
    "CD8A": "ENSG00000153563", "MS4A1": "ENSG00000156738", "NKG7": "ENSG00000105374",
    "LYZ": "ENSG00000090382", "GNLY": "ENSG00000115523", "CST3": "ENSG00000101439",
    "PPBP": "ENSG00000163736", "FCER1A": "ENSG00000179639", "IL7R": "ENSG00000168685",
    "S100A8": "ENSG00000143546", "S100A9": "ENSG00000163220", "CD79A": "ENSG00000105369",
}  # fmt: skip
N = 60


@pytest.fixture(scope="session")
def blood(once):
    """The folder of a project of blood cells: symbols as names, Ensembl ids in a column."""
    return once("blood", make_blood)


def make_blood(folder):
    rng = np.random.default_rng(0)
    types = np.array(["T cells", "B", "odd ones", ""])[np.arange(N) % 4]
    counts = rng.poisson(4, (N, len(GENES))) + 9 * (np.arange(N)[:, None] % 4 == np.arange(15) % 4)
    counts[7] = 0
    obs = pd.DataFrame(
        {
            "cell_type": pd.Categorical(types),
            "donor": pd.Categorical(np.array(["d1", "d2"])[np.arange(N) % 2]),
            "sex": pd.Categorical(np.array(["female", "male"])[np.arange(N) % 2]),
            "cohort": pd.array([1, None] * (N // 2), dtype="Int64"),
        },
        index=[f"cell{i}" for i in range(N)],
    )
    ids = [f"{gene}.{at}" for at, gene in enumerate(GENES.values())]
    ids[4] = "no id"
    var = pd.DataFrame({"gene_ids": ids}, index=list(GENES))
    data = ad.AnnData(sp.csr_matrix(counts.astype(np.float32)), obs, var)
    data.obsm["X_umap"] = rng.normal(size=(N, 2))
    data.obsm["spatial"] = rng.normal(size=(N, 2))
    data.uns["title"] = "Theirs"
    data.write_h5ad(folder / "cells.h5ad")
    with runtime.home_at(folder):
        made = import_into(create_project("Blood"), folder / "cells.h5ad")
        edit.use_column(made, "cell_type", set())
        return made.project.root


@pytest.fixture
def project(home, blood):
    """A copy of it for each test."""
    return copy_of(blood, "Blood")


@pytest.fixture
def complete(project):
    """The same with every answer given."""
    said = {
        "assay_ontology_term_id": "EFO:0009922",
        "tissue_ontology_term_id": "UBERON:0000178",
        "disease_ontology_term_id": "PATO:0000461",
        "self_reported_ethnicity_ontology_term_id": "unknown",
        "development_stage_ontology_term_id": "unknown",
        "suspension_type": "cell",
    }
    made = form.draft(workspace(project))
    chosen = {key: {"": term} for key, term in said.items()}
    form.save(workspace(project), replace(made, title="Blood of two", chosen=chosen))
    return project


def test_usual_columns_and_names_are_found_by_themselves(project):
    made = form.draft(workspace(project))
    assert made.columns == {"sex_ontology_term_id": "sex", "donor_id": "donor"}
    found = form.type_table(made, ["B", "T cells", "odd ones"])
    assert found["term"].tolist() == ["CL:0000236", "CL:0000084", ""]


def test_what_is_missing_is_said_one_sentence_each(project, complete):
    assert form.missing(workspace(complete), form.draft(workspace(complete))) == []
    told = form.missing(
        workspace(project), Submission(columns={"sex_ontology_term_id": "cell_type"})
    )
    assert "The data set has no title yet." in told
    assert "Assay: not said yet." in told
    (sex,) = [line for line in told if line.startswith("Sex: ")]
    assert sex.startswith("Sex: no term yet of column cell_type: ") and "B, T cells" in sex
    assert len(told) == 9  # title, eight fields


def test_nothing_is_begun_while_something_is_missing(project):
    with pytest.raises(InputError, match="has no title yet"):
        write.start(workspace(project), ExportChoice(profile=CELLXGENE))


@pytest.fixture
def written(complete, tmp_path):
    return write.write(workspace(complete), ExportChoice(profile=CELLXGENE), tmp_path / "cxg.h5ad")


def test_the_file_holds_what_cellxgene_asks_for(complete, written):
    found, dataset = ad.read_h5ad(written), workspace(complete).dataset
    kept = np.delete(np.arange(N), 7)  # a cell without counts is not taken there
    genes = np.delete(np.arange(15), 4)  # nor a gene without an id
    assert (dataset.counts[kept][:, genes] != found.raw.X).nnz == 0
    assert found.var_names.tolist() == list(np.array(list(GENES.values()))[genes])
    assert found.uns["title"] == "Blood of two"
    assert found.uns["organism_ontology_term_id"] == "NCBITaxon:9606"
    assert found.uns["default_embedding"] == "X_umap" and "spatial" not in found.obsm
    labels = found.obs[keys.CURATED].astype(object).fillna("")
    terms_of = {"T cells": "CL:0000084", "B": "CL:0000236", "odd ones": "unknown", "": "unknown"}
    assert (found.obs["cell_type_ontology_term_id"] == labels.map(terms_of)).all()
    assert (found.obs["donor_id"] == found.obs["donor"]).all()
    assert set(found.obs["sex_ontology_term_id"]) == {"PATO:0000383", "PATO:0000384"}
    assert "cell_type" not in found.obs and "author_cell_type" in found.obs
    assert found.obs["is_primary_data"].all()


@pytest.mark.skipif(VALIDATOR is None, reason="cellxgene-schema is not installed")
def test_cellxgenes_own_validator_takes_the_file(written):
    done = subprocess.run(
        [VALIDATOR, "validate", str(written)], capture_output=True, text=True, check=False
    )
    told = done.stdout + done.stderr
    assert done.returncode == 0 and "ERROR" not in told, told


def test_a_label_column_of_a_reserved_name_is_refused(complete, tmp_path):
    with pytest.raises(InputError, match="keeps the name tissue_type"):
        write.write(
            workspace(complete),
            ExportChoice("tissue_type", profile=CELLXGENE),
            tmp_path / "o.h5ad",
        )


def test_the_fields_of_the_cell_annotation_platform(complete, tmp_path):
    cap.save(
        workspace(complete), cap.CapDraft("T", "All of it", {"B": {"canonical markers": "MS4A1"}})
    )
    path = write.write(workspace(complete), ExportChoice(profile=CAP), tmp_path / "cap.h5ad")
    found = ad.read_h5ad(path)
    obs, key = found.obs.astype(dict.fromkeys(found.obs, object)), keys.CURATED
    b = obs[obs[key] == "B"].iloc[0]
    assert b[f"{key}--cell_fullname"] == b[f"{key}--cell_ontology_term"] == "B cell"
    assert b[f"{key}--cell_ontology_term_id"] == "CL:0000236"
    assert b[f"{key}--cell_ontology_exists"] and "B lymphocyte" in b[f"{key}--synonyms"]
    assert b[f"{key}--canonical_marker_genes"] == "MS4A1"
    assert set(b[f"{key}--marker_gene_evidence"].split(", ")) <= set(GENES)
    assert b[f"{key}--rationale"] == "Of 15 cells 15 came with the data."
    odd = obs[obs[key] == "odd ones"].iloc[0]
    assert not odd[f"{key}--cell_ontology_exists"]
    assert odd[f"{key}--cell_ontology_term_id"] == "unknown"
    assert (obs[key] == "unknown").sum() == 15
    about = found.uns["cap_metadata"]
    assert about["cellannotation_schema_version"] == "2.0.0"
    assert about["cellannotation_metadata"][key]["annotation_method"] == "manual"
    assert found.uns["title"] == "Theirs"  # the title of the user's file stays


def test_fields_of_the_platform_never_get_a_number(complete, tmp_path):
    path = write.write(
        workspace(complete), ExportChoice("mine", profile=CAP), tmp_path / "cap.h5ad"
    )
    again = import_into(create_project("Again"), path).project.id
    edit.use_column(workspace(again), "mine", {"unknown"})
    with pytest.raises(InputError, match="has a column mine already"):
        write.write(workspace(again), ExportChoice("mine", profile=CAP), tmp_path / "second.h5ad")
