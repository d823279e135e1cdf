"""The command line. Exit status 0: done, 2: bad input, 1: a fault of ours."""

import argparse
import sys
import tempfile
import traceback
from collections.abc import Sequence
from typing import NoReturn

from scanvi_core import __version__
from scanvi_core.cli import annotate, check, gather, preprocess, serve, train
from scanvi_core.errors import InputError, ScanviError

DONE, FAULT, BAD_INPUT = 0, 1, 2
COMMANDS = (annotate, check, serve, train, gather, preprocess)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status."""
    options = build_parser().parse_args(arguments)
    try:
        options.run(options)
    except InputError as error:
        _say(f"{error.message} {error.hint}")
        return BAD_INPUT
    except ScanviError as error:
        return _fault(f"{error.message} {error.hint}")
    except KeyboardInterrupt:
        _say("Stopped; nothing was written.")
        return FAULT
    except Exception:  # noqa: BLE001 - the user gets one sentence, the traceback goes to a file
        return _fault("Something went wrong in the program, not in your data.")
    return DONE


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line with a hint, like all others of the program."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the command and end with the status of bad input."""
        self.exit(BAD_INPUT, f"error: {message}. See {self.prog} --help.\n")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = Parser(prog="python -m scanvi_core", description=__doc__)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return parser


def _say(sentence: str) -> None:
    print(f"error: {' '.join(sentence.split())}", file=sys.stderr)


def _fault(sentence: str) -> int:
    with tempfile.NamedTemporaryFile(
        "w", prefix="scanvi-", suffix=".log", delete=False, encoding="utf-8"
    ) as log:
        log.write(traceback.format_exc())
    _say(f"{sentence} Details are in {log.name}.")
    return FAULT
