"""The command line: annotate, check, serve. Exit 0 done, 2 bad input, 1 a fault of ours."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from scanvi_core import __version__, config, runtime
from scanvi_core.config import ModelConfig, TrainConfig
from scanvi_core.errors import InputError, ScanviError

DONE, FAULT, BAD_INPUT = 0, 1, 2
BAR_WIDTH = 30


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
    _add_annotate(commands.add_parser("annotate", help="name the unlabelled cells of an .h5ad"))
    check = commands.add_parser("check", help="tell what is in an .h5ad, without training")
    check.add_argument("source", type=Path, metavar="IN.h5ad")
    _add_answer(check)
    check.add_argument("--json", action="store_true", help="print one line of JSON")
    check.set_defaults(run=run_check)
    serve = commands.add_parser("serve", help="open the app in the browser")
    serve.add_argument("--example", action="store_true", help="open the built-in example at once")
    serve.add_argument("streamlit", nargs="*", help="options for streamlit run, after --")
    serve.set_defaults(run=run_serve)
    return parser


def _add_answer(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--answer", action="append", type=_answer, default=[], metavar="KEY=VALUE",
        help="answer to a question about the file, such as orientation=cells-in-rows")  # fmt: skip


def _answer(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not sign:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return key, value


def _add_annotate(parser: argparse.ArgumentParser) -> None:
    model, train = ModelConfig(), TrainConfig()
    add = parser.add_argument
    add("source", type=Path, metavar="IN.h5ad")
    add("-o", "--output", type=Path, required=True, metavar="OUT.h5ad")
    add("--labels-key", required=True, metavar="KEY", help="obs column with the known types")
    add("--unlabeled-category", action="append", default=[], metavar="NAME",
        help="a value of that column that means unlabelled; may be repeated")  # fmt: skip
    add("--batch-key", metavar="KEY", help="obs column that tells batches apart")
    add("--layer", metavar="NAME", help="matrix with the counts: a layer, X or raw.X")
    add("--dispersion", choices=config.DISPERSIONS, default=model.dispersion)
    add("--gene-likelihood", choices=config.LIKELIHOODS, default=model.gene_likelihood)
    add("--preset", choices=config.PRESETS, default=train.preset)
    add("--max-epochs", type=int, metavar="N", help="passes over the cells; the preset decides")
    add("--seed", type=int, default=train.seed, metavar="N")
    _add_answer(parser)
    add("--json", action="store_true", help="print the summary as one line of JSON")
    parser.set_defaults(run=run_annotate)


def run_annotate(options: argparse.Namespace) -> None:
    """Annotate a file and print the summary."""
    from scanvi_core.services.annotate import AnnotateRequest, annotate
    from scanvi_core.services.training import TrainRequest

    training = TrainRequest(
        ModelConfig(dispersion=options.dispersion, gene_likelihood=options.gene_likelihood),
        TrainConfig(preset=options.preset, max_epochs=options.max_epochs, seed=options.seed),
    )
    request = AnnotateRequest(
        options.source, options.output, options.labels_key, tuple(options.unlabeled_category),
        options.batch_key, options.layer, training, dict(options.answer),
    )  # fmt: skip
    summary = annotate(request, _bar if sys.stderr.isatty() else _quiet)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    _print(summary, as_json=options.json)


def run_check(options: argparse.Namespace) -> None:
    """Print what is in a file."""
    from scanvi_core.data.intake import inspect_file

    _print(inspect_file(options.source, answers=dict(options.answer)), as_json=options.json)


def run_serve(options: argparse.Namespace) -> None:
    """Start the app of this checkout."""
    app = Path(__file__).resolve().parents[1] / "app.py"
    if not app.is_file():
        raise InputError(
            f"The app is not installed beside the library ({app} is missing).",
            "Run this command from a clone of the project.",
        )
    command = [sys.executable, "-m", "streamlit", "run", str(app), *options.streamlit]
    environment = os.environ | ({runtime.EXAMPLE_VARIABLE: "1"} if options.example else {})
    status = subprocess.call(command, cwd=app.parent, env=environment)  # noqa: S603 - our own command
    if status > 0:
        raise ScanviError(f"The app ended with status {status}.")


def _print(summary: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(summary))
        return
    for name, value in summary.items():
        print(f"{name}: {_lines(value)}")


def _lines(value: Any) -> str:
    if isinstance(value, list):
        return "".join(f"\n  - {item}" for item in value) or "none"
    if isinstance(value, dict):
        return "".join(f"\n  {key}: {item}" for key, item in value.items())
    return str(value)


def _bar(fraction: float, message: str) -> None:
    filled = round(fraction * BAR_WIDTH)
    bar = "#" * filled + "." * (BAR_WIDTH - filled)
    print(f"\r[{bar}] {fraction:4.0%} {message[:40]:<40}", end="", file=sys.stderr, flush=True)


def _quiet(_fraction: float, _message: str) -> None:
    """Show nothing where no person watches."""


def _say(sentence: str) -> None:
    print(f"error: {' '.join(sentence.split())}", file=sys.stderr)


def _fault(sentence: str) -> int:
    with tempfile.NamedTemporaryFile(
        "w", prefix="scanvi-", suffix=".log", delete=False, encoding="utf-8"
    ) as log:
        log.write(traceback.format_exc())
    _say(f"{sentence} Details are in {log.name}.")
    return FAULT
