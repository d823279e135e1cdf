"""The option that answers questions about a file."""

import argparse


def add_answer(parser: argparse.ArgumentParser) -> None:
    """Let a command take answers, such as ``--answer orientation=cells-in-rows``."""
    parser.add_argument("--answer", action="append", type=_answer, default=[], metavar="KEY=VALUE",
        help="answer to a question about the file, such as orientation=cells-in-rows")  # fmt: skip


def _answer(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not sign:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return key, value
