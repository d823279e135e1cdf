"""The published data sets that benchmarks measure on: where each is from, whether it is here.

The project does not carry them. They are ``NAME.h5ad`` files in one folder: that of ``--data``,
else of the variable ``SCANVI_BENCHMARK_DATA``, else ``../shared/data``. Every file holds whole
counts in ``X`` (CSR), the authors' labels in ``obs["cell_type"]``, and ``obs["batch"]`` where
`SETS` says so.

``python -m benchmarks.data_sets`` tells of each whether it is there and is the one that was
measured; ``--convert NAME FILE ...`` makes it of the files that `SETS` names, ``--fetch NAME``
downloads them before. See :mod:`.conversion`.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VARIABLE = "SCANVI_BENCHMARK_DATA"
DEFAULT = Path(__file__).parents[3] / "shared" / "data"
TABLES = {  # of scmixology, and what their batch is called
    "sc_celseq2": "celseq2_3cl", "sc_dropseq": "dropseq_3cl",
    "sc_celseq2_5cl_p1": "celseq2_5cl_p1", "sc_celseq2_5cl_p2": "celseq2_5cl_p2",
    "sc_celseq2_5cl_p3": "celseq2_5cl_p3",
}  # fmt: skip
PARTS = ("count", "metadata")  # a table of each


@dataclass(frozen=True, slots=True)
class Source:
    """Where a data set is from.

    Attributes
    ----------
    paper
        DOI of the paper with the data and the labels.
    repository, commit, files
        On GitHub, and the paths of the files in it; empty where a package has them.
    note
        What of it was taken.
    digest
        Of its content, see :mod:`.content`.
    """

    paper: str
    repository: str
    commit: str
    files: tuple[str, ...]
    note: str
    digest: str

    @property
    def place(self) -> str:
        """Where its files are, in one line."""
        if not self.files:
            return "the package scanpy: scanpy.datasets.pbmc68k_reduced"
        return f"{self.repository}@{self.commit}: {', '.join(self.files)}"


SETS = {
    "kang_ifnb_2800": Source(
        "10.1038/nbt.4042",
        "chthub/rDeepmaps",
        "2d0baac86ccb806a52834062287fd1d6cfbc09cd",
        ("data/ifnb_2800.rda",),
        "blood, control and interferon; seurat_annotations as cell_type, stim as batch",
        "087187bf883b2e9eb7f2aeafc26e6cde0c477b4bc6719404ff3165407eaa7eca",
    ),
    "onek1k_40donors": Source(
        "10.1126/science.abf3041",
        "chrisycd/scDesignPop",
        "e05f1f9c873d413d70efd12d065e6cc53eded081",
        ("data/example_sce.rda",),
        "blood of 40 donors, who are the batches; 1,000 genes",
        "da87cc6593e0600fdc5a0a46cbff764ce3442d51696a17f865db9e911ce65a86",
    ),
    "pancreas_endo_1k": Source(
        "10.1242/dev.173849",
        "ewowiredu/SCP",
        "d9121f85a2f1aae1e6dcd946f3cc7d35ddd885cc",
        ("data/pancreas1k.rda",),
        "mouse pancreas, day 15.5, spliced counts",
        "9247d7bb4247d71d5fb3fe94167ba6940ee9af6586399233ae3e5887d142cc86",
    ),
    "pbmc68k_reduced_counts": Source(
        "10.1038/ncomms14049",
        "",
        "",
        (),
        "blood, in the package scanpy; counts worked out of raw.X and n_counts; number behind the "
        "barcode as batch",
        "a065f66e343883bed026d40f51616855b2c67c7838f82c32df9f2f30ac8e3f18",
    ),
    "scmixology": Source(
        "10.1038/s41592-019-0425-8",
        "LuyiTian/sc_mixology",
        "7d00ffb0bd043467f365a9358d7312f294f13c9f",
        tuple(f"data/csv/{table}.{what}.csv.gz" for table in TABLES for what in PARTS),
        "cell lines, labels by genotype; protocol and plate as batch, genes that all have",
        "27897f177f6cdd8c2fe7d02c5811e3ccf9a89c409b3b54b069c8ce7a5d20b14a",
    ),
    "tms_liver": Source(
        "10.1038/s41586-020-2496-1",
        "cran/scDiffCom",
        "3927864bfea72778e711605fe58c1ab59c7ba573",
        ("data/seurat_sample_tms_liver.rda",),
        "mouse liver, Smart-seq2 reads; plate as batch, 726 genes",
        "142c0a89aba86a2921ea3eb108df2192960a8e808caed0ac8c45e558f299f9e5",
    ),
    "zheng_facs_pbmc": Source(
        "10.1038/ncomms14049",
        "stephenslab/fastTopics",
        "8406f5f4de379e7ff8b43ecfee93cca42a8e7a57",
        ("data/pbmc_facs.RData",),
        "blood, sorted: the population is the label; no batches",
        "e7c49de1b602879e3f2ef37d4cddcb79af7e21cd28e7bad4526b7e28d9489bdc",
    ),
}


def add_option(parser: argparse.ArgumentParser) -> None:
    """Let a benchmark take ``--data``; processes that it starts read the same folder."""
    parser.add_argument(
        "--data", type=Path, action=_Remember, default=argparse.SUPPRESS, metavar="FOLDER",
        help=f"where the data sets are; else ${VARIABLE}, else {DEFAULT}",
    )  # fmt: skip


class _Remember(argparse.Action):
    def __call__(self, _parser: Any, namespace: Any, values: Any, _option: Any = None) -> None:
        os.environ[VARIABLE] = str(values)
        namespace.data = values


def folder() -> Path:
    """Return the folder of the data sets, whether it is there or not."""
    return Path(os.environ.get(VARIABLE) or DEFAULT)


def paths(names: Sequence[str] = tuple(SETS)) -> list[Path]:
    """Return the files of some data sets; end the program with a sentence where one is not there.

    A table of fewer sets than were asked for is no result, and nothing is written over one.

    Raises
    ------
    SystemExit
        If a file is missing; the exit status is 1.
    """
    found = {name: folder() / f"{name}.h5ad" for name in names}
    missing = [name for name, path in found.items() if not path.is_file()]
    if missing:
        sys.exit(
            f"{folder()} has no {', '.join(f'{name}.h5ad' for name in missing)}. Name the folder "
            f"with --data or {VARIABLE}; `python -m benchmarks.data_sets` tells where they are "
            "from."
        )
    return list(found.values())


def path(name: str) -> Path:
    """Return the file of one data set, as `paths` does."""
    return paths([name])[0]
