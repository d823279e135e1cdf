"""Names of cell types without what people write differently."""

import re
import unicodedata

GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "φ": "phi", "ϕ": "phi",
}  # fmt: skip
CELL = " cell"
MOST = 200  # letters of a name that are looked at
_SHORT = 3  # a word of so many letters has no plural: "gas", "NKs"


def plain(text: str) -> str:
    """Return a name as words in small letters that are spelled in one way.

    Case, dashes, plurals, Greek letters, ``+`` and ``positive``, and lymphocyte for cell do not
    tell names apart.

    Examples
    --------
    >>> plain("CD14+ Monocytes"), plain("γδ T-lymphocytes"), plain("CD56- NK")
    ('cd14 positive monocyte', 'gamma delta t cell', 'cd56 negative nk')
    """
    text = unicodedata.normalize("NFKC", text[:MOST]).casefold()
    for letter, word in GREEK.items():
        text = text.replace(letter, f" {word} ")
    text = re.sub(r"(?<=\w)\+", " positive ", text.replace("⁺", "+").replace("_", " "))
    text = re.sub(r"(?<=\d)[-−](?=[\s,/]|$)", " negative ", text)
    words = " ".join(_singular(word) for word in re.findall(r"[^\W_]+", text))
    return re.sub(r"\b(t|b|nk|nkt) lymphocyte\b", r"\1 cell", words)


def _singular(word: str) -> str:
    if len(word) <= _SHORT or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    return word[:-1]
