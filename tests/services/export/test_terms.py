"""Ids of the Cell Ontology in exported files: known ones, beside the names."""

import json

import anndata
import numpy as np
import pandas as pd
import pytest

from scanvi_core import keys
from scanvi_core.project.folder import create_project
from scanvi_core.services.export import write
from scanvi_core.services.export.write import ExportChoice
from scanvi_core.services.labels import edit, type_terms
from scanvi_core.services.projects.open_file import import_into
from scanvi_core.services.workspace import workspace

TERMS = {"Dendritic": "CL:0000451", "CD14+ Monocyte": "CL:0001054", "CD19+ B": "CL:0001201"}


@pytest.fixture
def opened(labeled):
    return workspace(labeled)


def test_labels_with_a_known_term_have_its_id_in_file_and_table(opened, tmp_path):
    type_terms.say(opened, {"CD56+ NK": "CL:0000623", "Dendritic": type_terms.NONE_FITS})
    path = write.write(opened, ExportChoice(), tmp_path / "out.h5ad")
    file = anndata.read_h5ad(path)
    wanted = {**TERMS, "CD56+ NK": "CL:0000623"}
    del wanted["Dendritic"]
    labels = file.obs[keys.CURATED].astype(object)
    told = file.obs[keys.TERM].astype(object)
    assert told.equals(labels.map(wanted).rename(keys.TERM))
    table = pd.read_csv(write.csv_beside(path), index_col="barcode", dtype=str)
    assert (table[keys.TERM].fillna("") == told.fillna("")).all()
    about = json.loads(file.uns[keys.UNS_RECORD])["cell_ontology"]
    assert about["terms"]["CD56+ NK"] == {
        "id": "CL:0000623", "name": "natural killer cell", "close": True,
    }  # fmt: skip
    assert about["terms"]["CD14+ Monocyte"]["close"] is False and about["release"] >= "2026"


def test_there_is_no_column_where_no_label_has_a_term(project, tmp_path):
    opened = workspace(project)
    edit.start_empty(opened)
    edit.name_cells(opened, np.arange(5), "odd ones", "lasso")
    edit.name_cells(opened, np.arange(5, 9), "others", "lasso")
    path = write.write(opened, ExportChoice(), tmp_path / "out.h5ad")
    assert keys.TERM not in anndata.read_h5ad(path).obs


def test_ids_that_the_file_brought_stay_whatever_is_replaced(opened, tmp_path):
    cells = anndata.read_h5ad(opened.dataset.manifest["source"]["path"])
    cells.obs[keys.TERM] = "CL:0000000"
    cells.write_h5ad(tmp_path / "own.h5ad")
    path = tmp_path / "own.h5ad"
    for turn in range(2):
        again = import_into(create_project(f"Own {turn}"), path)
        edit.use_column(again, "cell_type", set())
        path = write.write(again, ExportChoice(replace=True), tmp_path / f"out{turn}.h5ad")
        obs = anndata.read_h5ad(path).obs
        assert (obs[keys.TERM] == "CL:0000000").all()
        ours = obs[f"{keys.CURATED}_ontology_term_id"].dropna()
        assert set(ours) == set(TERMS.values())


def test_an_earlier_export_has_its_ids_replaced(opened, tmp_path):
    path = write.write(opened, ExportChoice(), tmp_path / "first.h5ad")
    again = import_into(create_project("Again"), path)
    edit.use_column(again, "cell_type", set())
    type_terms.say(again, {"Dendritic": type_terms.NONE_FITS})
    out = write.write(again, ExportChoice(replace=True), tmp_path / "second.h5ad")
    obs = anndata.read_h5ad(out).obs
    assert "CL:0000451" not in set(obs[keys.TERM]) and "CL:0001054" in set(obs[keys.TERM])
    assert f"{keys.CURATED}_ontology_term_id" not in obs
