"""The measurements: one JSON line each, in one file per method; what is there is not redone."""

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "results" / "accuracy"
Key = tuple[str, str, float, int]


@dataclass(frozen=True, slots=True)
class Record:
    """How good one method was on the hidden cells of one data set under one mask.

    `fraction` is the share of labels shown (1: all of one batch, none of the others), `n_shown`
    and `n_hidden` count cells, `command` makes this very record again, `commit` is that of the
    code it was made with.
    """

    method: str
    data_set: str
    fraction: float
    mask: int
    n_shown: int
    n_hidden: int
    accuracy: float
    macro_f1: float
    ece: float
    seconds: float
    cpu_seconds: float
    threads: int
    command: str
    commit: str
    machine: str
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        """What it is a measurement of."""
        return self.method, self.data_set, self.fraction, self.mask


def append(job: str, records: Iterable[Record], folder: Path = FOLDER) -> None:
    """Add the measurements of one job to its file, by one write."""
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(asdict(record), ensure_ascii=False) + "\n" for record in records)
    with (folder / f"{job}.jsonl").open("ab+") as handle:
        handle.seek(max(0, handle.tell() - 1))
        torn = handle.read() not in (b"", b"\n")
        handle.write(("\n" * torn + text).encode())


def read_all(folder: Path = FOLDER) -> dict[Key, Record]:
    """Return every measurement; of several of the same, the last."""
    return {record.key: record for path in sorted(folder.glob("*.jsonl")) for record in _of(path)}


def _of(path: Path) -> Iterator[Record]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            yield Record(**json.loads(line))
        except ValueError:  # a run was killed while it wrote
            sys.stderr.write(f"{path.name}, line {number} is not whole and does not count.\n")
