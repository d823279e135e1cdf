"""Tell of the data sets, fetch or convert one: ``python -m benchmarks.data_sets``."""

import argparse
import sys
from pathlib import Path

from benchmarks.data_sets import SETS, Source, add_option, folder
from benchmarks.data_sets.content import digest
from benchmarks.data_sets.conversion import convert, fetch

SAME, OTHER, MISSING = "there, as it was measured", "there, but with other content", "missing"


def main() -> int:
    """Do what was asked, and tell which sets are there; return 0 when all are, as measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.data_sets", description=__doc__)
    add_option(parser)
    parser.add_argument(
        "--convert", nargs="+", metavar=("NAME", "FILE"),
        help="write NAME.h5ad of what its authors published; the set of scanpy needs no file",
    )  # fmt: skip
    parser.add_argument("--fetch", metavar="NAME", choices=SETS,
                        help="download its files, and write NAME.h5ad of them")  # fmt: skip
    asked = parser.parse_args()
    name, files = "", list[Path]()
    if asked.fetch:
        name = asked.fetch
        files = fetch(name, folder() / "published") if SETS[name].files else []
    elif asked.convert:
        name, *rest = asked.convert
        files = [Path(each) for each in rest]
    if name:
        if name not in SETS:
            parser.error(f"{name} is none of {', '.join(SETS)}")
        sys.stdout.write(f"{convert(name, files)}\n")
    states = {each: _state(folder() / f"{each}.h5ad", source) for each, source in SETS.items()}
    for each, source in SETS.items():
        sys.stdout.write(f"{each}: {states[each]}\n  {source.place}\n  doi:{source.paper}; ")
        sys.stdout.write(f"{source.note}\n")
    return 0 if set(states.values()) == {SAME} else 1


def _state(file: Path, source: Source) -> str:
    if not file.is_file():
        return MISSING
    return SAME if digest(file) == source.digest else OTHER


if __name__ == "__main__":
    sys.exit(main())
