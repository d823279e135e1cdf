"""Hide most labels of published data sets, and see which method finds them again."""

import argparse
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.accuracy import records
from benchmarks.accuracy.run import FRACTIONS, MASKS, ROOT, Grid, run


def main() -> None:
    """Measure and print, or write the table."""
    asked = options().parse_args()
    from benchmarks.accuracy.methods import NAMES, solver

    grid = Grid(
        data=asked.data,
        cache=asked.cache,
        results=asked.results,
        only=tuple(asked.only),
        fractions=tuple(asked.fractions),
        masks=tuple(asked.masks),
        threads=asked.threads,
    )
    for record in run(grid, {name: partial(solver, name, asked.python) for name in NAMES}):
        sys.stdout.write(
            f"{record.data_set:20} {record.fraction:5.1%} {record.mask} {record.method:24} "
            f"{record.accuracy:.3f} {record.macro_f1:.3f} {record.ece:.3f} "
            f"{record.cpu_seconds:8.1f} s\n"
        )
        sys.stdout.flush()


def options() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--results", type=Path, default=records.FOLDER)
    parser.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir(), "scanvi-accuracy")
    )
    parser.add_argument("--python", type=Path, default=ROOT.parent / "benchenv/bin/python")
    parser.add_argument("--only", nargs="*", default=[], metavar="METHOD[/SET]")
    parser.add_argument("--fractions", nargs="*", type=float, default=FRACTIONS)
    parser.add_argument("--masks", nargs="*", type=int, default=MASKS)
    parser.add_argument("--threads", type=int, default=1)
    return parser


if __name__ == "__main__":
    main()
