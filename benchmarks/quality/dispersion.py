"""Show what a dispersion of each gene by label does: what it gains, where, and what it costs.

``python -m benchmarks.quality.dispersion [--steps N] [--seeds N] [--rate R]`` (one thread, under
three minutes) trains SCANVI with the dispersions ``gene`` and ``gene-label`` on the same cells and
seeds and prints two tables, also written to ``benchmarks/results/dispersion.json``:

- held-out bound (nats per cell, higher is better) and accuracy of the network alone, on counts
  whose types differ in the noise of their genes only, mostly, or not at all, and on real cells:
  means over the seeds, each with its own cells and split;
- median seconds of a step at 3 and 10 labels, both dispersions in turn.

The learning rate is five times the default: log dispersions start as standard normal draws, and a
step of the optimizer moves each by about the learning rate at most. In so few steps at the default
rate (``--rate 0.004``) they stay near where they started; even three times as many fit worse.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import sparse

from benchmarks import data_sets
from benchmarks.results_file import Cell, Result, write
from scanvi_core.annotation.model.inputs import Inputs
from scanvi_core.annotation.model.network import build, training_data
from scanvi_core.config import ModelConfig, TrainConfig
from scanvi_core.module import SCANVI
from scanvi_core.nn.noise import drawing_from
from scanvi_core.train.history import Hooks
from scanvi_core.train.loop import fit

DISPERSIONS = ("gene", "gene-label")
REAL = "pbmc68k_reduced_counts"
G, CELLS, LABELED, SHARE_ZERO = 2_000, 128, 64, 0.9  # of a step that is timed
N_OBS, N_GENES, N_TYPES, TOTAL = 900, 300, 4, 1_500
CALM, NOISY = 10.0, 0.5  # inverse dispersions: variance = mean + mean² / it
HELD_OUT, SHOWN = 0.3, 0.1  # share of cells never trained on; share of the others with a label
DRAWS = 5  # of the state, to average the bound over


@dataclass(frozen=True)
class Cells:
    """Counts of cells whose types are known."""

    counts: sparse.csr_array
    types: np.ndarray
    n_types: int


def simulated(fold: float, noisy: float, random: np.random.Generator) -> Cells:
    """Draw negative binomial counts of types that differ in means, in noise, or in both.

    Parameters
    ----------
    fold
        How much more a type expresses of its own tenth of the genes; 1: all means are equal.
    noisy
        Inverse dispersion of the type's own quarter of the genes, where others have `CALM`.
    random
        Source of all draws.
    """
    types = random.integers(0, N_TYPES, N_OBS)
    scale = np.tile(random.lognormal(0.0, 1.0, N_GENES), (N_TYPES, 1))
    theta = np.full((N_TYPES, N_GENES), CALM)
    for own, noise in zip(scale, theta, strict=True):
        own[random.permutation(N_GENES)[: N_GENES // 10]] *= fold
        noise[random.permutation(N_GENES)[: N_GENES // N_TYPES]] = noisy
    totals = TOTAL * random.lognormal(0.0, 0.3, (N_OBS, 1))
    mean = totals * (scale / scale.sum(axis=1, keepdims=True))[types]
    drawn = random.poisson(random.gamma(theta[types], mean / theta[types]))
    return Cells(sparse.csr_array(drawn.astype(np.float32)), types, N_TYPES)


def real() -> Cells:
    """Return 700 cells of blood, ten types, 765 genes (Zheng et al. 2017)."""
    import anndata

    data = anndata.read_h5ad(data_sets.path(REAL))
    types = data.obs["cell_type"].cat
    return Cells(sparse.csr_array(data.X), types.codes.to_numpy(), len(types.categories))


def cells_of(seed: int) -> Iterator[tuple[str, Cells]]:
    """Yield every data set with its name."""
    random = np.random.default_rng(seed)
    yield "types differ in noise only", simulated(1.0, NOISY, random)
    yield "mostly in noise", simulated(1.5, NOISY, random)
    yield "in means only", simulated(1.5, CALM, random)
    yield "blood, 10 types", real()


def train(cells: Cells, dispersion: str, seed: int, n_steps: int, rate: float) -> dict[str, float]:
    """Train on some of the cells and judge the others."""
    random = np.random.default_rng(seed)
    n, n_genes = cells.counts.shape
    held_out = random.random(n) < HELD_OUT
    y = np.where(random.random(n) < SHOWN, cells.types, -1)
    training_set = Inputs(
        counts=cells.counts,
        genes=tuple(map(str, range(n_genes))),
        y=y,
        label_names=tuple(map(str, range(cells.n_types))),
        batch_index=np.zeros(n, dtype=np.int64),
        batch_names=("one",),
        rows=~held_out,
    )
    config = TrainConfig(seed=seed, device="cpu", validation_fraction=0.0, learning_rate=rate)
    module = build(training_set, ModelConfig(dispersion=dispersion), config)
    _, data = training_data(training_set, config)
    history = fit(module, data, config, n_steps=n_steps, hooks=Hooks())
    x = torch.from_numpy(cells.counts[held_out].toarray())
    with torch.no_grad(), drawing_from(torch.Generator().manual_seed(seed)):
        bounds = [sum(module(x)[:2]).mean() for _ in range(DRAWS)]
        right = module.classify(x).argmax(1).numpy() == cells.types[held_out]
    return {
        "elbo": -float(torch.stack(bounds).mean()),
        "accuracy": float(right.mean()),
        "first_loss": history.records[0].reconstruction,
        "last_loss": history.records[-1].reconstruction,
    }


def gains(n_steps: int, n_seeds: int, rate: float) -> dict[str, dict[str, dict[str, list[float]]]]:
    """Return every figure of `train` by data set, dispersion and seed."""
    table: dict[str, dict[str, dict[str, list[float]]]] = {}
    for seed in range(n_seeds):
        for name, cells in cells_of(seed):
            for dispersion in DISPERSIONS:
                row = table.setdefault(name, {}).setdefault(dispersion, {})
                for figure, value in train(cells, dispersion, seed, n_steps, rate).items():
                    row.setdefault(figure, []).append(value)
    return table


def counts(n: int) -> torch.Tensor:
    """Return counts of which nine in ten are 0, as single cells have them."""
    draws = torch.Generator().manual_seed(0)
    x = torch.poisson(torch.full((n, G), 3.0), generator=draws)
    return x * (torch.rand(n, G, generator=draws) > SHARE_ZERO)


def costs(n_labels: int, n_steps: int = 15) -> dict[str, float]:
    """Return the median seconds of a step, the dispersions taking steps in turn."""
    modules = {
        d: SCANVI(
            G,
            1,
            n_labels,
            dispersion=d,
            reconstruction_loss="nb",
            use_observed_lib_size=True,
            encoder_input="log_normalized",
        )
        for d in DISPERSIONS
    }
    steps = {
        d: torch.optim.AdamW(
            [p for p in module.parameters() if p.requires_grad], lr=1e-3, fused=True
        )
        for d, module in modules.items()
    }
    x, labeled = (counts(n) for n in (CELLS, LABELED))
    y = torch.arange(LABELED) % n_labels
    times: dict[str, list[float]] = {d: [] for d in DISPERSIONS}
    for _ in range(n_steps):
        for d, module in modules.items():
            start = time.perf_counter()
            steps[d].zero_grad(set_to_none=True)
            module.loss(x, labeled=(labeled, y)).loss.backward()
            steps[d].step()
            times[d].append(time.perf_counter() - start)
    return {d: statistics.median(t[3:]) for d, t in times.items()}  # the first steps warm up


def table(result: dict[str, dict[str, Any]]) -> Result:
    """Return the means over the seeds as a table."""
    columns = ("cells", "dispersion", "held-out bound", "held-out accuracy")
    rows: list[list[Cell]] = [
        [name, kind, *(round(float(np.mean(row[kind][f])), 4) for f in ("elbo", "accuracy"))]
        for name, row in result["gains"].items()
        for kind in DISPERSIONS
    ]
    title, command = "A dispersion by label", "python -m benchmarks.quality.dispersion"
    return Result(title, command, columns, rows, more=dict(result))


def lines(result: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Yield the two tables line by line."""
    yield f"{'':28}{'held-out bound':>26}{'held-out accuracy':>30}"
    head = f"{'gene':>9}{'by label':>10}"
    yield f"{'':28}{head}{'gain':>7}   {head}{'gain (spread)':>16}"
    for name, row in result["gains"].items():
        before, after = (row[d] for d in DISPERSIONS)
        bound = [np.mean(r["elbo"]) for r in (before, after)]
        right = [np.mean(r["accuracy"]) for r in (before, after)]
        each = np.subtract(after["accuracy"], before["accuracy"])
        yield (
            f"{name:28}{bound[0]:9.1f}{bound[1]:10.1f}{bound[1] - bound[0]:+7.1f}   "
            f"{right[0]:9.3f}{right[1]:10.3f}{each.mean():+8.3f} "
            f"({each.min():+.2f} to {each.max():+.2f})"
        )
    yield ""
    yield f"{'step, ms (2,000 genes)':28}{head}{'times':>7}"
    for name, row in result["seconds_per_step"].items():
        gene, label = (1e3 * row[d] for d in DISPERSIONS)
        yield f"{name:28}{gene:9.1f}{label:10.1f}{label / gene:7.2f}"


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rate", type=float, default=0.02)
    data_sets.add_option(parser)
    asked = parser.parse_args()
    data_sets.paths([REAL])
    torch.set_num_threads(1)
    result: dict[str, dict[str, Any]] = {
        "seconds_per_step": {f"{k} labels": costs(k) for k in (3, 10)},
        "gains": gains(asked.steps, asked.seeds, asked.rate),
    }
    write("dispersion", table(result))
    sys.stdout.write("\n".join(lines(result)) + "\n")


if __name__ == "__main__":
    main()
