"""Columns of a table of counts that describe its cells or genes instead of counting."""

import re

from scanvi_core import keys
from scanvi_core.data.names import plain

# As Seurat, scanpy and their users call them: totals, shares, scores, clusters, coordinates.
OF_CELLS = re.compile(
    r"n[_.]?(counts?|features?|umis?|genes?)([_.]\w+)?|(percent|pct|perc|frac)[_.][a-z].*|"
    r"total[_.]?(counts?|umis?)([_.]\w+)?|.*_snn_res[._]?[\d.]+|(seurat|leiden|louvain)[_.]?\w*|"
    r"clusters?([_.]?(id|label|name))?|(s|g2m|cc)[._ ]?score|phase|doublet[_.]?\w*|"
    r"(umap|tsne|pca?|harmony|x_umap|x_tsne)[_-]\d+|orig[._]?ident|size[_.]?factors?|"
    r"mito[_.]?ratio|log10genesperumi|n_genes_by_counts|cell[_. ]?(type|id|name|index)s?|"
    r"barcodes?|donor([_.]?id)?|sample([_.]?(id|name))?|batch([_.]?id)?|sex|age|tissue|disease",
    re.IGNORECASE,
)
OF_GENES = frozenset(
    {"length", "genelength", "start", "end", "chr", "chromosome", "strand", "entrezid",
     "entrezgeneid", "geneid", "ensemblid", "symbol", "genename", "genesymbol", "description",
     "biotype", "genebiotype", "genetype"}
)  # fmt: skip
USUAL = frozenset(
    {*keys.TOTAL_COLUMNS, *keys.LABEL_COLUMNS, *keys.BATCH_COLUMNS} - {"run", "tech", "stim"}
)


def describes_cells(title: str) -> bool:
    """Tell whether a column of a table with cells in rows is called as what describes cells."""
    name = title.strip()
    return name.casefold() in USUAL or bool(OF_CELLS.fullmatch(name))


def describes_genes(title: str) -> bool:
    """Tell whether a column of a table with genes in rows is called as what describes genes."""
    return plain(title) in OF_GENES
