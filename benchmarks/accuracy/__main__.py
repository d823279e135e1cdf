"""Hide most labels of published data sets, and see which method finds them again.

``python -m benchmarks.accuracy`` measures what ``benchmarks/results/accuracy/*.jsonl`` lacks:
every data set of ``--data`` (see `benchmarks.data_sets`), 1.5 % and 10 % of the labels of each
type shown (three cells at least), five masks, every method; also, where there are batches, all
labels of one batch and none of the others (``--fractions 1``; mask 0 takes the largest
batch, mask 1 the next; types the batch lacks are not scored). ``python -m benchmarks.accuracy
table`` then writes the tables. It may be stopped at any time: measurements are kept one by one
and never made twice. To measure a method again, remove its file. Parts of it::

    python -m benchmarks.accuracy --only quick standard thorough   # our presets, everywhere
    python -m benchmarks.accuracy --only 'standard/kang*' --masks 0 1 --fractions 0.1
    python -m benchmarks.accuracy --only scvi-tools celltypist --python ../bench/bin/python

All methods see the same cells, in the same variable genes (chosen without labels, as the program
does), and run on ``--threads`` threads (1). Each preset is measured twice from one fit: all that
the program reports, and its network alone. scvi-tools and CellTypist live in an environment of
their own, ``--python`` being its interpreter: in that of the README,
``../bench/bin/pip install celltypist 'scikit-learn<1.8'``. scvi-tools takes its default recipe,
mask 0 only; its unsupervised part serves both fractions, its seconds counted in full for each.
"""

import argparse
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks import data_sets
from benchmarks.accuracy import records
from benchmarks.accuracy.bridge import OTHERS
from benchmarks.accuracy.cells import words
from benchmarks.accuracy.run import FRACTIONS, MASKS, Grid, run


def main() -> None:
    """Measure and print, or write the tables."""
    asked = options().parse_args()
    if asked.task == "table":
        from benchmarks.accuracy.table import write_tables

        sys.stdout.write("".join(f"{path}\n" for path in write_tables(asked.results)))
        return
    from benchmarks.accuracy.methods import NAMES, solver

    grid = Grid(
        data=data_sets.folder(),
        cache=asked.cache,
        results=asked.results,
        only=tuple(asked.only),
        fractions=tuple(asked.fractions),
        masks=tuple(asked.masks),
        threads=asked.threads,
        asked=options_of_records(asked),
    )
    for record in run(grid, {name: partial(solver, name, asked.python) for name in NAMES}):
        sys.stdout.write(
            f"{record.data_set:20} {words(record.fraction):9} {record.mask} {record.method:24} "
            f"{record.accuracy:.3f} {record.macro_f1:.3f} {record.ece:.3f} "
            f"{record.cpu_seconds:8.1f} s\n"
        )
        sys.stdout.flush()


def options_of_records(asked: argparse.Namespace) -> tuple[str, ...]:
    """Return what was asked for beside what a record's command says anyway."""
    python = asked.python if asked.python != OTHERS else None
    given = {"--data": getattr(asked, "data", None), "--python": python}
    return tuple(word for name, path in given.items() if path for word in (name, str(path)))


def options() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.accuracy",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("task", nargs="?", choices=("run", "table"), default="run")
    data_sets.add_option(parser)
    parser.add_argument("--results", type=Path, default=records.FOLDER)
    parser.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir(), "scanvi-accuracy")
    )
    parser.add_argument("--python", type=Path, default=OTHERS)
    parser.add_argument("--only", nargs="*", default=[], metavar="METHOD[/SET]")
    parser.add_argument("--fractions", nargs="*", type=float, default=FRACTIONS)
    parser.add_argument("--masks", nargs="*", type=int, default=MASKS)
    parser.add_argument("--threads", type=int, default=1)
    return parser


if __name__ == "__main__":
    main()
