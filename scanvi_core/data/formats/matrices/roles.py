"""What the names of files and folders say of a matrix: a part, raw barcodes, or a sample's name.

The names are those that Cell Ranger, STARsolo, kb-python, alevin-fry, Parse and BD Rhapsody give.
"""

import re
from collections.abc import Sequence

PARTS = {  # what programs call a part -> what it is
    "spliced": "spliced", "mature": "spliced", "unspliced": "unspliced", "nascent": "unspliced",
    "ambiguous": "ambiguous",
}  # fmt: skip
# The first that a word in the path fits; the lowest rank of a sample is read.
RANKS = (
    (5, re.compile(r"^(sj|velocyto|tcc|equivalence.?classes?)$")),
    (4, re.compile(rf"^({'|'.join(PARTS)})$")),
    (3, re.compile(r"^(uniqueandmult.*|multimappers?)$")),
    (2, re.compile(r"^(raw|unfiltered|.*_unfiltered|(sample_)?raw_.*|.*_raw|all.?barcodes)$")),
    (1, re.compile(r"^(genefull.*|nucleus|cell)$")),
)
ROLES = re.compile(
    r"^(gene|genefull.*|velocyto|sj|raw|filtered|unfiltered|dge_.*|.*dge.*|solo\.out|outs|count|"
    r"counts(_.*)?|alevin|counts_(un)?filtered|(sample_)?(raw|filtered)?_?(feature|gene)_bc_matri.*|"
    r"per_sample_outs|multi|matrix|mex|star(solo)?|quants?_mat)$"
)


def rank_of(words: Sequence[str]) -> int:
    """Return the rank of a matrix by the words of its path: 0 for the counts of cells."""
    return next((rank for rank, word in RANKS if any(map(word.match, words))), 0)


def is_role(name: str) -> bool:
    """Tell whether a program gives a folder or file this name, whatever the sample."""
    word = name.casefold()
    return bool(ROLES.match(word)) or rank_of([word]) > 0
