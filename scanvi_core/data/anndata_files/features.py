"""Which features of a file are the genes to work with: by type, by name and by genome.

Asked of the table of genes alone, so that a file of any kind gets the same answer. Types are those
of Cell Ranger's features.tsv (Gene Expression, Antibody Capture, CRISPR Guide Capture,
Multiplexing Capture, Custom) and what other programs call them; BD Rhapsody tells its antibodies
by an ending of the name (``CD3:UCHT1|CD3E|AHS0231|pAbO``), BioLegend by ``TotalSeq``.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from scanvi_core.data.names import plain
from scanvi_core.data.question import Option, Question, answer
from scanvi_core.plurals import count

ALL = "all"
TYPE_COLUMNS = ("featuretypes", "featuretype", "modality", "assay", "type")
GENOME_COLUMNS = ("genome", "genomes", "genomebuild", "species", "organism")
GENES = frozenset(
    {"geneexpression", "gene", "genes", "rna", "mrna", "gex", "transcript", "transcriptome"}
)
OTHERS = frozenset(
    {"antibodycapture", "antibody", "antibodies", "adt", "ab", "abseq", "protein", "proteins",
     "surfaceprotein", "crisprguidecapture", "guidecapture", "crispr", "grna", "sgrna", "guide",
     "multiplexingcapture", "hashtag", "hashtags", "hto", "cmo", "custom", "peaks", "peak", "atac",
     "antigencapture", "vdj", "vdjt", "vdjb", "chromatinaccessibility"}
)  # fmt: skip
ANTIBODY = "Antibody Capture"
ANTIBODY_NAME = re.compile(r".*\|pAbO|.*[_-]TotalSeq[-_]?[ABCD]|(adt|hto)[_-].+", re.IGNORECASE)
PREFIX = re.compile(r"(GRC[a-z]\d+|hg\d+|mm\d+|rn\d+|dm\d+|danRer\d+|ce\d+|macFas\d+)_+.+")


def choose(
    columns: Mapping[str, Any], names: np.ndarray, answers: Mapping[str, str], file: str
) -> tuple[np.ndarray, list[str]]:
    """Return which features are the genes to work with, and notices about those left aside.

    Parameters
    ----------
    columns
        The table of genes: name -> values.
    names
        Names of the features.
    answers
        Answers to the questions ``feature_type`` and ``genome``.
    file
        What to call the file in a question.

    Returns
    -------
    tuple
        bool [n], and sentences.

    Raises
    ------
    ChoiceNeeded
        If there is no gene expression, or more than one genome, and nobody said which is meant.
    """
    keep, notes = _of_type(_types(columns, names), answers, file)
    genomes = _genomes(columns, names)
    if genomes is not None:
        of_genome, more = _of_genome(genomes, keep, answers, file)
        keep, notes = keep & of_genome, notes + more
    return keep, notes


def _types(columns: Mapping[str, Any], names: np.ndarray) -> np.ndarray:
    """Return the type of every feature, "" where nothing tells it."""
    for usual in TYPE_COLUMNS:
        for key in filter(lambda key: plain(key) == usual, columns):
            values = _texts(columns[key])
            known = {plain(value) for value in set(values)} & (GENES | OTHERS)
            if known & OTHERS or (known and usual.startswith("feature")):
                return values
    named = np.array([bool(ANTIBODY_NAME.fullmatch(str(name).strip())) for name in names], bool)
    return np.where(named, ANTIBODY, "")


def _of_type(
    types: np.ndarray, answers: Mapping[str, str], file: str
) -> tuple[np.ndarray, list[str]]:
    sizes = {str(name): int((types == name).sum()) for name in pd.unique(types)}
    if set(sizes) <= {""}:
        return np.ones(len(types), bool), []
    untold = [""] if "" in sizes else []
    genes = [name for name in sizes if plain(name) in GENES] or untold
    if not genes:
        options = tuple(Option(name, name, f"{n:,} features") for name, n in sizes.items())
        text = "It has no gene expression. Which features are the genes?"
        genes = [answer(Question("feature_type", text, options), answers, file)]
    read = genes[0] or "gene expression"
    notes = [
        f"{count(n, 'feature')} of the type {name} left aside; {read} was read."
        for name, n in sizes.items()
        if name not in genes and name
    ]
    return np.isin(types, genes), notes


def _genomes(columns: Mapping[str, Any], names: np.ndarray) -> np.ndarray | None:
    """Return the genome of every gene, from a column or from the beginning of all the names."""
    for usual in GENOME_COLUMNS:
        for key in filter(lambda key: plain(key) == usual, columns):
            return _texts(columns[key])
    found = [PREFIX.fullmatch(str(name)) for name in names]
    if not all(found):
        return None
    return np.array([match[1] for match in found if match], dtype=object)


def _of_genome(
    genomes: np.ndarray, keep: np.ndarray, answers: Mapping[str, str], file: str
) -> tuple[np.ndarray, list[str]]:
    sizes = {name: int((genomes[keep] == name).sum()) for name in pd.unique(genomes[keep])}
    sizes.pop("", None)
    if len(sizes) < 2:
        return np.ones(len(genomes), bool), []
    options = [Option(name, name, f"{n:,} genes") for name, n in sizes.items()]
    options.append(Option(ALL, "All of them", f"{sum(sizes.values()):,} genes"))
    question = Question("genome", "Which genome do you want to work with?", tuple(options))
    chosen = answer(question, answers, file)
    if chosen == ALL:
        return np.ones(len(genomes), bool), []
    left = sum(sizes.values()) - sizes[chosen]
    return genomes == chosen, [f"Genome {chosen} was read; {left:,} genes of others left aside."]


def _texts(values: Any) -> np.ndarray:
    series = pd.Series(values).astype(object)
    return np.asarray(series.map(lambda v: "" if pd.isna(v) else str(v).strip()), dtype=object)
