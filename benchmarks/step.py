"""Time one optimiser step of SCANVI: 128 cells and 64 labelled ones, 2,000 genes, 10 labels.

``python -m benchmarks.step [--threads N] [--steps N] [--device cpu|cuda]`` prints one line for
each likelihood: the median time of a step in milliseconds, and the quartiles.
"""

import argparse
import statistics
import sys
import time

import torch

from scanvi_core.module import SCANVI

G, K, CELLS, LABELLED, SHARE_ZERO = 2_000, 10, 128, 64, 0.9
WARM_UP = 10


def counts(n: int, device: torch.device) -> torch.Tensor:
    """Return counts of which nine in ten are 0, as single cells have them."""
    generator = torch.Generator().manual_seed(0)
    x = torch.poisson(torch.full((n, G), 3.0), generator=generator)
    return (x * (torch.rand(n, G, generator=generator) > SHARE_ZERO)).to(device)


def step_times(likelihood: str, n_steps: int, device: torch.device) -> list[float]:
    """Return the time of every step in seconds, the first few left out."""
    module = SCANVI(
        G,
        2,
        K,
        n_latent=20,
        dropout_rate=0.2,
        reconstruction_loss=likelihood,
        use_observed_lib_size=True,
        encoder_input="log_normalized",
        input_dropout_rate=0.3,
    ).to(device)
    optimiser = torch.optim.AdamW(
        [p for p in module.parameters() if p.requires_grad], lr=1e-3, fused=True
    )
    x, labelled = counts(CELLS, device), counts(LABELLED, device)
    batch, y = torch.arange(CELLS, device=device) % 2, torch.arange(LABELLED, device=device) % K
    times = []
    for _ in range(WARM_UP + n_steps):
        start = time.perf_counter()
        terms = module.loss(x, batch, labelled=(labelled, y))
        optimiser.zero_grad(set_to_none=True)
        terms.loss.backward()
        optimiser.step()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - start)
    return times[WARM_UP:]


def main() -> None:
    """Time both likelihoods."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--device", default="cpu")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    for likelihood in ("nb", "zinb"):
        times = step_times(likelihood, asked.steps, torch.device(asked.device))
        low, middle, high = (1e3 * q for q in statistics.quantiles(times, n=4))
        sys.stdout.write(f"{likelihood}: {middle:.1f} ms ({low:.1f} to {high:.1f})\n")


if __name__ == "__main__":
    main()
