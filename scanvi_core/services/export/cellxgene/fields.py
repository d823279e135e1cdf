"""What CELLxGENE asks to know of every cell, and which terms answer it (schema 7.1.0)."""

from collections.abc import Callable
from dataclasses import dataclass

from scanvi_core.export.terms import (
    CELL_TYPE,
    HUMAN,
    MOUSE,
    NOT_APPLICABLE,
    UNKNOWN,
    Scope,
)

TISSUE, ORGANOID, CULTURE, CELL_LINE = "tissue", "organoid", "primary cell culture", "cell line"
TISSUE_TYPES = (TISSUE, ORGANOID, CULTURE, CELL_LINE)
NOTHING = Scope((), words=(NOT_APPLICABLE,))  # what does not apply to a species or a cell line
OTHER_STAGES = frozenset({"NCBITaxon:7955", "NCBITaxon:7227", "NCBITaxon:6239"})


@dataclass(frozen=True, slots=True)
class Field:
    """One column of obs that CELLxGENE asks for.

    Attributes
    ----------
    key
        Its name in the file.
    label, help
        For the page.
    guesses
        Names of columns that may hold it, in lower case.
    scope
        From organism and kind of tissue, the terms it may hold; None: any text.
    """

    key: str
    label: str
    help: str
    guesses: tuple[str, ...]
    scope: Callable[[str, str], Scope] | None


def _assay(_organism: str, _kind: str) -> Scope:
    return Scope(("EFO",), ("EFO:0002772", "EFO:0010183"))


def _tissue(_organism: str, kind: str) -> Scope:
    if kind == CELL_LINE:
        return Scope(("CVCL",))
    return CELL_TYPE if kind == CULTURE else Scope(("UBERON",), ("UBERON:0001062",))


def _disease(_organism: str, _kind: str) -> Scope:
    also = ("PATO:0000461", "MONDO:0021178")
    return Scope(("MONDO", "PATO"), ("MONDO:0000001", "MONDO:0021178"), also)


def _sex(_organism: str, kind: str) -> Scope:
    if kind == CELL_LINE:
        return NOTHING
    allowed = ("PATO:0000383", "PATO:0000384", "PATO:0001340")
    return Scope(("PATO",), ("nothing",), allowed, words=(UNKNOWN,))


def _ethnicity(organism: str, kind: str) -> Scope:
    if organism != HUMAN or kind == CELL_LINE:
        return NOTHING
    return Scope(("HANCESTRO",), ("HANCESTRO:0601", "HANCESTRO:0602"), words=(UNKNOWN,))


def _stage(organism: str, kind: str) -> Scope:
    if kind == CELL_LINE:
        return NOTHING
    if organism == HUMAN:
        return Scope(("HsapDv",), ("HsapDv:0000001",), words=(UNKNOWN,))
    if organism == MOUSE:
        return Scope(("MmusDv",), ("MmusDv:0000001",), words=(UNKNOWN,))
    if organism in OTHER_STAGES:
        return Scope((), words=(UNKNOWN,))
    return Scope(("UBERON",), ("UBERON:0000105",), never=("UBERON:0000071",), words=(UNKNOWN,))


def _suspension(_organism: str, _kind: str) -> Scope:
    return Scope((), words=("cell", "nucleus", NOT_APPLICABLE))


FIELDS = (
    Field("assay_ontology_term_id", "Assay", "For example 10x 3' v3.",
          ("assay", "technology", "tech", "protocol", "platform", "chemistry"), _assay),
    Field("tissue_ontology_term_id", "Tissue", "For example blood, or the cell or line cultured.",
          ("tissue", "organ"), _tissue),
    Field("disease_ontology_term_id", "Disease", "normal for healthy donors.",
          ("disease", "diagnosis", "disease_status", "condition"), _disease),
    Field("sex_ontology_term_id", "Sex", "female, male, hermaphrodite or unknown.",
          ("sex", "gender"), _sex),
    Field("donor_id", "Donor", "A name for each donor; pooled and unknown are allowed.",
          ("donor_id", "donor", "individual", "patient", "subject", "orig.ident"), None),
    Field("self_reported_ethnicity_ontology_term_id", "Self-reported ethnicity",
          "unknown when it was not asked; na for other species than humans.",
          ("self_reported_ethnicity", "ethnicity", "ancestry"), _ethnicity),
    Field("development_stage_ontology_term_id", "Development stage",
          "For example 29-year-old stage, or unknown.",
          ("development_stage", "age", "stage"), _stage),
    Field("suspension_type", "Suspension", "cell, nucleus or na, as the assay asks for.",
          ("suspension_type", "suspension"), _suspension),
)  # fmt: skip
