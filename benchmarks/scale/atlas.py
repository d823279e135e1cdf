"""Ten million cells trained on for one epoch, and all predicted, from files larger than memory.

``python -m benchmarks.scale.atlas [--cells 10000000] [--folder FOLDER]`` simulates a data set
(2,200 genes, of which a cell shows some 94; 10 types, 1 % of the cells labeled, 4 batches, one
cell in 1,000 without counts) straight into a project's files, a block of rows at a time, and takes
it through choosing 2,000 genes, cutting them out, one epoch of ``Annotator.fit`` in steps of 1,024
cells, and ``predict`` of every cell in its order into files. Each stage runs in a process of its
own, on one thread, and leaves what the next one needs; stages that are done already in FOLDER are
not done again. 25 GB of disk are needed for ten million cells. Not part of CI.

Memory is the largest there was, pages of mapped files included (the sum over a stage's processes
every 0.1 s, and what the system says of each), and the anonymous part of it (RssAnon).
The table is ``benchmarks/results/atlas.json``. Linux only.
"""

import argparse
import json
import resource
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.results_file import Cell, Result, write
from benchmarks.watched import measured, size_gb, tell

N_OBS, N_VARS, N_CHOSEN, N_TYPES, N_BATCHES = 10_000_000, 2_200, 2_000, 10, 4
LABELED, EMPTY = 0.01, 1e-3
DRAWS, SPREAD, TYPE_SPREAD, BATCH_SPREAD = 100, 0.8, 0.6, 0.2
QUANTILES = 2**16
BLOCK = 20_000  # simulated cells at a time
CELLS_PER_STEP = 1_024
LIMIT_MB = 8_000
BYTES_PER_CELL = 2_500.0  # of disk
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
STAGES = ("simulate", "choose genes", "cut", "train", "predict")
COLUMNS = (
    "stage",
    "seconds",
    "of the processor",
    "cells/s",
    "peak memory, MB",
    "of it anonymous, MB",
    "files of the project, GB",
)


def simulate(folder: Path, n: int) -> None:
    """Write a data set of `n` cells, and beside it their true types."""
    import pandas as pd

    from scanvi_core.data.blocks.write import write_by_gene, write_csr
    from scanvi_core.data.dataset import write_rest
    from scanvi_core.data.qc.metrics import Meter

    random = np.random.default_rng(0)
    home = folder / "dataset"
    home.mkdir()
    types = random.integers(0, N_TYPES, n, dtype=np.int8)
    batches = random.integers(0, N_BATCHES, n, dtype=np.int8)
    var = pd.DataFrame(index=[f"GENE{i}" for i in range(N_VARS)])
    meter = Meter(n, var.index.to_numpy())
    write_csr(_blocks(random, types, batches, meter), home)
    write_by_gene(home, (n, N_VARS))
    np.save(folder / "types.npy", types)
    shown = np.where(random.random(n) < LABELED, types, -1)
    names = [f"type {k}" for k in range(N_TYPES)], [f"b{k}" for k in range(N_BATCHES)]
    obs = pd.DataFrame(
        {
            "label": pd.Categorical.from_codes(shown, names[0]),
            "batch": pd.Categorical.from_codes(batches, names[1]),
        },
        index=np.char.add("c", np.arange(n).astype(str)).astype(object),
    )
    manifest: dict[str, Any] = {"obs_columns": dict.fromkeys(obs), "symbol_column": None}
    write_rest(home, (obs, var), {}, meter.finish(), manifest)


def _blocks(
    random: np.random.Generator, types: np.ndarray, batches: np.ndarray, meter: Any
) -> Iterator[Any]:
    """Yield counts of some cells after the other: draws from the genes of a type in a batch."""
    import scipy.sparse as sp

    rates = random.lognormal(0, SPREAD, N_VARS) * random.lognormal(
        0, TYPE_SPREAD, (N_TYPES, 1, N_VARS)
    )
    rates = rates * random.lognormal(0, BATCH_SPREAD, (N_BATCHES, N_VARS))
    borders = np.cumsum(rates / rates.sum(-1, keepdims=True), -1).reshape(-1, N_VARS)
    at = (np.arange(QUANTILES) + 0.5) / QUANTILES  # a draw is one look-up
    found = [np.searchsorted(row, at) for row in borders]
    tables = np.clip(np.array(found, dtype=np.int16), 0, N_VARS - 1)
    for start in range(0, len(types), BLOCK):
        here = slice(start, start + BLOCK)
        kind = types[here].astype(np.int64) * N_BATCHES + batches[here]
        drawn = random.integers(0, QUANTILES, (kind.size, DRAWS), dtype=np.uint16)
        genes = np.sort(tables[kind[:, None], drawn], axis=1)
        new = np.ones(genes.shape, dtype=bool)
        new[:, 1:] = genes[:, 1:] != genes[:, :-1]
        new[random.random(kind.size) < EMPTY] = False
        first = np.flatnonzero(new)
        values = np.minimum(np.diff(first, append=new.size), DRAWS - first % DRAWS)
        starts = np.append(0, new.sum(axis=1).cumsum())
        parts = values.astype(np.float32), genes[new].astype(np.int32), starts.astype(np.int32)
        block = sp.csr_matrix(parts, shape=(kind.size, N_VARS))
        meter.add(block)
        yield block


def choose(folder: Path) -> None:
    """Choose the genes, and keep their positions."""
    from scanvi_core.data.genes.choose import variable_genes

    np.save(folder / "genes.npy", variable_genes(folder / "dataset", N_CHOSEN, "batch"))


def cut(folder: Path) -> Any:
    """Return the counts of the chosen genes, which are written once."""
    from scanvi_core.data.dataset import Dataset

    return Dataset.open(folder / "dataset").genes_matrix(np.load(folder / "genes.npy"))


def train(folder: Path) -> dict[str, Any]:
    """Train for one epoch and save the model; return what it says of itself."""
    from scanvi_core.annotation.model.annotator import Annotator
    from scanvi_core.annotation.model.inputs import Inputs
    from scanvi_core.config import ModelConfig, TrainConfig
    from scanvi_core.data.dataset import Dataset
    from scanvi_core.train.history import Hooks

    dataset, genes = Dataset.open(folder / "dataset"), np.load(folder / "genes.npy")
    label, batch = (dataset.values(name).array for name in ("label", "batch"))
    cells = Inputs(
        counts=dataset.genes_matrix(genes),
        genes=tuple(dataset.var_names[genes]),
        y=label.codes.astype(np.int64),
        label_names=tuple(label.categories),
        batch_index=batch.codes.astype(np.int64),
        batch_names=tuple(batch.categories),
    )
    config = TrainConfig(max_epochs=1, batch_size=CELLS_PER_STEP, device="cpu")
    model = Annotator.fit(
        cells,
        ModelConfig(),
        config,
        hooks=Hooks(on_epoch=lambda at: tell(at.step / at.n_steps, f"loss {at.loss:.1f}")),
        checkpoint=folder / "checkpoint",
    )
    model.save(folder / "model")
    last = model.history.records[-1]
    return {
        "steps": last.step,
        "loop_s": last.seconds,
        "n_trained": int(np.count_nonzero(dataset.totals > 0)),
        "validation_accuracy": last.validation_accuracy,
        "calibration": model.calibration.note,
    }


def predict(folder: Path) -> dict[str, Any]:
    """Predict every cell into files; return how often the type is the true one."""
    from scanvi_core.annotation.model.annotator import Annotator
    from scanvi_core.annotation.model.prediction import Predictions

    counts, model = cut(folder), Annotator.load(folder / "model", "cpu")
    k, d = len(model.label_names), model.model_config.n_latent
    widths = {"probabilities": k, "probabilities_scanvi": k, "z1": d, "z2": d}
    files = [
        np.lib.format.open_memmap(folder / f"{name}.npy", "w+", np.float32, (counts.shape[0], w))
        for name, w in widths.items()
    ]
    model.predict(counts, out=Predictions(*files))
    return score(folder)


def score(folder: Path) -> dict[str, Any]:
    """Compare the predictions in the files with the simulated types, a block at a time."""
    from scanvi_core.annotation.model.prediction import BLOCK as ROWS
    from scanvi_core.annotation.model.prediction import summarize
    from scanvi_core.data.dataset import Dataset

    dataset = Dataset.open(folder / "dataset")
    found = np.load(folder / "probabilities.npy", mmap_mode="r")
    types, totals = np.load(folder / "types.npy"), dataset.totals
    unnamed = dataset.values("label").isna().to_numpy()
    right, asked, in_order = 0, 0, True
    for start in range(0, len(types), ROWS):
        here = slice(start, start + ROWS)
        label = summarize(found[here]).label
        in_order &= bool(((label < 0) == (totals[here] == 0)).all())
        asked += int(np.count_nonzero(unnamed[here] & (label >= 0)))
        right += int(np.count_nonzero(unnamed[here] & (label == types[here])))
    return {"accuracy": right / asked, "n_scored": asked, "only_empty_cells_nan": in_order}


def work(stage: str, folder: Path, n: int) -> dict[str, Any]:
    """Do one stage; return what else is to be known of it."""
    if stage == "train":
        return train(folder)
    if stage == "predict":
        return predict(folder)
    if stage == "simulate":
        shutil.rmtree(folder / "dataset", ignore_errors=True)
        simulate(folder, n)
    elif stage == "choose genes":
        choose(folder)
    else:
        cut(folder)
    return {}


def measure(stage: str, folder: Path, n: int) -> dict[str, Any]:
    """Run a stage in a process of its own and measure it.

    Raises
    ------
    RuntimeError
        If the stage failed.
    """
    sys.stdout.write(f"{stage}\n")
    arguments = ["--stage", stage, "--folder", str(folder), "--cells", str(n)]
    took = measured("benchmarks.scale.atlas", arguments, ONE_THREAD)
    found: dict[str, Any] = json.loads((folder / "found.json").read_text())
    found |= {"stage": stage, "seconds": took.seconds, "processor_s": took.processor_s}
    found["peak_mb"] = max(found["peak_mb"], took.resident_mb)
    found["anonymous_mb"] = took.anonymous_mb
    found["disk_gb"] = size_gb(folder)
    sys.stdout.write(f"{json.dumps(found, indent=1)}\n")
    return found


def row(found: dict[str, Any], n: int) -> list[Cell]:
    """Return the table's row for a stage; training is timed over its steps."""
    seconds, cells = found.get("loop_s", found["seconds"]), found.get("n_trained", n)
    numbers = (found[key] for key in ("seconds", "processor_s"))
    sizes = (round(found[key]) for key in ("peak_mb", "anonymous_mb"))
    speed, disk = round(cells / seconds), round(found["disk_gb"], 1)
    return [found["stage"], *(round(x) for x in numbers), speed, *sizes, disk]


def notes(every: list[dict[str, Any]]) -> list[str]:
    """Say in sentences whether memory stays in the limit and what was learned."""
    peak, (fitted, asked) = max(one["peak_mb"] for one in every), every[-2:]
    within = "stays within" if peak <= LIMIT_MB else "EXCEEDS"
    order = "are" if asked["only_empty_cells_nan"] else "ARE NOT"
    rest = fitted["seconds"] - fitted["loop_s"]
    learned = (
        f"Training: {fitted['steps']:,} steps of {CELLS_PER_STEP:,} cells took "
        f"{fitted['loop_s']:,.0f} s, which cells/s counts; reading the tables, the linear models "
        f"and the calibration {rest:,.0f} s."
    )
    n, spent = fitted["n_trained"], [one["processor_s"] for one in (fitted, asked)]
    busy = (
        f"By processor time of the whole stage, which other work on the machine lengthens less: "
        f"training {n / spent[0]:,.0f} cells/s, prediction {n / spent[1]:,.0f} cells/s."
    )
    named = (
        f"{asked['accuracy']:.1%} of {asked['n_scored']:,} unlabeled cells got their simulated "
        f"type; exactly the cells without counts {order} without a prediction."
    )
    return [
        f"Memory, mapped pages included, {within} {LIMIT_MB:,} MB in every stage.",
        learned,
        busy,
        named,
    ]


def main() -> None:
    """Measure all stages and write the table; or, as a child, do one stage."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=N_OBS)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--stage", choices=STAGES)
    asked = parser.parse_args()
    if asked.stage:
        more = work(asked.stage, asked.folder, asked.cells)
        more["peak_mb"] = max(map(peak_mb, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))
        (asked.folder / "found.json").write_text(json.dumps(more))
        return
    with tempfile.TemporaryDirectory(prefix="scanvi-atlas-") as name:
        folder = asked.folder or Path(name)
        folder.mkdir(exist_ok=True)
        free = shutil.disk_usage(folder).free
        done = folder / "stages.json"
        every = json.loads(done.read_text()) if done.exists() else []
        if not every and free < BYTES_PER_CELL * asked.cells:
            parser.error(f"{BYTES_PER_CELL * asked.cells / 1e9:.0f} GB of disk are needed.")
        for stage in STAGES[len(every) :]:
            every.append(measure(stage, folder, asked.cells))
            done.write_text(json.dumps(every))
    title = f"{asked.cells:,} simulated cells, one epoch out of core on one thread"
    command = "python -m benchmarks.scale.atlas"
    command += f" --cells {asked.cells}" if asked.cells != N_OBS else ""
    rows = [row(one, asked.cells) for one in every]
    write("atlas", Result(title, command, COLUMNS, rows, notes(every), more={"stages": every}))


def peak_mb(who: int) -> float:
    """Return the largest resident memory of this process, or of its largest child."""
    return resource.getrusage(who).ru_maxrss * 1024 / 1e6


if __name__ == "__main__":
    main()
