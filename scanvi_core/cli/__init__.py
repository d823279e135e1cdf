"""The command line; without a command it opens the app.

Exit status 0: done, 2: bad input, 3: the disk is full, 130 or 143: stopped, 1: any other fault.
"""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from typing import NoReturn

from scanvi_core import ending, runtime
from scanvi_core.cli import annotate, check, gather, preprocess, report, serve, train
from scanvi_core.cli.log import CommandLog, command_log
from scanvi_core.cli.output import end_bar
from scanvi_core.cli.stopping import Terminated, terminable
from scanvi_core.errors import OURS, InputError, ScanviError, is_disk_full
from scanvi_core.version import __version__

DONE, FAULT, BAD_INPUT, DISK_FULL = 0, 1, 2, 3
INTERRUPTED, TERMINATED = 130, 143  # as shells tell of Ctrl-C and of SIGTERM
CLOSED = 141  # and of a program whose output nobody reads any more
COMMANDS = (annotate, check, report, serve, train, gather, preprocess)
STOPPED = "Stopped; what was not finished was removed."
logger = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = build_parser().parse_args(given or [serve.NAME])
    of_a_run = options.run is train.run  # its standard error is the log of the run
    ends_itself = of_a_run or options.run is serve.run  # in order, with status 0
    ending.take_said()  # of a command before, where this is not the first of its process
    with nullcontext() if of_a_run else command_log() as log:
        try:
            with terminable(None if ends_itself else _stopped):
                options.run(options)
        except Terminated:
            return _stopped(signal.SIGTERM)
        except KeyboardInterrupt:
            return _stopped(signal.SIGINT)
        except BrokenPipeError as error:
            return CLOSED if _is_unread() else _end(*_told(error), log)
        except Exception as error:  # noqa: BLE001  the border of the program; it is logged
            return _end(*_told(error), log)
    return DONE


def _is_unread() -> bool:
    """Tell whether who read the output went away, as ``head`` does; then nothing more is said."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        with open(os.devnull, "w") as nothing:  # noqa: PTH123  what is still to be said goes there
            os.dup2(nothing.fileno(), sys.stdout.fileno())
        return True
    return False


def _told(error: Exception) -> tuple[int, str]:
    """Log an error as it deserves; return the status it ends the command with, and a sentence."""
    said = f"{error.message} {error.hint}" if isinstance(error, ScanviError) else ""
    if isinstance(error, InputError):
        runtime.log_cause(error)
        return BAD_INPUT, said
    logger.error("The command could not be done.", exc_info=error)
    if is_disk_full(error):
        return DISK_FULL, said or "The disk is full. Free some space and try again."
    return FAULT, said or f"{OURS}."


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


def _stopped(number: int) -> int:
    return _end(TERMINATED if number == signal.SIGTERM else INTERRUPTED, STOPPED, None)


def _end(status: int, sentence: str, log: CommandLog | None) -> int:
    """Say in one line why a command ends, and where what was logged is; return its status."""
    where = f" Details are in {log.path}." if log is not None and log.path else ""
    said = " ".join([sentence, *ending.take_said()])
    end_bar()
    ending.write_line(f"error: {' '.join(said.split())}{where}")
    return status
