"""Terms of the Cell Ontology by name: the one that a name means, and those it may mean."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache

from scanvi_core.ontology import table
from scanvi_core.ontology.spelling import CELL, plain
from scanvi_core.ontology.table import Term

NAME, SYNONYM, OURS = "name", "synonym", "abbreviation"
CLOSE = "close"
ONE_SPECIES = "(Mmus)"  # ends names of cells of one species that have a term for all as well
SAY_LITTLE = frozenset({"cell", "positive", "negative"})  # words that most names hold
MOST_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Match:
    """A term that a name may mean.

    Attributes
    ----------
    how
        `NAME`, `SYNONYM` or `OURS` where the name is one of just these cells; else `CLOSE`.
    """

    id: str
    name: str
    how: str

    @property
    def exact(self) -> bool:
        """Whether the name means these cells and no others."""
        return self.how != CLOSE


def exact(text: str) -> Match | None:
    """Return the term that a name means, written a little differently perhaps; an id means itself.

    Examples
    --------
    >>> exact("NK cells").name, exact("CD14+ Monocytes").name, exact("cluster 3")
    ('natural killer cell', 'CD14-positive monocyte', None)
    """
    if (known := term(text.strip())) is not None:
        return Match(known.id, known.name, NAME)
    for key in _spellings(text):
        found = _index().meant.get(key)
        if found is not None:
            return found if found.exact else None
    return None


def term(key: str) -> Term | None:
    """Return a term by its id, also by one that was replaced since."""
    return table.terms().get(table.replaced().get(key, key))


def search(text: str, n: int = MOST_SHOWN) -> tuple[Match, ...]:
    """Return the terms that a name may mean, the best first.

    First what it means for sure, then by whole names, beginnings of names and words of them; in a
    longer text not every word has to be found.
    """
    return _search(text.strip(), n)


@lru_cache(maxsize=4096)
def _search(text: str, n: int) -> tuple[Match, ...]:
    found = {} if (sure := exact(text)) is None else {sure.id: sure}
    for key in () if text.startswith(table.PREFIX) else _meant_by(plain(text)):
        found.setdefault(key, Match(key, table.terms()[key].name, CLOSE))
        if len(found) >= n:
            break
    return tuple(found.values())[:n]


def same_cells(text: str, key: str) -> bool:
    """Tell whether a name means just the cells of a term."""
    found = exact(text)
    return found is not None and found.id == key


def _spellings(text: str) -> Iterator[str]:
    words = plain(text)
    if words:
        yield words
        yield words.removesuffix(CELL) if words.endswith(CELL) else words + CELL


@dataclass(frozen=True)
class _Index:
    """Names and words of all terms.

    Attributes
    ----------
    meant
        What a name means, if that is one term.
    several
        The terms that a name of several may mean.
    names, terms
        Every name without its spelling, and the term it is of.
    at
        Per word the positions of the names that hold it.
    """

    meant: dict[str, Match]
    several: dict[str, tuple[str, ...]]
    names: tuple[str, ...]
    terms: tuple[str, ...]
    at: dict[str, set[int]]


@cache
def _index() -> _Index:
    known = table.terms()
    names = [(plain(each.name), NAME, each) for each in known.values()]
    names += [(plain(word), SYNONYM, each) for each in known.values() for word in each.synonyms]
    meant, several = dict[str, Match](), dict[str, tuple[str, ...]]()
    for how in (NAME, SYNONYM):
        of = defaultdict[str, list[Term]](list)
        for key, kind, each in names:
            if kind == how and key not in meant:
                of[key].append(each)
        several |= {key: tuple(t.id for t in many) for key, many in of.items() if len(many) > 1}
        meant |= {key: Match(m[0].id, m[0].name, how if len(m) == 1 else CLOSE)
                  for key, m in of.items()}  # fmt: skip
    for ours in table.abbreviations():
        key, first = plain(ours.name), known[ours.terms[0]]
        if key not in meant or meant[key].how != NAME:
            meant[key] = Match(first.id, first.name, OURS if ours.exact else CLOSE)
            several[key] = ours.terms
    at = defaultdict[str, set[int]](set)
    for position, (key, _, _) in enumerate(names):
        for word in key.split():
            at[word].add(position)
    return _Index(meant, several, tuple(n[0] for n in names), tuple(n[2].id for n in names), at)


def _meant_by(words: str) -> list[str]:
    """Return ids of terms, the best first, for a name that means none or several."""
    index = _index()
    telling = [word for word in words.split() if not word.isdecimal()]
    numberless = " ".join(telling)
    first = [key for name in _spellings(words) for key in index.several.get(name, ())]
    first += [index.meant[name].id for name in _spellings(numberless) if name in index.meant]
    places = [_places(word) for word in telling if word not in SAY_LITTLE]
    counts = defaultdict[int, int](int)
    for at in places:
        for position in at:
            counts[position] += 1
    least = max(1, (len(places) + 1) // 2)
    ranked = sorted(
        (_rank(words, position, n, len(places)), position)
        for position, n in counts.items()
        if n >= least
    )
    by_words = list(dict.fromkeys(index.terms[position] for _, position in ranked))
    single = [word for word in telling if len(word) > 1 and word not in SAY_LITTLE]
    alone = [index.meant[word].id for word in single if word in index.meant]
    return list(dict.fromkeys([*first, *by_words[:2], *alone, *by_words[2:]]))


def _rank(words: str, position: int, n: int, of: int) -> tuple[int, bool, bool, int, int]:
    index = _index()
    name, shown = index.names[position], table.terms()[index.terms[position]].name
    begins = name.startswith(words)
    return of - n, shown.endswith(ONE_SPECIES), not begins, len(name.split()), len(name)


@lru_cache(maxsize=1024)
def _places(word: str) -> frozenset[int]:
    """Return the names that hold a word, begun perhaps, or what it is short for."""
    index = _index()
    found = set[int]()
    begun = len(word) > 1 and not word[-1].isdecimal()  # T is no thymocyte, CD4 no CD45
    for other, at in index.at.items():
        if other == word or (begun and other.startswith(word)):
            found |= at
    ours = index.meant.get(word)
    if ours is not None and len(word) > 1:
        long = (plain(ours.name).removesuffix(CELL)).split()
        found |= _holding(long)
    return frozenset(found)


def _holding(words: Iterable[str]) -> set[int]:
    at = _index().at
    return set.intersection(*(at.get(word, set()) for word in words)) if words else set()
