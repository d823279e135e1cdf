"""Damage files of a project and use it all the same; ``python -m tests.services.use_project``.

A process of its own: what the damage could do to it is what the test is about. For each case it
writes one line of JSON: what every use of the project ended in.
"""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from scanvi_core.annotation.layout import embedding
from scanvi_core.annotation.model import annotator, linear_models
from scanvi_core.config import ModelConfig, TrainConfig
from scanvi_core.errors import ScanviError
from scanvi_core.project.folder import create_project, open_project
from scanvi_core.services import failures, jobs
from scanvi_core.services.diagnostics import holdout_report, uncertainty
from scanvi_core.services.explore import colors, maps
from scanvi_core.services.export import write
from scanvi_core.services.labels import from_project
from scanvi_core.services.projects import data_report, library, status
from scanvi_core.services.quality import flags
from scanvi_core.services.runs import model_list, results
from scanvi_core.services.runs.train_request import TrainRequest
from scanvi_core.services.training import start
from scanvi_core.services.workspace import workspace
from tests.children import forked
from tests.services.packed import array

FINE, OURS = "fine", failures.OURS
HUGE = 2**31 - 1
SMALL = TrainRequest(
    ModelConfig(n_hidden=32, n_latent=8), TrainConfig(max_epochs=1, n_top_genes=40, device="cpu")
)
WARM = TrainRequest(SMALL.model, SMALL.train, warm=True)


def one(at: Any, value: Any) -> Callable[[bytes], bytes]:
    """Return the change of one value of an array."""
    return array(lambda values: values.__setitem__(at, value))


def half(content: bytes) -> bytes:
    """Cut a file off."""
    return content[: len(content) // 2]


def flipped(content: bytes) -> bytes:
    """Flip a bit in every hundredth byte behind the head."""
    changed = bytearray(content)
    for at in range(150, len(changed), 100):
        changed[at] ^= 16
    return bytes(changed)


CASES: dict[str, tuple[str, Callable[[bytes], bytes | None]]] = {
    "positions far": ("dataset/counts_indices.npy", array(lambda v: v + 10**8)),
    "one position far": ("dataset/counts_indices.npy", one(7, HUGE)),
    "one position below": ("dataset/counts_indices.npy", one(7, -HUGE)),
    "pointers far": ("dataset/counts_indptr.npy", one(50, HUGE)),
    "pointers shrink": ("dataset/counts_indptr.npy", one(50, 0)),
    "positions cut off": ("dataset/counts_indices.npy", half),
    "values cut off": ("dataset/counts_data.npy", half),
    "values gone": ("dataset/counts_data.npy", lambda _: None),
    "cells of genes far": ("dataset/by_gene_indices.npy", array(lambda v: v + 10**8)),
    "cells of genes below": ("dataset/by_gene_indices.npy", array(lambda v: v - 10**8)),
    "genes cut off": ("dataset/by_gene_data.npy", half),
    "genes shrink": ("dataset/by_gene_indptr.npy", one(20, HUGE)),
    "totals": ("dataset/totals.npy", half),
    "table": ("dataset/obs.parquet", flipped),
    "genes' table": ("dataset/var.parquet", half),
    "manifest": ("dataset/manifest.json", lambda _: b'{"format": 1}'),
    "embedding": ("dataset/obsm_0.npy", array(lambda v: v[:5])),
    "types": ("runs/0002/y.npy", one(3, HUGE)),
    "batches": ("runs/0002/batch_index.npy", one(3, HUGE)),
    "probabilities": ("runs/0002/probabilities.npy", half),
    "latent": ("runs/0002/z1.npy", array(lambda v: v[:, :2])),
    "map": ("runs/0002/umap_z1.npy", array(lambda v: v[:9])),
    "weights": ("runs/0002/model/model.safetensors", flipped),
    "record": ("runs/0002/run.json", lambda _: b'{"settings": {"label_order": 3}}'),
    "clusters": ("derived/clusters-", one(3, HUGE)),
    "doublets": ("derived/doublets-", half),
}


OPEN_CASES = (  # those in which something is held that was read before
    "positions far", "positions cut off", "values cut off", "values gone", "cells of genes far",
    "genes cut off", "totals", "manifest", "probabilities", "latent", "weights",
)  # fmt: skip


def steps(project: str, target: Path) -> dict[str, Callable[[], Any]]:
    """Return what people do with a project, page by page, and the jobs behind the pages."""
    run = start.start
    return {
        "overview": lambda: status.of(project),
        "check": lambda: (
            data_report.report(workspace(project)),
            data_report.batch_table(workspace(project), "batch"),
        ),
        "flags": lambda: flags.flags(
            workspace(project), workspace(project).batches(workspace(project).batch_key)
        ),
        "gene": lambda: colors.gene_coloring(
            workspace(project), colors.gene_names(workspace(project))[3]
        ),
        "maps": lambda: [
            maps.coordinates(workspace(project), m) for m in maps.embeddings(workspace(project))
        ],
        "colors": lambda: [
            colors.coloring(workspace(project), item)
            for item in colors.color_options(workspace(project))
        ],
        "results": lambda: results.current(workspace(project)),
        "doubt": lambda: uncertainty.reasons(workspace(project)),
        "evaluate": lambda: holdout_report.report(workspace(project)),
        "models": lambda: model_list.models(workspace(project)),
        "cells": lambda: from_project.cell_hashes(workspace(project).dataset),
        "export": lambda: write.write(
            workspace(project), write.ExportChoice(with_counts=True), target
        ),
        "packing": lambda: library.save(project),
        "copy": lambda: library.duplicate(project),
        "retraining": lambda: jobs.wait(run(workspace(project), WARM), 300).error,  # from run 0002
        "training": lambda: jobs.wait(run(workspace(project), SMALL), 300).error,
    }


def outcome(step: Callable[[], Any]) -> str:
    """Return the sentence that a step ended in, `FINE` without any."""
    try:
        said = step()
    except ScanviError as error:
        return error.message
    except Exception as error:  # noqa: BLE001  to be told to the test
        return f"{OURS}: {type(error).__name__}: {error}"
    return said[0] if isinstance(said, tuple) and isinstance(said[0], str) else FINE


def use(folder: Path, case: str, target: Path, *, opened: bool) -> dict[str, str]:
    """Damage a fresh copy of a project, which is open already or not, and use it."""
    fresh = create_project("Damaged")
    shutil.copytree(folder, fresh.root, dirs_exist_ok=True)
    if opened:
        for step in list(steps(fresh.id, target).values())[:11]:
            step()
    name, change = CASES[case]
    path = next(path for path in sorted(fresh.root.rglob("*")) if _is(fresh.root, path, name))
    content = change(path.read_bytes())
    path.unlink() if content is None else path.write_bytes(content)
    return {name: outcome(step) for name, step in steps(fresh.id, target).items()}


def _is(root: Path, path: Path, name: str) -> bool:
    return path.is_file() and path.relative_to(root).as_posix().startswith(name)


if __name__ == "__main__":
    torch.set_num_threads(1)
    # What a training reads is looked at, not what it learns and draws.
    annotator.RETRAIN_STEPS = linear_models.FIT_STEPS = 2
    embedding.umap_of = lambda z, **_: z[:, :2].copy()
    np.seterr(all="ignore")
    source = open_project(sys.argv[1]).root
    with forked():
        for number, what in enumerate(sys.argv[3:] or CASES):
            for before in (False, True)[: 2 if what in OPEN_CASES else 1]:
                found = use(source, what, Path(sys.argv[2]) / f"{number}.h5ad", opened=before)
                print(json.dumps({"case": what, "opened": before, "found": found}), flush=True)
