"""One process of a team for `benchmarks.scale.scaling`: JSON lines in and out."""

import json
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import sparse

from scanvi_core.annotation.model.network import network
from scanvi_core.config import ModelConfig, TrainConfig
from scanvi_core.runtime import keep_memory
from scanvi_core.train.loader import HostRows, TrainingData
from scanvi_core.train.team import Team, joined
from scanvi_core.train.training import Training

CPU = torch.device("cpu")
ALL_STEPS = 1_000_000  # planned; the orders end it
Times = tuple[float, float, float]
PARTS = ("data", "indices", "indptr")


class Member:
    """A process that trains, adds up tensors or fetches rows when it is told to."""

    def __init__(self, folder: Path, team: Team) -> None:
        self.team = team
        parts = tuple(np.load(folder / f"{name}.npy", mmap_mode="r") for name in PARTS)
        n_genes = json.loads((folder / "n_genes.json").read_text())
        self.counts = sparse.csr_array(parts, shape=(len(parts[2]) - 1, n_genes))
        self.y, self.batch = np.load(folder / "y.npy"), np.load(folder / "batch.npy")

    @cache  # noqa: B019  (lives as long as the process)
    def training(self, cells: int) -> Training:
        """Return a training with the app's network and minibatches of so many cells."""
        n_labels, n_batch = int(self.y.max()) + 1, int(self.batch.max()) + 1
        none = np.zeros(len(self.y), dtype=bool)
        data = TrainingData(self.counts, self.batch, n_batch, self.y, n_labels, none)
        config = TrainConfig(batch_size=cells, labeled_batch_size=cells // 2, device="cpu")
        names = tuple(f"type {i}" for i in range(n_labels))
        genes = self.counts.shape[1]
        module = network(genes, n_batch, names, {}, ModelConfig(use_layer_norm=True))
        module.draw_parameters(torch.Generator().manual_seed(0))
        module.train()
        return Training(module, data, config, ALL_STEPS)

    def steps(self, cells: int, n: int, of: int) -> Times:
        """Take `n` steps, as the first of a team of `of`."""
        training = self.training(cells)
        training.stepper.team = self.team if of == self.team.size else Team(0, of)
        return seconds(training.take_step, n)

    def add_up(self, n_bytes: int, n: int) -> Times:
        """Add up so many bytes over the team."""
        tensor = torch.zeros(n_bytes // 4)
        return seconds(lambda: torch.distributed.all_reduce(tensor), n)

    def fetch(self, cells: int, n: int) -> Times:
        """Fetch random rows of the memory-mapped counts."""
        rows, random = HostRows(self.counts, CPU), np.random.default_rng(0)
        return seconds(lambda: rows.fetch(random.integers(0, len(self.y), cells)), n)

    def n_parameters(self, cells: int) -> int:
        """Return how many numbers the network learns."""
        groups = self.training(cells).stepper.optimizer.param_groups
        return sum(p.numel() for group in groups for p in group["params"])


def seconds(work: Callable[[], Any], n: int) -> Times:
    """Do some work `n` times; return by the clock the fastest and the mean, and processor time."""
    clocks, processor = [], time.process_time()
    for _ in range(n):
        start = time.perf_counter()
        work()
        clocks.append(time.perf_counter() - start)
    return min(clocks), sum(clocks) / n, (time.process_time() - processor) / n


def main() -> None:
    """Join the team and obey until there are no more orders."""
    torch.set_num_threads(1)
    keep_memory()
    with joined(CPU) as team:
        if team.size == 1:  # it plays the first of several, and hands its gradients to itself
            torch.distributed.init_process_group("gloo", rank=0, world_size=1)
        member = Member(Path(sys.argv[1]), team)
        for line in sys.stdin:
            order = json.loads(line)
            answer = getattr(member, order.pop("do"))(**order)
            sys.stdout.write(f"{json.dumps(answer)}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
