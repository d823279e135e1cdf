"""The command line; without a command it opens the app.

Exit status 0: done, 2: bad input, 1: a fault of ours.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from typing import NoReturn

from scanvi_core import runtime
from scanvi_core.cli import annotate, check, gather, preprocess, report, serve, train
from scanvi_core.cli.log import CommandLog, command_log
from scanvi_core.errors import OURS, InputError, ScanviError
from scanvi_core.version import __version__

DONE, FAULT, BAD_INPUT = 0, 1, 2
COMMANDS = (annotate, check, report, serve, train, gather, preprocess)
logger = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = build_parser().parse_args(given or [serve.NAME])
    of_a_run = options.run is train.run  # its standard error is the log of the run
    with nullcontext() if of_a_run else command_log() as log:
        try:
            options.run(options)
        except InputError as error:
            runtime.log_cause(error)
            return _end(BAD_INPUT, f"{error.message} {error.hint}", log)
        except ScanviError as error:
            logger.exception("The command could not be done.")
            return _end(FAULT, f"{error.message} {error.hint}", log)
        except KeyboardInterrupt:
            return _end(FAULT, "Stopped; nothing was written.", None)
        except Exception:
            logger.exception("A fault of the program.")
            return _end(FAULT, f"{OURS}.", log)
    return DONE


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line with a hint, like all others of the program."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the command and end with the status of bad input."""
        self.exit(BAD_INPUT, f"error: {message}. See {self.prog} --help.\n")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = Parser(prog="scanvi", description=__doc__)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return parser


def _end(status: int, sentence: str, log: CommandLog | None) -> int:
    """Say in one line why a command ends, and where what was logged is; return its status."""
    where = f" Details are in {log.path}." if log is not None and log.path else ""
    print(f"error: {' '.join(sentence.split())}{where}", file=sys.stderr)
    return status
