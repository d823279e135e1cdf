"""``check``: tell what is in a file."""

import argparse
from pathlib import Path
from typing import Any

from scanvi_core.cli.answer import add_answer
from scanvi_core.cli.output import print_summary


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("check", help="tell what is in an .h5ad, without training")
    parser.add_argument("source", type=Path, metavar="IN.h5ad")
    add_answer(parser)
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print what is in a file."""
    from scanvi_core.data.intake.import_file import inspect_file
    from scanvi_core.services.annotate.command import check_asked

    answers = dict(options.answer)
    report = inspect_file(options.source, answers=answers)
    check_asked(report.get("asked", []), answers)
    print_summary(report, as_json=options.json)
