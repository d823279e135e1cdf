"""Small counts of three types in two batches, and a small network for them."""

import numpy as np
import pytest
import torch
from scipy import sparse

from scanvi_core.module import SCANVI
from scanvi_core.train.loader import TrainingData

N_GENES, N_TYPES = 30, 3


@pytest.fixture
def data():
    random = np.random.default_rng(0)
    truth = np.arange(129) % N_TYPES
    means = random.gamma(2.0, 2.0, size=(N_TYPES, N_GENES))
    counts = sparse.csr_array(random.poisson(means[truth]).astype(np.float32))
    y = np.where(random.random(129) < 0.5, truth, -1)
    return TrainingData(counts, random.integers(0, 2, 129), 2, y, N_TYPES, np.zeros(129, bool))


@pytest.fixture
def make_module():
    torch.set_num_threads(1)

    def make(**settings):
        defaults = {
            "n_hidden": 16,
            "n_latent": 4,
            "reconstruction_loss": "nb",
            "use_observed_lib_size": True,
            "encoder_input": "log_normalized",
        }
        module = SCANVI(N_GENES, 2, N_TYPES, **(defaults | settings))
        module.draw_parameters(torch.Generator().manual_seed(0))
        return module

    return make
