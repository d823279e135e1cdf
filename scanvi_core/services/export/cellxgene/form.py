"""A file as CELLxGENE Discover takes it: what is asked for, what was said, what is missing."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import numpy as np
import pandas as pd

from scanvi_core.errors import InputError
from scanvi_core.export import terms
from scanvi_core.export.terms import HUMAN, Scope
from scanvi_core.ontology import search
from scanvi_core.services.export.cellxgene.fields import CELL_LINE, FIELDS, TISSUE, Field
from scanvi_core.services.labels import type_terms
from scanvi_core.services.labels.type_terms import ANSWERS, SETTINGS
from scanvi_core.services.workspace import Workspace

GENE_ID = re.compile(r"(ENS[A-Z]*G\d{6,}|WBGene\d{8}|FBgn\d{7}|ERCC-\d{5})(\.\d+)?")
MAX_VALUES = 500  # of a column whose values are given terms
SHOWN = 5


@dataclass(frozen=True)
class Submission:
    """What the user has said about the data set so far.

    Attributes
    ----------
    title
        Of the data set.
    organism
        NCBITaxon id.
    kind
        One of `submission_fields.TISSUE_TYPES`, for all cells.
    primary
        Whether these cells were not part of another data set there.
    columns
        Per field the column that says it; '' for one value for all cells.
    chosen
        Per field the term of every value of its column; of '' for all cells.
    cell_types
        Per type its term of the Cell Ontology.
    """

    title: str = ""
    organism: str = HUMAN
    kind: str = TISSUE
    primary: bool = True
    columns: Mapping[str, str] = field(default_factory=dict)
    chosen: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    cell_types: Mapping[str, str] = field(default_factory=dict)

    def scope(self, item: Field) -> Scope | None:
        """Return the terms that a field may hold."""
        return None if item.scope is None else item.scope(self.organism, self.kind)


def available() -> bool:
    """Tell whether the ontologies are installed."""
    return terms.available()


def versions() -> str:
    """Return which schema and which Cell Ontology are used, for people."""
    return (
        f"CELLxGENE schema {terms.schema_version()}, "
        f"Cell Ontology {terms.ontology_version('CL').removeprefix('v')}"
    )


def draft(opened: Workspace) -> Submission:
    """Return what was said before; columns with a usual name are taken at first."""
    saved = opened.project.settings.get(SETTINGS)
    if saved is not None:
        return Submission(**saved | {ANSWERS: type_terms.said(opened)})
    known = {name.casefold(): name for name in opened.dataset.manifest["obs_columns"]}
    columns = dict[str, str]()
    for item in FIELDS:
        usual = [known[name] for name in (item.key, *item.guesses) if name in known]
        usable = [name for name in usual if item.scope is None or len(_values(opened, name)) > 0]
        if usable:
            columns[item.key] = usable[0]
    return Submission(columns=columns, cell_types=type_terms.said(opened))


def save(opened: Workspace, made: Submission) -> None:
    """Keep what was said in the project; terms of its types in the label log."""
    others = type_terms.keep(opened, made.cell_types)
    opened.project.update_settings(**{SETTINGS: asdict(made) | {ANSWERS: others}})


def values(opened: Workspace, made: Submission, item: Field) -> list[str]:
    """Return the values of a field's column; [''] where one value is for all cells."""
    column = made.columns.get(item.key, "")
    return _values(opened, column) if column else [""]


def _values(opened: Workspace, column: str) -> list[str]:
    if column not in opened.dataset.manifest["obs_columns"]:
        return []
    codes, names = opened.categories(column)
    listed = list(names) if len(names) <= MAX_VALUES else []
    return listed + ([""] if (codes < 0).any() and listed else [])


def term_of(made: Submission, item: Field, value: str) -> str:
    """Return the term of a value: the one that was chosen, else the one of that very name."""
    chosen = made.chosen.get(item.key, {}).get(value, "")
    scope = made.scope(item)
    if chosen or scope is None:
        return chosen or value
    if scope.words == (terms.NOT_APPLICABLE,) and not scope.ontologies:
        return terms.NOT_APPLICABLE
    term = terms.suggest(value, scope) if value else None
    return "" if term is None else term.id


def cell_type_term(made: Submission, name: str) -> str:
    """Return the term of a type: the one that was chosen, else the one of that very name."""
    if name in made.cell_types:
        return made.cell_types[name]
    meant = search.exact(name)
    return "" if meant is None or terms.problem(meant.id, terms.CELL_TYPE) else meant.id


def table(opened: Workspace, made: Submission, item: Field) -> pd.DataFrame:
    """Return one row per value of a field: value, term and what the term means."""
    scope = made.scope(item)
    rows = []
    for value in values(opened, made, item):
        term = term_of(made, item, value)
        rows.append((value, term, _meaning(term, scope)))
    return pd.DataFrame(rows, columns=["value", "term", "meaning"])


def type_table(made: Submission, names: list[str]) -> pd.DataFrame:
    """Return one row per type: its name, term and what the term means."""
    terms_of = [(name, cell_type_term(made, name)) for name in names]
    rows = [(name, term, _meaning(term, terms.CELL_TYPE)) for name, term in terms_of]
    return pd.DataFrame(rows, columns=["type", "term", "meaning"])


def understood(text: str, scope: Scope) -> str:
    """Return the id of what was typed, an id or a name; what is neither stays as it is."""
    term = terms.suggest(text, scope)
    return text.strip() if term is None else term.id


def _meaning(term: str, scope: Scope | None) -> str:
    if scope is None or not term:
        return ""
    problem = terms.problem(term, scope)
    return f"{term} {problem}" if problem else terms.name_of(term, scope)


def missing(opened: Workspace, made: Submission) -> list[str]:
    """Return what keeps the file from being taken, one sentence each."""
    sentences = [] if made.title.strip() else ["The data set has no title yet."]
    for item in FIELDS:
        sentences += _missing(opened, made, item)
    positions, _, without = gene_ids(opened)
    if not positions.size:
        sentences.append(
            "The genes have no Ensembl ids: they must be the gene names of your file, or one of "
            "its columns of genes (gene_ids, for example)."
        )
    elif without > positions.size:
        sentences.append(f"{without:,} genes have no Ensembl id, more than have one.")
    if opened.current_run() is None and not any(
        name.startswith("X_") for name in opened.dataset.obsm_keys
    ):
        sentences.append("There is no map of the cells (an embedding): train a model first.")
    wrong = [
        f"{name}: {term} {problem}."
        for name, term in made.cell_types.items()
        if term and (problem := terms.problem(term, terms.CELL_TYPE))
    ]
    return sentences + wrong


def _missing(opened: Workspace, made: Submission, item: Field) -> list[str]:
    scope, listed = made.scope(item), values(opened, made, item)
    column = made.columns.get(item.key, "")
    if not listed and scope is not None:
        return [f"{item.label}: the column {column} is not there, or has too many values."]
    if scope is None:
        if made.kind == CELL_LINE:
            return []
        empty = not column and not term_of(made, item, "")
        gaps = column and not term_of(made, item, "") and (opened.categories(column)[0] < 0).any()
        return (
            [f"{item.label}: say who, or choose a column without gaps."] if empty or gaps else []
        )
    open_ = [value for value in listed if not term_of(made, item, value)]
    if open_:
        shown = ", ".join(value or "cells without a value" for value in open_[:SHOWN])
        more = f" and {len(open_) - SHOWN} more" if len(open_) > SHOWN else ""
        of = f" of column {column}: {shown}{more}" if column else ""
        return [f"{item.label}: no term yet{of}." if column else f"{item.label}: not said yet."]
    terms_of = {value: term_of(made, item, value) for value in listed}
    problems = [(term, terms.problem(term, scope)) for term in terms_of.values()]
    return [f"{item.label}: {term} {why}." for term, why in dict(problems).items() if why]


def gene_ids(opened: Workspace) -> tuple[np.ndarray, list[str], int]:
    """Return positions and Ensembl ids (without version) of the genes that have one; how many not.

    They are the names of the genes, or else the first column of them that holds mostly ids. An id
    that is there twice counts once.
    """

    def compute() -> tuple[np.ndarray, list[str], int]:
        dataset = opened.dataset
        candidates = [dataset.var_names]
        candidates += [dataset.var[name].astype(str).to_numpy() for name in dataset.var]
        for names in candidates:
            matches = [GENE_ID.fullmatch(str(name)) for name in names]
            ids = ["" if hit is None else hit.group(1) for hit in matches]
            first = ~pd.Series(ids).duplicated().to_numpy() & np.array([bool(i) for i in ids])
            if first.sum() * 2 > len(ids):
                positions = np.flatnonzero(first)
                return positions, [ids[at] for at in positions], len(ids) - positions.size
        return np.empty(0, dtype=np.int64), [], dataset.n_vars

    ids_of_genes: tuple[np.ndarray, list[str], int] = opened.cache.get(("gene ids",), compute)
    return ids_of_genes


def check(opened: Workspace) -> None:
    """Raise `InputError` when something CELLxGENE asks for is missing."""
    problems = missing(opened, draft(opened))
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise InputError(f"{problems[0]}{more}", "Fill in the form for CELLxGENE on Export.")


def understood_type(text: str) -> str:
    """Return the id of what was typed for a cell type."""
    return understood(text, terms.CELL_TYPE)


def look_up(text: str, made: Submission, item: Field | None) -> pd.DataFrame:
    """Return terms, of a field or of cell types, whose names hold all words of a text."""
    scope = terms.CELL_TYPE if item is None else made.scope(item)
    found = [] if scope is None else terms.search(text, scope)
    return pd.DataFrame([(term.id, term.name) for term in found], columns=["term", "is"])


def organisms() -> dict[str, str]:
    """Return the species CELLxGENE takes: id and name."""
    return dict(terms.ORGANISMS)


def columns(opened: Workspace) -> list[str]:
    """Return the columns of obs that a field may be read from."""
    about = opened.dataset.manifest["obs_columns"]
    return [name for name, column in about.items() if column["n_unique"] <= MAX_VALUES]
