"""What the cells are by the word of several witnesses, none of whom is known to be right.

The model of Dawid and Skene (1979, doi:10.2307/2346806): each cell has one true type, and each
witness says of a cell of type t the type s with a chance of its own, whatever the others say. Both
are found by EM. The Dirichlet prior of a witness's chances is that of one who says the truth with
some chance, and else speaks as it always does (Hovy et al. 2013, "Learning whom to trust with
MACE"); that chance is learned from all types together, so that a few labels tell who to trust.

Labels of cells are the truth of these cells. Cells without one tell of a witness only whether
others agree with it, so all of them together count as `OPEN_CELLS` of each type: else three who
copy each other would outweigh any label.

The witnesses are learned from at most `MOST_CELLS`, so that millions cost little: cells with a
label first, but where these are many, as many without. Cells of which all say the same are one
row with a number.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.integer]

TRUE, SPOKEN = 3.0, 1.0  # cells that any witness is taken to have named knowing, and not knowing
STRENGTH = 6.0  # cells of each type that its prior stands for
OPEN_CELLS = 2.0
TYPE_CELLS = 1.0  # of each type, in the prior of the types' shares
MOST_ROUNDS = 200
MOST_CELLS, SEED = 5_000, 0
LARGEST = 2**62
ENOUGH = 1e-4  # largest change of a posterior at which EM ends


@dataclass(frozen=True, slots=True, eq=False)
class Joint:
    """What several witnesses say together.

    Attributes
    ----------
    said
        What each witness says [n, witnesses], -1 where nothing.
    known
        True types [n], -1 where nobody knows.
    share
        Share of each type [K].
    confusion
        What each witness says of cells of each type [witnesses, K true, K said].
    knows
        Chance that each witness says a type because it is so [witnesses].
    """

    said: Codes
    known: Codes
    share: Floats
    confusion: Floats
    knows: Floats

    def of(self, rows: Codes) -> Floats:
        """Return the probabilities of some cells [rows, K]; the shares where nobody speaks."""
        return _posterior(self.said[rows], self.known[rows], self.share, self.confusion)


def joint(said: Codes, n_types: int, known: Codes, weight: Floats | None = None) -> Joint:
    """Return what the cells are by the word of all witnesses.

    Parameters
    ----------
    said
        What each witness says [n, witnesses], -1 where nothing.
    n_types
        Number of types.
    known
        True types [n], -1 where nobody knows.
    weight
        How many cells each with a known type stands for [n]; None: one. Cells that were named
        together are fewer labels than cells.
    """
    each = np.ones(len(known)) if weight is None else weight.astype(np.float64)
    drawn, more = _drawn(known)
    table = np.column_stack([said[drawn], known[drawn]])
    rows, cells = _rows(table, each[drawn] * more, n_types)
    words, truth = rows[:, :-1], rows[:, -1]
    usual = np.array([_usual(own, n_types) for own in said.T]).reshape(-1, n_types)
    knows = np.full(len(usual), TRUE / (TRUE + SPOKEN))
    confusion = np.array([_rows_prior(*pair) for pair in zip(knows, usual, strict=True)])
    share = np.full(n_types, 1.0 / n_types)
    posterior = _posterior(words, truth, share, confusion)
    for _ in range(MOST_ROUNDS):
        before = posterior
        share = TYPE_CELLS + (cells * (truth < 0)) @ posterior  # labeled cells were chosen
        for w, own in enumerate(words.T):
            counts = _counts(own, cells, posterior)
            knows[w] = _knowing(counts, knows[w], usual[w])
            counts += STRENGTH * _rows_prior(knows[w], usual[w])
            confusion[w] = counts / counts.sum(axis=1, keepdims=True)
        posterior = _posterior(words, truth, share / share.sum(), confusion)
        if np.abs(posterior - before).max(initial=0.0) < ENOUGH:
            break
    return Joint(said, known, share / share.sum(), confusion, knows)


def _drawn(known: Codes) -> tuple[Codes, float]:
    """Return the cells to learn from, and for how many labels each of theirs stands."""
    judged, open_ = np.flatnonzero(known >= 0), np.flatnonzero(known < 0)
    n = min(len(judged), max(MOST_CELLS // 2, MOST_CELLS - len(open_)))
    random = np.random.default_rng(SEED)
    some = random.choice(judged, n, replace=False)
    others = random.choice(open_, min(len(open_), MOST_CELLS - n), replace=False)
    return np.sort(np.concatenate([some, others])), len(judged) / max(1, n)


def _rows(table: Codes, each: Floats, n_types: int) -> tuple[Codes, Floats]:
    """Return the different rows of a table and their weights."""
    open_ = table[:, -1] < 0
    each = np.where(open_, min(1.0, OPEN_CELLS * n_types / max(1, open_.sum())), each)
    number = np.zeros(len(table), dtype=np.int64)  # of the row: sorting it is quicker than rows
    for column in table.T:
        n_words = int(column.max(initial=-1)) + 2
        if int(number.max(initial=0)) * n_words > LARGEST:
            number = np.unique(number, return_inverse=True)[1].reshape(-1)
        number = number * n_words + column + 1
    _, first, where = np.unique(number, return_index=True, return_inverse=True)
    rows = table[first]
    cells = np.bincount(where.reshape(-1), weights=each, minlength=len(rows)).astype(np.float64)
    return rows, cells


def _usual(said: Codes, n_types: int) -> Floats:
    """Return how often a witness says each type, whatever the cell is."""
    counts = np.bincount(said[said >= 0], minlength=n_types) + 0.5
    return np.asarray(counts / counts.sum())


def _rows_prior(knows: float, usual: Floats) -> Floats:
    """Return what one says of each type [K true, K said] who knows it with a chance."""
    return np.asarray(knows * np.eye(len(usual)) + (1.0 - knows) * usual)


def _counts(words: Codes, cells: Floats, posterior: Floats) -> Floats:
    """Return how many cells of each type [K true, K said] a witness calls by each."""
    spoke = words >= 0
    counts = np.zeros((posterior.shape[1], posterior.shape[1]))
    np.add.at(counts.T, words[spoke], cells[spoke, None] * posterior[spoke])
    return counts


def _knowing(counts: Floats, knows: float, usual: Floats) -> float:
    """Return the chance that a witness says a type because it is so."""
    by_knowing = np.diag(counts) * knows / (knows + (1.0 - knows) * usual)
    return float((by_knowing.sum() + TRUE) / (counts.sum() + TRUE + SPOKEN))


def _posterior(words: Codes, truth: Codes, share: Floats, confusion: Floats) -> Floats:
    """Return the probability of each type [rows, K]; where the truth is known, it."""
    logs = np.tile(np.log(share), (len(words), 1))
    for own, chances in zip(words.T, np.log(confusion), strict=True):
        spoke = own >= 0
        logs[spoke] += chances[:, own[spoke]].T
    shares = np.exp(logs - logs.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    shares[truth >= 0] = np.eye(len(share))[truth[truth >= 0]]
    return shares
