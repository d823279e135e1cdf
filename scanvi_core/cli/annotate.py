"""``annotate``: name the unlabeled cells of a file."""

import argparse
from pathlib import Path
from typing import Any

from scanvi_core import config
from scanvi_core.cli.answer import add_answer
from scanvi_core.cli.output import end_bar, print_summary, report
from scanvi_core.config import ModelConfig, TrainConfig


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("annotate", help="name the unlabeled cells of one or more files")
    model, train = ModelConfig(), TrainConfig()
    add = parser.add_argument
    add("sources", type=Path, nargs="+", metavar="IN.h5ad",
        help="several are joined by the genes they share and annotated together")  # fmt: skip
    add("-o", "--output", type=Path, required=True, metavar="OUT",
        help="the new file; a folder for several files")  # fmt: skip
    add("--reference", type=Path, action="append", default=[], metavar="REF.h5ad",
        help="a file with labels to learn from; it is not written; may be repeated")  # fmt: skip
    add("--labels-key", metavar="KEY", help="obs column with the known types")
    add("--pack", type=Path, metavar="PACK.zip",
        help="name the cells by the annotation of other data, without training")  # fmt: skip
    add("--unlabeled-category", action="append", default=[], metavar="NAME",
        help="a value of that column that means unlabeled; may be repeated")  # fmt: skip
    add("--batch-key", metavar="KEY", help="obs column that tells batches apart")
    add("--layer", metavar="NAME", help="matrix with the counts: a layer, X or raw.X")
    add("--dispersion", choices=config.DISPERSIONS, default=model.dispersion)
    add("--gene-likelihood", choices=config.LIKELIHOODS, default=model.gene_likelihood)
    add("--preset", choices=config.PRESETS, default=train.preset)
    add("--max-epochs", type=int, metavar="N", help="passes over the cells; the preset decides")
    add("--seed", type=int, default=train.seed, metavar="N")
    add_answer(parser)
    maps = parser.add_mutually_exclusive_group()
    maps.add_argument("--no-maps", action="store_true", help="draw no map of the cells")
    maps.add_argument("--both-maps", action="store_true",
        help="also draw the map of the states without the type (z2)")  # fmt: skip
    add("--resume", action="store_true",
        help="go on from what was trained before this command was stopped")  # fmt: skip
    add("--no-table", action="store_true", help="write no table of labels (CSV) beside the file")
    add("--no-name", action="store_true",
        help="keep your name (SCANVI_USER or the account's) out of the history")  # fmt: skip
    add("--json", action="store_true", help="print the summary as one line of JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Annotate a file and print the summary."""
    from scanvi_core.services.annotate.command import annotate
    from scanvi_core.services.annotate.request import AnnotateRequest
    from scanvi_core.services.runs.train_request import TrainRequest

    training = TrainRequest(
        ModelConfig(dispersion=options.dispersion, gene_likelihood=options.gene_likelihood),
        TrainConfig(preset=options.preset, max_epochs=options.max_epochs, seed=options.seed),
    )
    request = AnnotateRequest(
        tuple(options.sources), options.output, options.labels_key,
        tuple(options.unlabeled_category), options.batch_key, options.layer, training,
        dict(options.answer), tuple(options.reference), options.pack,
        with_table=not options.no_table, with_name=not options.no_name,
        maps=_maps(options), resume=options.resume,
    )  # fmt: skip
    summary = annotate(request, report)
    end_bar()
    print_summary(summary, as_json=options.json)


def _maps(options: argparse.Namespace) -> tuple[str, ...]:
    from scanvi_core.services.runs.results import MAPS, Z1

    if options.no_maps:
        return ()
    return tuple(MAPS) if options.both_maps else (Z1,)
