"""The rules of a file for CELLxGENE Discover that are about names and kinds of columns.

Schema 7.1.0, https://github.com/chanzuckerberg/single-cell-curation/blob/main/schema/7.1.0/schema.md
What the terms of a field may be is in :mod:`scanvi_core.export.terms`.
"""

import re
from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

LABELS = (
    "assay", "cell_type", "development_stage", "disease", "self_reported_ethnicity", "sex",
    "tissue",
)  # fmt: skip
"""Columns that Discover fills in itself from the ids: a file must not have them."""
PLAIN = ("donor_id", "is_primary_data", "suspension_type", "tissue_type")
RESERVED = frozenset(
    {*LABELS, *PLAIN, *(f"{name}_ontology_term_id" for name in LABELS), "ethnicity",
     "ethnicity_ontology_term_id", "organism", "organism_ontology_term_id", "observation_joinid",
     "experimental_condition", "experimental_condition_ontology_term_id", "perturbation_types",
     "genetic_perturbation_id", "genetic_perturbation_strategy", "in_tissue", "array_row",
     "array_col"}
)  # fmt: skip
"""Columns with a meaning of their own there: the user's are kept under another name."""
AUTHOR, TITLE, ORGANISM, EMBEDDING = (
    "author_",
    "title",
    "organism_ontology_term_id",
    "default_embedding",
)
FILTERED, GENE_NAME = "feature_is_filtered", "author_gene_name"


def keep_to_rules(obs: "pd.DataFrame", ours: Collection[str]) -> "tuple[pd.DataFrame, list[str]]":
    """Return the user's columns as the schema allows them, and what was renamed, in sentences.

    Reserved names, those of `ours` and those that begin with ``__`` get the prefix ``author_``.
    Words become categories of text, whole numbers with gaps become floats: mixed values are
    refused there.
    """
    names, notes = dict[str, str](), []
    for name in obs:
        wanted = name
        if name in RESERVED or name in ours or name.startswith("__"):
            wanted = AUTHOR + name.lstrip("_")
            while wanted in obs or wanted in ours or wanted in names.values():
                wanted += "_2"
            notes.append(f"Column {name} is now {wanted}: its name has another use in this file.")
        names[name] = wanted
    plain = {names[name]: _plain(obs[name]) for name in obs}
    import pandas as pd

    return pd.DataFrame(plain, index=obs.index), notes


def embedding_problem(name: str, values: "np.ndarray") -> str:
    """Return why an embedding cannot be in the file, '' when it can."""
    if not re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_.-]*", name.removeprefix("X_")):
        return "its name has letters that are not allowed"
    if name.casefold() in {"spatial", "x_spatial"}:
        return "spatial coordinates are for spatial assays only"
    if name.startswith("X_") and values.shape[1] < 2:
        return "it has one dimension"
    if np.isinf(values).any() or np.isnan(values).all():
        return "it holds infinite values, or none"
    return ""


def _plain(column: "pd.Series") -> "pd.Series":
    import pandas as pd

    if isinstance(column.dtype, pd.CategoricalDtype):
        words = column.cat.remove_unused_categories()
        return words.cat.rename_categories([str(c) for c in words.cat.categories])
    if pd.api.types.is_bool_dtype(column.dtype) and not column.isna().any():
        return column.astype(bool)
    if pd.api.types.is_numeric_dtype(column.dtype) and column.dtype.name != "boolean":
        extension = pd.api.types.is_extension_array_dtype(column.dtype)
        if not extension:
            return column
        whole = not column.isna().any() and column.dtype.kind in "iu"
        return column.astype("int64" if whole else "float64")
    return column.astype("string").astype(object).astype("category")
