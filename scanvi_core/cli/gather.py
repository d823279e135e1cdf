"""``gather``: many files into one store that training reads from the disk."""

import argparse
from pathlib import Path
from typing import Any

from scanvi_core.cli.output import end_bar, print_summary, report


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("gather", help="put the cells of many files into one store")
    parser.add_argument("store", type=Path, metavar="STORE.zarr", help="the new store")
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="in this order")
    parser.add_argument("--layer", help="matrix with the counts, as in `annotate`")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Make the store and say what is in it."""
    from scanvi_core.services.atlas.gather import gather

    try:
        summary = gather(options.store, options.files, matrix=options.layer, report=report)
    finally:
        end_bar()
    print_summary(summary, as_json=options.json)
