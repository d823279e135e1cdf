"""How far the reading of a file is, told from wherever the work is done.

The reader is a process with one thing to do, so who listens is set once, for all of it.
"""

from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field, fields

from scanvi_core.data.blocks.hdf5 import Block, MatrixSource
from scanvi_core.runtime import Report


def silent(fraction: float, words: str) -> None:
    """Tell nobody."""


LISTENER: ContextVar[Report] = ContextVar("listener", default=silent)


@dataclass(frozen=True, slots=True)
class Stage:
    """One part of the work: from `low` to `high` of the whole, from 0 to 1."""

    words: str
    low: float
    high: float

    def tell(self, share: float) -> None:
        """Say which share of this part is done."""
        LISTENER.get()(self.low + (self.high - self.low) * min(1.0, share), self.words)

    def part(self, at: int, of: int) -> "Stage":
        """Return the stage of one of several equal pieces."""
        width = (self.high - self.low) / of
        return Stage(self.words, self.low + at * width, self.low + (at + 1) * width)


CHECKING = Stage("Checking the file", 0.0, 0.02)
READING = Stage("Reading the file", 0.02, 0.05)
LOOKING = Stage("Looking for counts", 0.05, 0.35)
COPYING = Stage("Copying the counts", 0.35, 0.65)
TURNING = Stage("Sorting the counts by gene", 0.65, 0.95)
FINISHING = Stage("Writing the tables", 0.95, 1.0)
JOINING = Stage("Joining the files", 0.0, 1.0)
# of a project file: by its counts, as of a file, TURNING comes after them
UNPACKING = Stage("Unpacking the file", 0.0, 0.3)
VERIFYING = Stage("Looking through the data", 0.3, 0.65)
CONCLUDING = Stage("Looking through models and history", 0.95, 1.0)


@dataclass(frozen=True, slots=True)
class Watched(MatrixSource):
    """A matrix that tells how far it was read."""

    stage: Stage = field(kw_only=True)

    def blocks(self) -> Iterator[Block]:
        """Yield what the matrix yields."""
        along = self.stored == "csc"
        for block in MatrixSource.blocks(self):
            yield block
            if block[along].size:
                self.stage.tell((int(block[along][-1]) + 1) / self.shape[along])


def watched(source: MatrixSource, stage: Stage) -> Watched:
    """Return the same matrix; reading it is told as a stage of the work."""
    parts = {part.name: getattr(source, part.name) for part in fields(MatrixSource)}
    return Watched(**parts, stage=stage)
