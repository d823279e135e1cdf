"""A finished project with as many cells as wanted: 1,000 cells with a trained model, repeated.

Every repeated cell has a place of its own on the maps; all else is that of the first. Nothing is
trained or worked out on so many cells, so this says nothing about models.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed import rerun

SMALL, GENES, JITTER = 1_000, 12, 0.35
BLOCK_CELLS = 1_000_000
COLUMNS = ("cell_type", "batch", "louvain", "n_counts")


def prepare(n: int) -> str:
    """Return the id of a project of `n` cells in the present home; make it where there is none."""
    from scanvi_core.services import workspace

    ready = [p.id for p in workspace.recent_projects() if p.settings.get("benchmark") == n]
    return ready[0] if ready else _repeated(rerun.prepare(SMALL), n)


def _repeated(small: str, n: int) -> str:
    from scanvi_core.project.folder import create_project
    from scanvi_core.project.runs import Run
    from scanvi_core.services.labels import edit
    from scanvi_core.services.workspace import workspace

    source, project = workspace(small), create_project(f"{n:,} repeated cells")
    project.dataset.rmdir()
    _write_data(source.dataset, project.dataset, n)
    project.update_settings(batch_key=source.project.settings["batch_key"])
    edit.use_column(workspace(project.id), "cell_type", {"unknown"})
    run = Run.open(source.project, source.project.settings["current_run"])
    target = project.runs / run.id
    shutil.copytree(run.root, target, ignore=shutil.ignore_patterns("*.npy"))
    for path in run.root.glob("*.npy"):
        _repeat(path, target / path.name, n, jitter=path.name.startswith("umap"))
    record, opened = json.loads((target / "run.json").read_text()), workspace(project.id)
    counts = opened.dataset.manifest["counts_sha256"]
    record["settings"] |= {"counts_sha256": counts, "labels_seq": opened.labels().seq}
    (target / "run.json").write_text(json.dumps(record))
    for path in source.project.derived.glob("*.npy"):
        project.derived.mkdir(exist_ok=True)
        name = f"{path.stem.partition('-')[0]}-{counts[:12]}.npy"
        _repeat(path, project.derived / name, n, jitter=True)
    project.update_settings(current_run=run.id, benchmark=n)
    return project.id


def _write_data(source: Any, folder: Path, n: int) -> None:
    import pandas as pd

    from scanvi_core.data.blocks.write import write_by_gene, write_csr
    from scanvi_core.data.dataset import write_rest
    from scanvi_core.data.qc.metrics import Quality

    folder.mkdir()
    genes = np.argsort(-source.counts.sum(axis=0).A1)[5 : 5 + GENES]
    rows = np.arange(n) % source.n_obs
    counts = source.counts[:, np.sort(genes)]
    write_csr((counts[rows[at : at + 100_000]] for at in range(0, n, 100_000)), folder)
    write_by_gene(folder, (n, GENES))
    obs = pd.DataFrame({key: source.column(key).to_numpy() for key in COLUMNS})
    obs = obs.astype(dict.fromkeys(COLUMNS[:3], "category")).iloc[rows]
    obs = obs.set_axis(pd.RangeIndex(n).astype(str), axis=0)
    places = _jittered(np.asarray(source.obsm("X_umap")), n)
    quality = Quality(
        source.totals[rows], source.n_genes_by_counts[rows], source.pct_counts_mt[rows], 0
    )
    dropped = ("var_columns", "obsm", "n_mt_genes", "counts_sha256", "n_obs", "n_vars")
    about = {key: value for key, value in source.manifest.items() if key not in dropped}
    about["obs_columns"] = {key: source.manifest["obs_columns"][key] for key in COLUMNS}
    var = pd.DataFrame(index=source.var_names[np.sort(genes)])
    write_rest(folder, (obs, var), {"X_umap": places}, quality, about)


def _repeat(path: Path, target: Path, n: int, jitter: bool) -> None:
    array = np.load(path)
    if jitter and array.ndim == 2:
        array = _jittered(array, n)
    elif len(array) == SMALL:
        array = array[np.arange(n) % SMALL]
    np.save(target, array)


def _jittered(places: np.ndarray, n: int) -> np.ndarray:
    random, found = np.random.default_rng(0), np.empty((n, 2), np.float32)
    for at in range(0, n, BLOCK_CELLS):
        rows = np.arange(at, min(n, at + BLOCK_CELLS)) % len(places)
        found[at : at + BLOCK_CELLS] = places[rows] + random.normal(0, JITTER, (len(rows), 2))
    return found
