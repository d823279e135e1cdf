"""The published data sets that benchmarks measure on: where each is from, whether it is here.

The project does not carry them. They are ``NAME.h5ad`` files in one folder: that of ``--data``,
else of the variable ``SCANVI_BENCHMARK_DATA``, else ``../shared/data``. Every file holds whole
counts in ``X`` (CSR), the authors' labels in ``obs["cell_type"]``, and ``obs["batch"]`` where
`SETS` says so.

``python -m benchmarks.data_sets`` tells of each whether it is there and is the one that was
measured, by the SHA-256 of its content (`digest`), however the file was written; it ends with 1
where one is not. ``--make`` writes the set that scanpy ships. The others were saved as .h5ad from
objects of R and tables of text in the repositories that `SETS` names; no program of this project
does that, and the digest tells whether what you saved is the same.
"""

import argparse
import hashlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

VARIABLE = "SCANVI_BENCHMARK_DATA"
DEFAULT = Path(__file__).parents[2] / "shared" / "data"
COLUMNS = ("cell_type", "batch")
FROM_SCANPY = "pbmc68k_reduced_counts"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a data set is from.

    Attributes
    ----------
    paper
        DOI of the paper with the data and the labels.
    file
        Repository on GitHub, its commit, and the path of the file in it.
    note
        What of it was taken.
    digest
        Of its content, see `digest`.
    """

    paper: str
    file: str
    note: str
    digest: str


SETS = {
    "kang_ifnb_2800": Source(
        "10.1038/nbt.4042",
        "chthub/rDeepmaps@2d0baac86ccb806a52834062287fd1d6cfbc09cd: data/ifnb_2800.rda",
        "blood, control and interferon; seurat_annotations as cell_type, stim as batch",
        "087187bf883b2e9eb7f2aeafc26e6cde0c477b4bc6719404ff3165407eaa7eca",
    ),
    "onek1k_40donors": Source(
        "10.1126/science.abf3041",
        "chrisycd/scDesignPop@e05f1f9c873d413d70efd12d065e6cc53eded081: data/example_sce.rda",
        "blood of 40 donors, who are the batches; 1,000 genes",
        "da87cc6593e0600fdc5a0a46cbff764ce3442d51696a17f865db9e911ce65a86",
    ),
    "pancreas_endo_1k": Source(
        "10.1242/dev.173849",
        "ewowiredu/SCP@d9121f85a2f1aae1e6dcd946f3cc7d35ddd885cc: data/pancreas1k.rda",
        "mouse pancreas, day 15.5, spliced counts",
        "9247d7bb4247d71d5fb3fe94167ba6940ee9af6586399233ae3e5887d142cc86",
    ),
    "pbmc68k_reduced_counts": Source(
        "10.1038/ncomms14049",
        "scanpy, in the package: scanpy.datasets.pbmc68k_reduced",
        "blood; counts worked out of raw.X and n_counts; the number behind the barcode as batch",
        "a065f66e343883bed026d40f51616855b2c67c7838f82c32df9f2f30ac8e3f18",
    ),
    "scmixology": Source(
        "10.1038/s41592-019-0425-8",
        "LuyiTian/sc_mixology@7d00ffb0bd043467f365a9358d7312f294f13c9f: data/csv/"
        "sc_{celseq2,dropseq,celseq2_5cl_p1,_p2,_p3}.{count,metadata}.csv.gz",
        "cell lines, labels by genotype; protocol and plate as batch, genes that all have",
        "27897f177f6cdd8c2fe7d02c5811e3ccf9a89c409b3b54b069c8ce7a5d20b14a",
    ),
    "tms_liver": Source(
        "10.1038/s41586-020-2496-1",
        "cran/scDiffCom@3927864bfea72778e711605fe58c1ab59c7ba573: "
        "data/seurat_sample_tms_liver.rda",
        "mouse liver, Smart-seq2 reads; plate as batch, 726 genes",
        "142c0a89aba86a2921ea3eb108df2192960a8e808caed0ac8c45e558f299f9e5",
    ),
    "zheng_facs_pbmc": Source(
        "10.1038/ncomms14049",
        "stephenslab/fastTopics@8406f5f4de379e7ff8b43ecfee93cca42a8e7a57: data/pbmc_facs.RData",
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


def digest(file: Path) -> str:
    """Return the SHA-256 of counts, names, labels and batches, however they are stored."""
    import anndata

    data = anndata.read_h5ad(file)
    counts = sparse.csr_matrix(data.X, dtype=np.float64)
    counts.sum_duplicates()
    counts.eliminate_zeros()
    found = hashlib.sha256(str(counts.shape).encode())
    for values, kind in ((counts.indptr, "<i8"), (counts.indices, "<i8"), (counts.data, "<f8")):
        found.update(np.ascontiguousarray(values, dtype=kind).tobytes())
    known = [data.obs[name].astype(str) for name in COLUMNS if name in data.obs]
    for texts in (data.obs_names, data.var_names, *known):
        found.update("\n".join(map(str, texts)).encode())
    return found.hexdigest()


def make() -> Path:
    """Write the data set that scanpy ships: its logs, taken back to counts."""
    import anndata
    import scanpy

    whole = scanpy.datasets.pbmc68k_reduced()
    logs, totals = whole.raw.X.toarray().astype(float), whole.obs["n_counts"].to_numpy()
    counts = np.rint(np.expm1(logs) * totals[:, None] / 1e4)
    obs = whole.obs[["bulk_labels"]].set_axis(["cell_type"], axis=1)
    obs["batch"] = [f"gem_{name.rpartition('-')[2]}" for name in whole.obs_names]
    target = folder() / f"{FROM_SCANPY}.h5ad"
    target.parent.mkdir(parents=True, exist_ok=True)
    made = anndata.AnnData(sparse.csr_matrix(counts, dtype=np.float32), obs, whole.raw.var[[]])
    made.write_h5ad(target)
    return target


def main() -> int:
    """Tell which data sets are there; return 0 when all are, as they were measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_option(parser)
    parser.add_argument("--make", action="store_true", help=f"write {FROM_SCANPY}.h5ad")
    if parser.parse_args().make:
        sys.stdout.write(f"{make()}\n")
    states = {name: _state(folder() / f"{name}.h5ad", source) for name, source in SETS.items()}
    for name, source in SETS.items():
        sys.stdout.write(f"{name}: {states[name]}\n  {source.file}\n  doi:{source.paper}; ")
        sys.stdout.write(f"{source.note}\n")
    return 0 if set(states.values()) == {SAME} else 1


SAME, OTHER, MISSING = "there, as it was measured", "there, but with other content", "missing"


def _state(file: Path, source: Source) -> str:
    if not file.is_file():
        return MISSING
    return SAME if digest(file) == source.digest else OTHER


if __name__ == "__main__":
    sys.exit(main())
