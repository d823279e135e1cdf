"""The fields of the Cell Annotation Platform (CAP), beside the column of final labels.

CAP AnnData schema 2.0: https://github.com/cellannotation/cap-data-schema/blob/main/cap-anndata-schema.md
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from scanvi_core import keys
from scanvi_core.export import terms
from scanvi_core.export.request import Column
from scanvi_core.services.export.cellxgene import form
from scanvi_core.services.export.columns import ExportChoice, final_labels, words_column
from scanvi_core.services.runs import results
from scanvi_core.services.workspace import Workspace
from scanvi_core.version import __version__

SETTINGS = "cap"
SCHEMA_VERSION = "2.0.0"
PAPER = "10.15252/msb.20209620"
N_MARKERS = 5
SURE = 0.9  # confidence from which predicted cells count when markers are looked for
MANUAL, ALGORITHMIC, BOTH, NOT_APPLICABLE = "manual", "algorithmic", "both", "NA"
TEXTS = ("full name", "rationale", "marker genes", "canonical markers")


@dataclass(frozen=True)
class CapDraft:
    """What the user has said so far: about the data set, and per type the texts of `TEXTS`."""

    title: str = ""
    description: str = ""
    types: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def draft(opened: Workspace) -> CapDraft:
    """Return what was said before."""
    return CapDraft(**opened.project.settings.get(SETTINGS, {}))


def save(opened: Workspace, made: CapDraft) -> None:
    """Keep what was said in the project."""
    opened.project.update_settings(**{SETTINGS: asdict(made)})


def table(opened: Workspace, choice: ExportChoice) -> pd.DataFrame:
    """Return one row per type: its name, term of the Cell Ontology and the texts of `TEXTS`."""
    return _table(opened, *final_labels(opened, choice))


def save_table(
    opened: Workspace, made: CapDraft, before: pd.DataFrame, edited: pd.DataFrame
) -> None:
    """Keep what was said, and what was changed in the table of types."""
    types = {name: dict(texts) for name, texts in made.types.items()}
    chosen = dict[str, str]()
    for old, new in zip(before.itertuples(), edited.itertuples(), strict=True):
        changed = {
            text: str(new[at])
            for at, text in enumerate(TEXTS, start=3)
            if str(new[at]) != str(old[at])
        }
        types.setdefault(str(old.type), {}).update(changed)
        if new.term != old.term:
            chosen[str(old.type)] = form.understood_type(str(new.term))
    save(opened, replace(made, types={name: texts for name, texts in types.items() if texts}))
    if chosen:
        draft_ = form.draft(opened)
        answers = replace(draft_, cell_types={**draft_.cell_types, **chosen})
        form.save(opened, answers)


def _table(opened: Workspace, labels: np.ndarray, sources: np.ndarray) -> pd.DataFrame:
    made = draft(opened)
    types = pd.DataFrame({"type": labels, "source": sources})
    types = types[types["type"] != ""]
    genes = markers(opened, labels)
    terms_of = _terms(opened, sorted(types["type"].unique()))
    rows = []
    for name, cells in types.groupby("type", sort=True):
        term = terms_of[name]
        full = terms.name_of(term, terms.CELL_TYPE) if term else str(name)
        own = {
            "full name": full,
            "rationale": rationale(cells["source"].value_counts()),
            "marker genes": ", ".join(genes.get(str(name), [])),
            "canonical markers": "",
        }
        rows.append({"type": name, "term": term} | own | dict(made.types.get(str(name), {})))
    return pd.DataFrame(rows, columns=["type", "term", *TEXTS])


def _terms(opened: Workspace, names: list[str]) -> dict[str, str]:
    if not terms.available():
        return dict.fromkeys(names, "")
    made = form.draft(opened)
    return {name: form.cell_type_term(made, name) for name in names}


def rationale(sources: "pd.Series") -> str:
    """Say where the labels of a type come from."""
    words = {
        keys.GIVEN: "came with the data",
        keys.MANUAL: "were named by hand",
        keys.ACCEPTED: "are predictions accepted on review",
        keys.PREDICTED: "are predictions of SCANVI",
        keys.PARENT: "are predicted broader types",
    }
    parts = [f"{sources[word]:,} {text}" for word, text in words.items() if sources.get(word, 0)]
    return f"Of {sources.sum():,} cells {', '.join(parts)}."


def markers(opened: Workspace, labels: np.ndarray) -> dict[str, list[str]]:
    """Return the names of the genes that are highest in the cells of each type, the best first."""
    names = sorted({str(name) for name in labels} - {""})
    codes = pd.Index(names).get_indexer(labels.astype(str))
    run = opened.current_run()
    key = ("cap markers", opened.labels().seq, run.id if run else "", len(names), codes.sum())

    def compute() -> dict[str, list[str]]:
        from scanvi_core.annotation.genes.quick_markers import one_vs_rest

        dataset = opened.dataset
        best = one_vs_rest(dataset.counts, _sure(opened, codes), names, n=N_MARKERS)
        return {
            name: [str(dataset.var_names[marker.gene]) for marker in genes]
            for name, genes in best.items()
        }

    return opened.cache.get(key, compute)


def _sure(opened: Workspace, codes: np.ndarray) -> np.ndarray:
    """Return the codes without predictions that are not sure: they are no evidence."""
    predictions = results.current(opened)
    if predictions is None:
        return codes
    unsure = (opened.labels().codes < 0) & ~(predictions.confidence >= SURE)
    return np.where(unsure, -1, codes)


def fields(
    opened: Workspace, key: str, labels: np.ndarray, sources: np.ndarray
) -> tuple[dict[str, Column], dict[str, Any]]:
    """Return the columns of obs and entries of uns; cells without a label are ``unknown``.

    Parameters
    ----------
    opened
        Whose labels.
    key
        Column of the final labels: CAP's name of the set of annotations.
    labels, sources
        As `columns.final_labels` gives them.
    """
    types = _table(opened, labels, sources)
    codes = pd.Index(types["type"]).get_indexer(labels)
    codes = np.where(codes < 0, len(types), codes).astype(np.int32)
    synonyms = [", ".join(_synonyms(term)) for term in types["term"]]
    ontology = [terms.name_of(t, terms.CELL_TYPE) if _is_term(t) else "" for t in types["term"]]
    texts = {
        "": types["type"].tolist(),
        "--cell_fullname": types["full name"].tolist(),
        "--cell_ontology_term_id": [t if _is_term(t) else "" for t in types["term"]],
        "--cell_ontology_term": ontology,
        "--rationale": types["rationale"].tolist(),
        "--rationale_dois": [PAPER if "SCANVI" in text else "" for text in types["rationale"]],
        "--marker_gene_evidence": types["marker genes"].tolist(),
        "--canonical_marker_genes": types["canonical markers"].tolist(),
        "--synonyms": synonyms,
    }
    obs: dict[str, Column] = {
        key + ending: _column(codes, words) for ending, words in texts.items()
    }
    exists = np.array([*(_is_term(term) for term in types["term"]), False])
    obs[f"{key}--cell_ontology_exists"] = exists[codes]
    predictions = results.current(opened)
    if predictions is not None:
        obs[f"{key}--confidence_score"] = predictions.confidence
    return obs, _about(opened, key, sources)


def _is_term(term: str) -> bool:
    return term.startswith("CL:")


def _synonyms(term: str) -> list[str]:
    return terms.synonyms_of(term, terms.CELL_TYPE) if _is_term(term) else []


def _column(codes: np.ndarray, words: list[str]) -> Column:
    """Return words per type as a column; what was not said, and the cells after the last type."""
    filled = [str(word).strip() or terms.UNKNOWN for word in [*words, terms.UNKNOWN]]
    return words_column(codes, filled)


def _about(opened: Workspace, key: str, sources: np.ndarray) -> dict[str, Any]:
    made = draft(opened)
    by_model = np.isin(sources, (keys.PREDICTED, keys.ACCEPTED, keys.PARENT)).any()
    by_hand = np.isin(sources, (keys.GIVEN, keys.MANUAL)).any()
    method = BOTH if by_model and by_hand else ALGORITHMIC if by_model else MANUAL
    about = {
        "description": f"Final labels of scanvi-app in the column {key}.",
        "annotation_method": method,
        "algorithm_name": "SCANVI" if by_model else NOT_APPLICABLE,
        "algorithm_version": __version__ if by_model else NOT_APPLICABLE,
        "algorithm_repo_url": f"https://doi.org/{PAPER}" if by_model else NOT_APPLICABLE,
        "reference_location": NOT_APPLICABLE,
        "reference_description": NOT_APPLICABLE,
    }
    platform = {
        "cellannotation_schema_version": SCHEMA_VERSION,
        "description": made.description.strip() or terms.UNKNOWN,
        "cellannotation_metadata": {key: about},
    }
    title = made.title.strip() or opened.project.name
    return {"title": title, "cap_metadata": platform}
