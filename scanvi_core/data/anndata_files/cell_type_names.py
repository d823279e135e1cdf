"""Telling names of cell types from other words, and columns of them from other columns.

The words are those that end or stand in the labels of the Cell Ontology (Diehl et al. 2016,
doi:10.1186/s13326-016-0088-7), and the short forms of common marker lists and atlases: PanglaoDB
(Franzen et al. 2019, doi:10.1093/database/baz046), the Azimuth references (Hao et al. 2021,
doi:10.1016/j.cell.2021.04.048) and the brain's (Tasic et al. 2018,
doi:10.1038/s41586-018-0654-5). They are read one by one: a list of all names would miss the next
spelling.
"""

import re
from collections.abc import Iterable

from scanvi_core import keys

SHARE = 0.5  # of the values of a column that must be names of types


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# The end of a word: monocyte, erythroblasts, macrophage, interneuron, adipocytes
_ENDINGS = re.compile(
    r"(cyte|blast|phage|neuron|glia|thelial|thelium|phil|clast|progenitor|precursor|stem|crine)s?$"
)
_NAMES = _words(
    "neuron neurons glia microglia astro astrocyte oligo opc endo endothelial epithelial stromal "
    "mesenchymal mesothelial pericyte pericytes mural schwann muller photoreceptor rod rods cone "
    "cones amacrine bipolar horizontal purkinje pvalb sst vip lamp5 sncg gabaergic glutamatergic "
    "cholinergic dopaminergic excitatory inhibitory chandelier hepatocyte hepatocytes "
    "cholangiocyte kupffer stellate ductal acinar endocrine enteroendocrine goblet paneth tuft "
    "enterocyte colonocyte club ciliated basal alveolar at1 at2 pneumocyte ionocyte podocyte "
    "podocytes tubule tubular intercalated principal mesangial keratinocyte melanocyte langerhans "
    "merkel fibroblast fibroblasts myofibroblast smc vsmc cardiomyocyte cardiomyocytes satellite "
    "myeloid lymphoid leukocyte leukocytes leucocyte immune monocyte mono monocytes cmono ncmono "
    "macrophage macrophages mac macs dc dcs cdc cdc1 cdc2 pdc asdc modc dendritic mast neutrophil "
    "neutrophils basophil eosinophil granulocyte granulocytes nk nkt ilc ilc1 ilc2 ilc3 mait treg "
    "tregs tcm tem temra th1 th2 th17 tfh gdt dnt dpt ctl plasma plasmablast hsc hscs hspc hspcs "
    "mpp gmp cmp mep clp lmpp erythroid erythrocyte erythrocytes rbc platelet platelets "
    "megakaryocyte megakaryocytes megakaryocytic mk eryth msc mscs ipsc esc sertoli leydig "
    "spermatogonia spermatid spermatids oocyte oocytes granulosa trophoblast thymocyte thymocytes "
    "malignant tcell tcells bcell bcells lymphocyte lymphocytes helper cytotoxic lymphatic "
    "venous arterial"
)
_CELLS = frozenset({"cell", "cells"})
# May be a type, beside others that are one for certain: pancreas' alpha, a batch's B
_SHORT = _words(
    "b t alpha beta delta gamma epsilon naive memory activated it et ct np ec oc pt tal dct ic pc "
    "cd4t cd8t proliferating cycling mature immature pre pro ep low high tumor cancer"
)
_SORTED = re.compile(r"cd(4|8|8a|14|16|19|20|34|56|25)$")
# What is said of a whole sample or file, not of one cell
_OTHERS = re.compile(
    r"(oma|omas|aemia|emia|itis|osis|syndrome|disease|culture|marrow|blood|nucleus|nuclei|anti|"
    r"stage|stim|hashtag|hto|totalseq|rep\d*|replicate|sample|donor|patient|line|lines|tissue|"
    r"organoid|depleted|enriched|sorted|positive|negative|control|ctrl|treated|vehicle|pbmcs?|"
    r"singlet|doublet)$"
)

# Words of other columns, whole
_FACTS = _words("male female m f g1 s g2m g2 g1s yes no true false old young wt ko")

_SAYS_TYPE = re.compile(
    r"(cell_?(sub)?_?types?|cell_?(sub)?_?class|cell_?labels?|cell_?names?|cell_?identity|"
    r"cell_?annot\w*|cell_?ontology\w*|annotations?|annot|labels?|majority_voting|"
    r"predicted_labels?)",
)
_SAYS_OTHER = _words(
    "sex gender donor patient individual subject mouse animal person sample samples batch library "
    "lib channel plate well run lane pool tissue organ region location site disease diagnosis "
    "status phase cycle stage age ethnicity race ancestry assay tech technology platform method "
    "chemistry kit species organism strain genotype treatment condition conditions stim stimulus "
    "perturbation drug dose time timepoint day week month date hashtag hashtags hto hash "
    "demuxlet doublet doublets singlet qc flag barcode barcodes suspension line lines source "
    "cohort study dataset project experiment origin center centre lab protocol replicate rep "
    "gate sort sorting facs guide sgrna clone clonotype chain isotype"
)


def hold_types(values: Iterable[str]) -> bool:
    """Tell whether the different values of a column look like names of cell types.

    Half of them must, those left out that usually mean unlabeled; short names, such as ``B``,
    count beside one that is known for certain.
    """
    weights = [_weight(value) for value in values if not keys.looks_unlabeled(value)]
    named = sum(weight > 0 for weight in weights)
    return 2 in weights and named >= SHARE * len(weights)


def column_holds_types(name: str, values: Iterable[str]) -> bool:
    """Tell whether a column may be offered as that of the cell types.

    Its name says so, or its values look like it and the name says nothing else. A name that may
    stand above anything (``labels``) is not enough above numbers or words known to be others.
    """
    words = words_of(name)
    spelled = "_".join(words)
    values = [str(value) for value in values]
    if re.search(r"cell_?(sub)?_?types?|cell_?ontology", spelled):
        return True
    if _SAYS_OTHER & set(words):
        return False
    if _SAYS_TYPE.fullmatch(spelled) and not any(map(_is_other, values)):
        return True
    return hold_types(values)


def words_of(text: str) -> list[str]:
    """Return the words of a name in small letters: ``predictedCellType.l2`` has four."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", " ", text)
    return re.findall(r"[^\W_]+", parted.casefold())


def _is_other(value: str) -> bool:
    """Tell whether a value is a number or a word known to be no type."""
    return bool(re.fullmatch(r"[\s\d.+-]*", value)) or any(map(_OTHERS.search, words_of(value)))


def _weight(value: str) -> int:
    """Return 2 for the name of a type, 1 for what may be one beside others, else 0."""
    if re.fullmatch(r"CL:\d{7}", value.strip()):
        return 2
    words = words_of(value)
    if not words or _is_other(value) or " ".join(words) in _FACTS:
        return 0
    if any(w in _NAMES or _ENDINGS.search(w) or _SORTED.match(w) for w in words):
        return 2
    if len(words) > 1 and _CELLS & set(words):  # "cell" alone is said of every cell
        return 2
    return int(any(word in _SHORT for word in words))
