"""``preprocess``: quality, variable genes and components of data larger than memory."""

import argparse
from pathlib import Path
from typing import Any

from scanvi_core.cli.output import end_bar, print_summary, report
from scanvi_core.config import TrainConfig
from scanvi_core.runtime import worker_threads


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "preprocess", help="quality, variable genes and PCA of data that do not fit into memory"
    )
    add = parser.add_argument
    add("sources", type=Path, nargs="+", metavar="SOURCE",
        help=".h5ad or .zarr files, collections of them, or a project's dataset")  # fmt: skip
    add("-o", "--output", type=Path, required=True, metavar="OUT", help="folder for results")
    add("--batch-key", metavar="KEY", help="obs column within which genes are ranked")
    add("--layer", metavar="NAME", help="matrix with the counts: a layer, X or raw.X")
    add("--n-top-genes", type=int, default=TrainConfig().n_top_genes, metavar="N")
    who = parser.add_mutually_exclusive_group()
    who.add_argument(
        "--workers", type=int, default=worker_threads(), metavar="N", help="threads used here"
    )
    who.add_argument("--scheduler", metavar="ADDRESS", help="a Dask cluster: tcp://host:8786")
    add("--json", action="store_true", help="print the summary as one line of JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Preprocess and print the summary."""
    from scanvi_core.services.atlas.preprocess import PreprocessRequest, Workers, preprocess

    request = PreprocessRequest(
        tuple(options.sources), options.output, options.batch_key, options.layer,
        options.n_top_genes,
    )  # fmt: skip
    summary = preprocess(request, Workers(options.workers, options.scheduler), report)
    end_bar()
    if not options.json:
        del summary["variance_ratio"]  # many numbers, for programs
    print_summary(summary, as_json=options.json)
