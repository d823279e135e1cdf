"""Measure what has not been measured yet."""

import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from pathlib import Path

from benchmarks import data_sets
from benchmarks.accuracy import records
from benchmarks.accuracy.cells import (
    ONE_BATCH,
    Cells,
    data_set_name,
    hidden_cells,
    load,
    split,
)
from benchmarks.accuracy.records import Record
from benchmarks.accuracy.scores import scores
from benchmarks.accuracy.task import Answer, Task
from benchmarks.results_file import commit, machine

FRACTIONS = (0.015, 0.1, ONE_BATCH)
MASKS = (0, 1, 2, 3, 4)
ONE_MASK = ("scvi-tools", "ablation*")  # take too long for more
Solver = Callable[[Task], Answer]


@dataclass(frozen=True, slots=True)
class Grid:
    """What is to be measured, and where things are.

    `only` holds patterns ``METHOD`` or ``METHOD/SET``, with ``*`` and ``?``; empty: everything.
    `asked` holds the options that each record's command has to repeat, such as ``--python``.
    """

    data: Path
    cache: Path
    results: Path
    only: tuple[str, ...] = ()
    fractions: tuple[float, ...] = FRACTIONS
    masks: tuple[int, ...] = MASKS
    threads: int = 1
    asked: tuple[str, ...] = ()

    def wants(self, method: str, data_set: str) -> bool:
        """Tell whether a method is to be measured on a data set."""
        patterns = [p if "/" in p else f"{p}/*" for p in self.only]
        return not patterns or any(fnmatch(f"{method}/{data_set}", p) for p in patterns)

    def masks_of(self, method: str) -> tuple[int, ...]:
        """Return the masks a method is measured under."""
        few = any(fnmatch(method, pattern) for pattern in ONE_MASK)
        return tuple(mask for mask in self.masks if mask == 0 or not few)

    def files(self) -> list[Path]:
        """Return the data sets, small files first; end the program where there are none."""
        files = sorted(self.data.glob("*.h5ad"), key=lambda path: path.stat().st_size)
        return files or data_sets.paths()


def run(grid: Grid, solvers: dict[str, Callable[[], Solver]]) -> Iterator[Record]:
    """Measure what is not there yet, method by method; yield each record once it is written.

    Parameters
    ----------
    grid
        What is wanted.
    solvers
        By name, how to get a method; asked for only where there is something to measure.
    """
    loaded: dict[Path, Cells] = {}
    for method, prepare in solvers.items():
        solve: Solver | None = None
        for path in grid.files():
            name = data_set_name(path)
            if not grid.wants(method, name):
                continue
            for fraction, mask in missing(grid, method, name):
                if path not in loaded:
                    loaded[path] = load(path, grid.cache)
                if split(loaded[path], fraction, mask) is None:
                    continue
                solve = solve or prepare()
                found = measure(grid, method, loaded[path], (fraction, mask), solve)
                records.append(method.split(":")[0], found, grid.results)  # variants together
                yield from found


def missing(grid: Grid, method: str, data_set: str) -> list[tuple[float, int]]:
    """Return the fractions and masks of a method and a data set that have no record."""
    there = records.read_all(grid.results)
    return [
        (fraction, mask)
        for fraction in grid.fractions
        for mask in grid.masks_of(method)
        if (method, data_set, fraction, mask) not in there
    ]


def measure(
    grid: Grid, method: str, cells: Cells, which: tuple[float, int], solve: Solver
) -> list[Record]:
    """Hide labels, ask the method, and judge it on the hidden ones.

    Raises
    ------
    ValueError
        If the data set cannot be split so.
    """
    fraction, mask = which
    labels = split(cells, fraction, mask)
    if labels is None:
        raise ValueError(f"{cells.name} cannot be split by {fraction:g}, mask {mask}.")
    shown, types = labels
    hidden = hidden_cells(types, shown)
    cache = grid.cache / f"{cells.name}.others"
    cache.mkdir(parents=True, exist_ok=True)
    answer = solve(Task(cells.counts, shown, cells.batch, mask, grid.threads, cache))
    command = (
        f"python -m benchmarks.accuracy --only '{method}/{cells.name}' "
        f"--fractions {fraction:g} --masks {mask} --threads {grid.threads}"
    )
    command = shlex.join([*shlex.split(command), *grid.asked])
    return [
        Record(
            method=name,
            data_set=cells.name,
            fraction=fraction,
            mask=mask,
            n_shown=int((shown >= 0).sum()),
            n_hidden=len(hidden),
            **asdict(scores(types[hidden], table[hidden])),
            seconds=round(answer.seconds, 3),
            cpu_seconds=round(answer.cpu_seconds, 3),
            threads=grid.threads,
            command=command,
            commit=commit(),
            machine=machine(),
            versions={"python": sys.version.split()[0], **answer.versions},
        )
        for name, table in answer.probabilities.items()
    ]
