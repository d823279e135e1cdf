"""A training step must stay as many times faster than its plain form as it was measured to be.

The plain form is what one would write first: dense counts and automatic differentiation of the
likelihood. Both take turns in one process and the best of many turns counts, in processor time,
so that other work on the machine hardly matters.
"""

import time

import numpy as np
import pytest
import torch
from scipy import sparse

from scanvi_core.config import TrainConfig
from scanvi_core.distributions.fused import Positive
from scanvi_core.distributions.negative_binomial import zinb_log_prob
from scanvi_core.module import SCANVI
from scanvi_core.runtime import keep_memory
from scanvi_core.train.loader import TrainingData
from scanvi_core.train.training import Training

CELLS, GENES, LABELS = 512, 2_000, 10
MEASURED = 0.36  # fast over plain, in processor time (0.33 to 0.37 in three runs)
SLACK = 1.5


@pytest.fixture(scope="module")
def training():
    torch.set_num_threads(1)
    keep_memory()
    random = np.random.default_rng(0)
    counts = random.poisson(random.gamma(0.1, 1.0, size=(CELLS, GENES))).astype(np.float32)
    counts[:, 0] += 1
    y = np.arange(CELLS) % LABELS
    module = SCANVI(GENES, 2, LABELS, use_observed_lib_size=True, reconstruction_loss="zinb")
    none = np.zeros(CELLS, dtype=bool)
    data = TrainingData(sparse.csr_array(counts), y % 2, 2, y, LABELS, none)
    run = Training(module, data, TrainConfig(labeled_batch_size=128), n_steps=900)
    module.train()
    return run


def plain_log_likelihood(x, log_mu, theta, zi_logits):
    assert not isinstance(x, Positive)
    return zinb_log_prob(x, log_mu.exp(), theta, zi_logits).sum(-1)


def test_a_step_is_not_slower_against_its_plain_form_than_measured(training, monkeypatch):
    times = {"fast": [], "plain": []}
    fetch = training.stepper.rows.fetch
    for name in ["fast", "plain"] * 12:
        with monkeypatch.context() as patch:
            if name == "plain":
                patch.setattr(training.stepper.rows, "fetch", lambda rows: fetch(rows).dense())
                for place in ("vae", "scanvi"):
                    patch.setattr(f"scanvi_core.module.{place}.fastest_form", lambda x: x)
                patch.setattr("scanvi_core.module.vae.log_likelihood", plain_log_likelihood)
            for _ in range(3):
                start = time.process_time()
                training.take_step()
                times[name].append(time.process_time() - start)
    ratio = min(times["fast"]) / min(times["plain"])
    assert ratio < SLACK * MEASURED, (
        f"{min(times['fast']):.4f} s against {min(times['plain']):.4f}"
    )
