"""What the names of genes, of cells and of columns look like, whoever wrote them."""

import re
from collections.abc import Iterable, Sequence

import numpy as np

# Gene identifiers of the large databases, with or without a version: Ensembl, FlyBase, WormBase,
# TAIR, SGD, RefSeq. A genome may stand in front (GRCh38_, hg19-), as in mixtures of species.
IDENTIFIER = re.compile(
    r"(?:[A-Za-z0-9.]+_+)?(?:ENS[A-Z]*G\d{6,}|FBgn\d{7}|WBGene\d{8}|AT[1-5MC]G\d{5}|"
    r"Y[A-P][LR]\d{3}[WC](?:-[A-Z])?|[NX][MR]_\d{6,}|LOC\d{5,})(?:\.\d+)?",
    re.IGNORECASE,
)
VERSIONED = re.compile(
    r"((?:[A-Za-z0-9]+_+)?(?:ENS[A-Z]*G\d{6,}|WBGene\d{8}|FBgn\d{7}))\.\d+", re.IGNORECASE
)
GENE = re.compile(
    r"(?:[a-z0-9]+_+)?(?:MT[-.:](ND\d|CO\d|CYB|ATP\d).*|ACT[AB]\d?|GAPDH|MALAT1|XIST|"
    r"M?RP[LS]\d+[AXLYP]?\d*|B2M|CD\d+[A-Z]?|HLA-[A-Z0-9]+|TP53|VIM|EEF\d[A-Z]\d|ERCC-\d+|"
    r"[A-Z0-9]+RIK|MIR\d+.*|LINC\d+|A[CLP]\d{6}\.\d+|ZNF\d+|ZFP\d+|SLC\d+A\d+|TMEM\d+|"
    r"FAM\d+[A-Z]|S100A\d+|ARPC\d+[A-Z]*|COX\d+[A-Z0-9]*|NDUF[A-Z]+\d+|PSM[A-Z]\d+|ATP\d[A-Z]\w*|"
    r"CXC[LR]\d+|CC[LR]\d+|IL\d+\w*|IFI?T?\w*\d|KRT\d+|COL\d+A\d+|HIST\w+|HSP\w+|UBE\d\w+|TUB[AB]\w+)",
    re.IGNORECASE,
)
BARCODE = re.compile(r"(?<![A-Za-z])[ACGT]{10,}(?![A-Za-z])")
WELL = re.compile(r"(?:^|[_.:-])[A-P]\d{1,2}$")
CELL = re.compile(r"\bcells?\b|^cell|barcode|_\d+$|[-.]\d+$|^\d+_\d+_\d+__s\d+$", re.IGNORECASE)
MOST_LOOKED_AT = 2_000

# Column with the symbols of genes, as different programs call it; compared by `plain`.
SYMBOL_COLUMNS = (
    "featurename", "genesymbols", "genesymbol", "genenames", "genename", "symbol", "symbols",
    "geneshortname", "hgncsymbol", "mgisymbol", "externalgenename", "genesname", "name", "names",
    "gene", "genes", "featurenames", "hgncsymbols", "primarysymbol", "publicname", "locus",
)  # fmt: skip
IDENTIFIER_COLUMNS = (
    "geneids", "geneid", "ensembl", "ensemblid", "ensemblgeneid", "id", "accession", "featureid",
    "flybaseid", "wormbaseid", "tairid", "geneversion",
)  # fmt: skip


def plain(name: object) -> str:
    """Return the name of a column without capitals, blanks and signs: ``Gene Symbol`` as well."""
    return re.sub(r"[^a-z0-9]", "", str(name).casefold())


def is_identifier(name: object) -> bool:
    """Tell whether a gene is called by an identifier, not by a symbol."""
    return IDENTIFIER.fullmatch(str(name).strip()) is not None


def leading_symbols(names: Iterable[object]) -> list[str]:
    """Return the symbols of names like BD's ``CD3D|ENSG00000167286|PolyA_1``; [] for others."""
    parts = [str(name).split("|") for name in names]
    joint = sum(len(part) > 1 and bool(part[0].strip()) for part in parts)
    return [part[0].strip() for part in parts] if 2 * joint > len(parts) else []


def is_gene(name: object) -> bool:
    """Tell whether a name is surely that of a gene."""
    text = str(name).strip()
    return bool(GENE.fullmatch(text) or IDENTIFIER.fullmatch(text))


def is_cell(name: object) -> bool:
    """Tell whether a name looks like that of a cell: a barcode, a well, a number at its end."""
    text = str(name).strip()
    looks = any(pattern.search(text) for pattern in (BARCODE, WELL, CELL))
    return looks and not is_gene(text)


def gene_share(names: Sequence[object] | np.ndarray) -> float:
    """Return which share of names, 0 to 1, is surely that of genes."""
    some = _some(names)
    return sum(map(is_gene, some)) / max(1, len(some))


def cell_share(names: Sequence[object] | np.ndarray) -> float:
    """Return which share of names, 0 to 1, looks like that of cells."""
    some = _some(names)
    return sum(map(is_cell, some)) / max(1, len(some))


def cells_in_rows(
    rows: Sequence[object] | np.ndarray, columns: Sequence[object] | np.ndarray
) -> float:
    """Return how much the names on both sides say that the rows are the cells: -1.5 to 1.5.

    0 says nothing, a negative number that the columns are the cells.
    """
    genes = gene_share(columns) - gene_share(rows)
    return genes + (cell_share(rows) - cell_share(columns)) / 2


def _some(names: Sequence[object] | np.ndarray) -> Sequence[object] | np.ndarray:
    return names[:: max(1, len(names) // MOST_LOOKED_AT)]


def symbol_columns(columns: Iterable[object]) -> list[str]:
    """Return the columns that may hold gene symbols, the likeliest first."""
    return _known(columns, SYMBOL_COLUMNS)


def identifier_columns(columns: Iterable[object]) -> list[str]:
    """Return the columns that may hold gene identifiers, the likeliest first."""
    return _known(columns, IDENTIFIER_COLUMNS)


def _known(columns: Iterable[object], usual: tuple[str, ...]) -> list[str]:
    ranked = [(usual.index(plain(name)), str(name)) for name in columns if plain(name) in usual]
    return [name for _, name in sorted(ranked, key=lambda pair: pair[0])]
