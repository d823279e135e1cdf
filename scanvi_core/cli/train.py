"""``train``: train a run that the Train page prepared, alone or with others under torchrun."""

import argparse
from pathlib import Path
from typing import Any

from scanvi_core.cli.output import end_bar, report


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "train",
        help="train a prepared run; several processes: torchrun ... -m scanvi_core train RUN",
    )
    parser.add_argument("folder", type=Path, metavar="RUN", help="such as PROJECT/runs/0001")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Take part in the training."""
    from scanvi_core.services.training.worker import take_part

    try:
        take_part(options.folder, report)
    finally:
        end_bar()
