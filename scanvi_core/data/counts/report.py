"""What is reported of one matrix of a file."""

from dataclasses import asdict, dataclass, field, replace

from scanvi_core.data.counts.evidence import CellFacts
from scanvi_core.data.counts.scale import Scale


@dataclass(frozen=True, slots=True)
class MatrixReport:
    """What one matrix holds.

    Attributes
    ----------
    name
        ``X``, ``raw.X`` or ``layers/NAME``.
    n_values
        Values stored (non-zero ones of a dense matrix); an estimate for a dense matrix that was
        not read to its end.
    minimum, maximum, whole_share
        Of those values; the share that is whole numbers, 0 to 1.
    median_total
        Median over the cells of the sum of their values; 0 when not all was read.
    verdict, reason
        One of this module's verdicts, and why, in words.
    scale
        How to read normalized values as counts, proven on a sample of cells; None: not possible,
        or not needed.
    target
        What every cell adds up to before the logarithm; None when cells differ.
    n_zeros
        Zeros stored as values; None when not all was read.
    n_unsorted
        Values stored before one of a smaller position in their row.
    facts
        What was seen of each cell.
    rounded
        Whether its owner agreed to have its values rounded to whole numbers.
    """

    name: str
    shape: tuple[int, int]
    dtype: str
    stored: str
    n_values: int
    minimum: float
    maximum: float
    whole_share: float
    median_total: float
    verdict: str
    reason: str
    scale: Scale | None = None
    target: float | None = None
    n_zeros: int | None = None
    n_unsorted: int = 0
    facts: CellFacts | None = field(default=None, compare=False, repr=False)
    rounded: bool = False

    @property
    def recoverable(self) -> bool:
        """Whether counts can be recovered from the values, as a sample of cells shows."""
        return self.scale is not None

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        plain = asdict(replace(self, facts=None))
        del plain["facts"], plain["rounded"]
        return {**plain, "shape": list(self.shape), "recoverable": self.recoverable}
