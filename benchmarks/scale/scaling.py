"""How training gets faster with more processes: measured with 1 and 2 here, a model beyond.

``python -m benchmarks.scale.scaling`` lets a team of one and a team of two gloo processes, one
thread each, take turns at training steps, with minibatches of 128, 512 and 2,048 cells that do not
depend on the number of processes; half as many labeled cells come with each. Also measured: the
step of one process that has 1/2, 1/8 or 1/32 of the minibatch, adding up 1 to 16 MB over loopback,
and fetching rows of memory-mapped counts.

From these, a model says how long a step of P processes takes::

    t(P) = step with 1/P of the cells + adding up the gradients
    adding up = 2 (P - 1) (latency + bytes / (P bandwidth))

the second line being a ring (Patarasuk and Yuan 2009, "Bandwidth optimal all-reduce algorithms for
clusters of workstations"). Its prediction for two processes is held against what two processes
took. Latency and bandwidth of networks, and the step of a GPU, are assumptions (`LINKS`, `GPU`):
none was measured. Steps are compared by their processor time, which other work on the machine
disturbs least; the clock's ratio, of turns of one round, stands beside it. Adding up waits for the
other process: there the fastest of all times counts.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.results_file import Cell, Result, write
from benchmarks.speed.retrain import drawn, source

N_OBS, ROUNDS = 16_384, 5
STEPS = {128: 8, 512: 4, 2_048: 2}  # per turn
SHARES = (1, 2, 8, 32)
MEGABYTES = (1, 2, 4, 8, 16)
PORT = 29_610
COLUMNS = (
    "cells per step",
    "1 process, processor ms",
    "2 processes, processor ms of each",
    "times as fast",
    "by the model",
    "by the clock",
    "8 cores (model)",
    "4 computers of 8 cores (model)",
    "8 GPUs (model, step assumed)",
    "4 computers of 8 GPUs (model, step assumed)",
)


@dataclass(frozen=True)
class Link:
    """Seconds until a message arrives, and bytes per second."""

    latency: float
    bandwidth: float

    def add_up(self, n: int, n_bytes: float) -> float:
        """Return the seconds in which a ring of `n` adds up so many bytes."""
        return 2 * (n - 1) * (self.latency + n_bytes / (n * self.bandwidth))


@dataclass(frozen=True)
class Gpu:
    """Seconds of a step: launching its kernels, and each cell of the share."""

    launch: float
    per_cell: float

    def step(self, cells: float) -> float:
        """Return the seconds of a step."""
        return self.launch + cells * self.per_cell


LINKS = {
    "100 Gb/s Ethernet": Link(30e-6, 10e9),  # 80 % of what is on the box
    "NVLink": Link(5e-6, 300e9),
    "200 Gb/s InfiniBand": Link(10e-6, 20e9),
}
GPU = Gpu(4e-3, 1 / 300_000)  # some 300 launches; 300,000 cells/s is what one card should reach


class Members:
    """The processes of one team."""

    def __init__(self, n: int, folder: Path) -> None:
        self.n = n
        self.processes = [self._begin(rank, folder) for rank in range(n)]

    def _begin(self, rank: int, folder: Path) -> "subprocess.Popen[str]":
        place = {"MASTER_ADDR": "127.0.0.1", "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
        numbers = {"RANK": rank, "WORLD_SIZE": self.n, "MASTER_PORT": PORT + self.n}
        return subprocess.Popen(  # noqa: S603  our own module
            [sys.executable, "-m", "benchmarks.scale.scaling_worker", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | place | {name: str(number) for name, number in numbers.items()},
        )

    def ask(self, do: str, **order: Any) -> Any:
        """Let all members do something; return what the first answers."""
        for process in self.processes:
            assert process.stdin is not None  # noqa: S101  (a pipe was asked for)
            process.stdin.write(f"{json.dumps({'do': do} | order)}\n")
            process.stdin.flush()
        answers = [json.loads(self._line(process)) for process in self.processes]
        return answers[0]

    def _line(self, process: "subprocess.Popen[str]") -> str:
        assert process.stdout is not None  # noqa: S101  (a pipe was asked for)
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"A process of the team of {self.n} has ended.")
        return line

    def end(self) -> None:
        """Let them go."""
        for process in self.processes:
            process.communicate()


def write_cells(folder: Path) -> str:
    """Write counts as memory-mapped parts, and labels; return what the cells are."""
    name, base = source()
    cells = drawn(base, N_OBS)
    parts = {"data": cells.counts.data, "indices": cells.counts.indices, "y": cells.types}
    for part, array in (parts | {"indptr": cells.counts.indptr, "batch": cells.batch}).items():
        np.save(folder / f"{part}.npy", array)
    (folder / "n_genes.json").write_text(json.dumps(cells.counts.shape[1]))
    return f"{N_OBS:,} cells drawn from {name}, {cells.counts.shape[1]:,} genes"


Turns = dict[str, list[list[float]]]


def measure(folder: Path, rounds: int) -> dict[str, Any]:
    """Return all turns by what was done: of each round the times of `scaling_member.seconds`."""
    alone, two = Members(1, folder), Members(2, folder)
    turns: Turns = {}
    try:
        for _ in range(1 + rounds):
            for name, said in one_round(alone, two):
                turns.setdefault(name, []).append(said)
            sys.stdout.write(".")
            sys.stdout.flush()
        n_parameters = alone.ask("n_parameters", cells=128)
    finally:
        alone.end()
        two.end()
    kept = {name: times[1:] for name, times in turns.items()}  # the first round warms up
    return {"turns": kept, "n_parameters": n_parameters}


def one_round(alone: Members, two: Members) -> Iterator[tuple[str, list[float]]]:
    """Let both teams do everything once."""
    for cells, n in STEPS.items():
        for of in SHARES:
            yield f"{cells} of {of}", alone.ask("steps", cells=cells, n=n, of=of)
            if of == 1:
                yield f"{cells} by two", two.ask("steps", cells=cells, n=n, of=2)
        yield f"fetch {cells}", alone.ask("fetch", cells=cells, n=n)
    for size in MEGABYTES:
        yield f"add up {size} MB", two.ask("add_up", n_bytes=size * 2**20, n=20)


def fastest(turns: Turns, name: str) -> float:
    """Return the fastest time by the clock."""
    return min(times[0] for times in turns[name])


def processor(turns: Turns, name: str) -> float:
    """Return the median processor time."""
    return statistics.median(times[2] for times in turns[name])


def line(read: Callable[[Turns, str], float], turns: Turns) -> Link:
    """Fit latency and bandwidth between two processes of this computer."""
    n_bytes = np.array(MEGABYTES) * 2**20
    took = np.array([read(turns, f"add up {size} MB") for size in MEGABYTES])
    per_byte, fixed = np.polyfit(n_bytes, took, 1, w=1 / took)
    return Link(max(float(fixed), 0.0) / 2, 1 / float(per_byte))


def by_two(cells: int, turns: Turns, n_bytes: float) -> float:
    """Return the processor time the model gives a step to each of two processes."""
    return processor(turns, f"{cells} of 2") + line(processor, turns).add_up(2, n_bytes)


def row(cells: int, turns: Turns, here: Link, n_bytes: float) -> list[Cell]:
    """Return a line of the table: measured for 1 and 2 processes, modeled beyond."""
    times = {of: processor(turns, f"{cells} of {of}") for of in SHARES}
    two = processor(turns, f"{cells} by two")
    pairs = zip(turns[f"{cells} of 1"], turns[f"{cells} by two"], strict=True)
    net = LINKS["100 Gb/s Ethernet"]
    ring = Link(net.latency, min(here.bandwidth, net.bandwidth))
    return [
        cells,
        round(1e3 * times[1], 1),
        round(1e3 * two, 1),
        round(times[1] / two, 2),
        round(times[1] / by_two(cells, turns, n_bytes), 2),
        round(statistics.median(one[1] / both[1] for one, both in pairs), 2),
        round(times[1] / (times[8] + here.add_up(8, n_bytes)), 1),
        round(times[1] / (times[32] + ring.add_up(32, n_bytes)), 1),
        *gpu_columns(cells, n_bytes),
    ]


def gpu_columns(cells: int, n_bytes: float) -> list[Cell]:
    """Return how many times as fast as one GPU are 8 of a computer, and 4 computers of 8."""
    within = LINKS["NVLink"].add_up(8, n_bytes)
    between = LINKS["200 Gb/s InfiniBand"].add_up(4, n_bytes)
    alone = GPU.step(cells)
    eight, all_ = GPU.step(cells / 8) + within, GPU.step(cells / 32) + within + between
    return [round(alone / eight, 1), round(alone / all_, 1)]


def notes_of(what: str, found: dict[str, Any], here: Link, n_bytes: float) -> list[str]:
    """Say what was measured, what was assumed, and how well the model fits."""
    turns = found["turns"]
    off = {c: by_two(c, turns, n_bytes) / processor(turns, f"{c} by two") for c in STEPS}
    told = ", ".join(f"{ratio:.2f} at {cells:,} cells" for cells, ratio in off.items())
    rate = max(cells / processor(turns, f"fetch {cells}") for cells in STEPS)
    links = "; ".join(
        f"{name} {1e6 * link.latency:.0f} us and {link.bandwidth / 1e9:.0f} GB/s"
        for name, link in LINKS.items()
    )
    said = f"""\
        {what}; half as many labeled cells per step; one thread per process, gloo; \
        {found["n_parameters"]:,} parameters, {n_bytes / 1e6:.2f} MB added up per step.
        Model against measurement, processor time of a step of two processes: {told}.
        Loopback, fitted: {1e6 * here.latency:.0f} us and {here.bandwidth / 1e9:.2f} GB/s. \
        Adding up takes two processes {1e3 * here.add_up(2, n_bytes):.1f} ms of a step.
        Steps of 1/8 and 1/32 of the cells were measured on one core; that 8 cores, each, \
        compute and add up as fast as these is assumed.
        Assumed, not measured: {links}; a GPU's step takes {1e3 * GPU.launch:.0f} ms and \
        {1e6 * GPU.per_cell:.1f} us per cell of its share. No GPU was at hand.
        One process fetches {rate:,.0f} rows per processor second of memory-mapped counts, files \
        in memory: with the labeled cells, enough for {rate / 1.5:,.0f} cells/s per process. \
        Faster GPUs need the counts on the card.
        Load average at the end: {os.getloadavg()[0]:.0f}, on {os.cpu_count()} cores.
        """
    return [" ".join(line.split()) for line in said.splitlines() if line.strip()]


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        what = write_cells(Path(folder))
        found = measure(Path(folder), rounds)
    here = line(fastest, found["turns"])
    n_bytes = 4.0 * (found["n_parameters"] + 1)
    rows = [row(cells, found["turns"], here, n_bytes) for cells in STEPS]
    rows.append([8_192, *[None] * 7, *gpu_columns(8_192, n_bytes)])
    title = "Several processes, one minibatch: how many times as fast as one"
    assumed = {"links": {name: asdict(link) for name, link in LINKS.items()}, "gpu": asdict(GPU)}
    more = {**found, "loopback": asdict(here), "assumed": assumed}
    notes = notes_of(what, found, here, n_bytes)
    result = Result(title, "python -m benchmarks.scale.scaling", COLUMNS, rows, notes, more=more)
    sys.stdout.write(f"\n{write('scaling', result)}\n")


if __name__ == "__main__":
    main()
