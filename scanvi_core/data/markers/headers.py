"""What the columns of tables of marker genes are called, by the programs that write them."""

from collections.abc import Sequence

from scanvi_core.data.names import plain

# Compared by `plain`: small letters and digits alone; the likeliest first.
TYPES = (
    "celltype", "celltypes", "cellname", "celllabel", "cellontologyname", "population", "type",
    "label", "annotation", "subtype", "subset", "term", "cluster", "clusters", "group", "ident",
    "cellstate", "cell", "name", "set", "geneset",
)  # fmt: skip
GENES = (
    "gene", "genes", "genesymbol", "genesymbols", "symbol", "symbols", "officialgenesymbol",
    "marker", "markers", "markergene", "markergenes", "cellmarker", "genename", "genenames",
    "names", "feature", "features", "geneset", "genesymbolmore1", "positive", "positivemarkers",
    "positivegenes", "positivemarker", "pos", "canonicalmarkers", "geneid", "ensembl", "ensemblid",
)  # fmt: skip
ABSENT = (
    "negative", "negativemarkers", "negativegenes", "negativemarker", "neg", "genesymbolmore2",
    "absent", "notexpressed",
)  # fmt: skip
SIGN = ("sign", "direction", "expression", "regulation", "posneg", "status")
CHANGE = (
    "avglog2fc", "avglogfc", "logfoldchanges", "logfoldchange", "log2fc", "logfc",
    "log2foldchange", "log2change",
)  # fmt: skip
CHANCE = ("pvaladj", "pvalsadj", "padj", "fdr", "qvalue", "adjustedp", "pval", "pvals")
WEIGHT = ("scores", "score", "weight", "weights", "specificity")
CONTEXT = ("tissuetype", "tissue", "organ", "tissueclass", "species", "organism")
NO = frozenset({"-", "negative", "neg", "down", "absent", "no", "low", "false"})


def find(header: Sequence[str], usual: Sequence[str]) -> list[int]:
    """Return the columns that are called one of some usual names, the likeliest first."""
    names = [plain(title) for title in header]
    return [names.index(name) for name in usual if name in names]


def is_header_of_genes(title: str) -> bool:
    """Tell whether a title says that genes stand below it: gene, marker 2."""
    return plain(title).rstrip("0123456789") in GENES
