"""Copy the counts of a file that was read into the data set folder, a block of rows at a time."""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from scanvi_core.data.anndata_files.gene_names import on_mitochondrion
from scanvi_core.data.anndata_files.h5ad import Content, Pending
from scanvi_core.data.anndata_files.hdf5_file import opened
from scanvi_core.data.blocks.hdf5 import find_matrices
from scanvi_core.data.blocks.progress import COPYING, FINISHING, TURNING, watched
from scanvi_core.data.blocks.write import write_by_gene, write_csr
from scanvi_core.data.counts.convert import CountsConverter, converted_blocks
from scanvi_core.data.dataset import write_rest
from scanvi_core.data.guard.hdf5 import check_structure
from scanvi_core.data.qc.metrics import Meter, Quality
from scanvi_core.errors import FileRefused
from scanvi_core.plurals import count


def store(folder: Path, content: Content) -> dict[str, Any]:
    """Write a data set folder from what was read and its counts; return its whole manifest.

    What is held of the counts is one block of rows, whatever their number; only those of a matrix
    stored by columns are held in memory. The manifest is written last, so a folder that was
    interrupted cannot be opened.

    Parameters
    ----------
    folder
        A new folder; must not exist.
    content
        What :func:`scanvi_core.data.anndata_files.h5ad.read_file` returned for `whole`.

    Raises
    ------
    InputError
        If counts cannot be recovered after all, or the file changed meanwhile.
    ValueError
        If the counts were not asked for.
    """
    if content.pending is None or content.symbols is None:
        raise ValueError("read without counts")
    folder.mkdir(parents=True)
    try:
        names = content.var.index.to_numpy()
        meter = Meter(len(content.obs), content.symbols, names, on_mitochondrion(content.var))
        manifest = _copy(folder, content, content.pending, meter)
        quality = meter.finish()
        manifest["repairs"] += _about_empty(quality)
        write_by_gene(folder, content.pending.report.shape, tell=TURNING.tell)
        FINISHING.tell(0)
        return write_rest(folder, (content.obs, content.var), content.obsm, quality, manifest)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _copy(folder: Path, content: Content, pending: Pending, meter: Meter) -> dict[str, Any]:
    """Copy the counts by row and measure them; return the manifest with what they show."""
    converter = CountsConverter(
        pending.report, content.obs, content.var.index.to_numpy(dtype=object)
    )
    with opened(pending.path) as (file, facts):
        if facts != pending.facts:
            raise FileRefused(
                f"{pending.path.name} was changed while it was read.",
                "Open it again once it is written to its end.",
            )
        check_structure(file, pending.memory_mb * 1e6)
        sources, _ = find_matrices(file, *pending.shape)
        source = next(matrix for matrix in sources if matrix.name == pending.report.name)
        source = source.only(pending.keep)
        digest, full_disk = _sha256(pending.path), None
        try:
            write_csr(
                _measured(converted_blocks(watched(source, COPYING), converter), meter), folder
            )
        except OSError as error:  # here it would be taken for one of the file that is read
            full_disk = error
    if full_disk is not None:
        raise full_disk
    notes, recovery = converter.finish()
    manifest = dict(content.manifest)
    earlier = list(manifest["repairs"])
    at = len(earlier) - pending.n_notes  # behind the notices about another kind of file
    manifest["repairs"] = [*earlier[:at], *notes, *earlier[at:]]
    manifest["recovery"] = recovery
    manifest["source"] = manifest["source"] | {"sha256": digest}
    return manifest


def _measured(blocks: Iterator[sp.csr_matrix], meter: Meter) -> Iterator[sp.csr_matrix]:
    for block in blocks:
        meter.add(block)
        yield block


def _about_empty(quality: Quality) -> list[str]:
    n = int(np.count_nonzero(quality.totals == 0))
    if not n:
        return []
    have, are, get = ("has", "it is", "gets") if n == 1 else ("have", "they are", "get")
    sentence = (
        f"{count(n, 'cell')} {have} no counts: {are} kept, but not trained on and {get} no "
        "prediction."
    )
    return [sentence]


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
