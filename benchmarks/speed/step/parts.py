"""Where the time of a training step goes, and what each part would cost at the least.

``python -m benchmarks.speed.step.parts`` writes results/step_parts.json. Processor time on one
thread, the lower quartile of many turns; counts of 7 % non-zeros, 128 + 128 cells, 2,000 genes,
ZINB. The floor of a part is what its matrix products and its one pass over the likelihood's
entries cost alone, with warm caches: what no way of writing it in torch can beat.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from benchmarks.results_file import Result, write
from scanvi_core.distributions.divergences import gaussian_log_prob, kl_standard_gaussian
from scanvi_core.module import SCANVI
from scanvi_core.nn.sparse import SparseRows
from scanvi_core.runtime import keep_memory

CELLS, GENES, HIDDEN, LABELS, LATENT = 128, 2_000, 128, 10, 10
SHARE = 0.07
TURNS = 60


class Clock:
    """Processor seconds of named parts, over many turns."""

    def __init__(self) -> None:
        self.times: dict[str, list[float]] = {}

    def part(self, name: str, work: Callable[[], Any]) -> Any:
        """Do some work and note how long it took."""
        start = time.process_time()
        done = work()
        self.times.setdefault(name, []).append(time.process_time() - start)
        return done

    def milliseconds(self, name: str) -> float:
        """Return the lower quartile of a part, in ms."""
        return 1e3 * float(np.quantile(self.times[name], 0.25))


def minibatch(random: np.random.Generator) -> SparseRows:
    """Return counts of usual sparsity."""
    counts = (1 + random.poisson(1.0, (CELLS, GENES))) * (random.random((CELLS, GENES)) < SHARE)
    return SparseRows.of_csr(sparse.csr_array(counts.astype(np.float32)))


def take_apart(module: SCANVI, x: SparseRows, labeled: SparseRows, clock: Clock) -> None:
    """Take one step in parts, each with its own gradients."""
    q_z1 = clock.part("encoder", lambda: module.encode(x))
    z1, batch = module.draw(q_z1), torch.arange(CELLS) % 2
    library, _ = module.library(x, None, None)
    decoded = clock.part("decoder", lambda: module.decode(z1, library, batch))
    R = clock.part(
        "likelihood",
        lambda: module.negative_log_likelihood(x, decoded, module.theta(decoded, batch)),
    )
    inputs = [z1, module.px_r, *trained(module.decoder)]
    clock.part("decoder, back", lambda: R.sum().backward(retain_graph=True, inputs=inputs))
    terms = clock.part("z2 networks", lambda: label_terms(module, z1))
    nets = [z1, *trained(module.encoder_z2_z1), *trained(module.decoder_z1_z2)]
    clock.part("z2 networks, back", lambda: terms.backward(retain_graph=True, inputs=nets))
    found = clock.part("labeled cells", lambda: module.log_classify(labeled).sum())
    clock.part("labeled cells, back", found.backward)
    state = q_z1.mean.sum() + q_z1.var.sum()
    clock.part("encoder, back", state.backward)


def label_terms(module: SCANVI, z1: Tensor) -> Tensor:
    """Return the sum of all terms that depend on the label."""
    label = module.every_label(z1)
    q, C = module._label_posterior(z1, None)
    q_z2 = module.encoder_z2_z1(z1[None], label)
    p_z1 = module.decoder_z1_z2(module.draw(q_z2), label)
    by_label = q * (kl_standard_gaussian(*q_z2) - gaussian_log_prob(z1, *p_z1))
    return (by_label.sum(0) + C).sum()


def trained(module: torch.nn.Module) -> list[Tensor]:
    """Return the parameters that learn."""
    return [p for p in module.parameters() if p.requires_grad]


def floors(clock: Clock, x: SparseRows) -> None:
    """Time the bare products and passes, under the names of the parts."""
    h, w, g = torch.randn(CELLS, HIDDEN), torch.randn(GENES, HIDDEN), torch.randn(CELLS, GENES)
    wide, to_latent = torch.randn(CELLS * LABELS, HIDDEN), torch.randn(HIDDEN, 2 * LATENT)
    of_latent = torch.randn(CELLS * LABELS, 2 * LATENT)
    by_gene = w.contiguous()

    def once() -> Tensor:
        return torch.embedding_bag(by_gene, x.genes, x.starts, False, 0, False, x.values)[0]

    def special() -> tuple[Tensor, ...]:
        return g.exp(), g.log1p(), torch.sigmoid(g), torch.log1p(g)

    for _ in range(TURNS):
        clock.part("encoder", once)
        clock.part("encoder, back", once)
        clock.part("labeled cells", once)
        clock.part("labeled cells, back", once)
        clock.part("decoder", lambda: (h @ w.t(), h @ w.t()))
        clock.part("likelihood", special)
        clock.part("decoder, back", lambda: (g.t() @ h, g @ w, g.t() @ h, g @ w))
        clock.part("z2 networks", lambda: (wide @ to_latent, wide @ to_latent))
        clock.part(
            "z2 networks, back",
            lambda: [(of_latent @ to_latent.t(), wide.t() @ of_latent) for _ in range(2)],
        )


def main() -> None:
    """Time the parts and write the table."""
    torch.set_num_threads(1)
    keep_memory()
    random = np.random.default_rng(0)
    torch.manual_seed(0)
    module = SCANVI(GENES, 2, LABELS, use_observed_lib_size=True).train()
    x, labeled = minibatch(random), minibatch(random)
    ours, least = Clock(), Clock()
    optimizer = torch.optim.AdamW(trained(module), lr=1e-3, fused=True)
    for turn in range(TURNS + 5):
        clock = ours if turn >= 5 else Clock()
        take_apart(module, x, labeled, clock)
        clock.part("optimiser", optimizer.step)
        optimizer.zero_grad()
    floors(least, x)
    flat = torch.nn.Parameter(torch.randn(sum(p.numel() for p in trained(module))))
    flat.grad = torch.randn_like(flat)
    one = torch.optim.AdamW([flat], lr=1e-3, fused=True)
    for _ in range(TURNS):
        least.part("optimiser", one.step)
    rows = [
        [name, round(ours.milliseconds(name), 2), round(least.milliseconds(name), 2)]
        for name in ours.times
    ]
    rows.append(["all", *(round(sum(row[i] for row in rows), 1) for i in (1, 2))])
    for row in rows:
        sys.stdout.write(f"{row[0]:22} {row[1]:6.2f} {row[2]:6.2f}\n")
    title = "Where a ZINB step goes, and the least its products and passes cost"
    command = "python -m benchmarks.speed.step.parts"
    columns = ["part", "ms of processor", "floor, ms"]
    write("step_parts", Result(title, command, columns, rows))


if __name__ == "__main__":
    main()
