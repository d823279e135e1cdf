"""One process of a team, for test_team: ``torchrun ... team_worker.py OUT [checkpoint] [how]``.

How it goes: die, stop or spike.
"""

import os
import signal
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from scipy import sparse

from scanvi_core.config import TrainConfig
from scanvi_core.datasets import simulate
from scanvi_core.module import SCANVI
from scanvi_core.nn.sparse import SparseRows
from scanvi_core.train import loop
from scanvi_core.train.history import Hooks
from scanvi_core.train.loader import TrainingData
from scanvi_core.train.team import joined
from tests.train.spike import spike_at

N_STEPS, DIE_AT, SPIKE_AT = 160, 25, 80


def main(out, checkpoint=None, how=""):
    torch.set_num_threads(1)
    loop.CHECKPOINT_EVERY_S = 0.0
    cells = simulate(301, 60, 2, 4, marker_fold=8.0, random=np.random.default_rng(0))
    counts = sparse.csr_array(cells.X, dtype=np.float32)
    truth = cells.labels[:, 0].astype(np.int64)
    shown = np.where(np.arange(301) % 3 == 0, truth, -1)
    watched = (shown >= 0) & (np.arange(301) < 60)
    batch = cells.batch_indices[:, 0].astype(np.int64)
    data = TrainingData(counts, batch, 2, shown, 4, watched)
    module = SCANVI(
        60, 2, 4, n_hidden=32, n_latent=5, reconstruction_loss="zinb", dispersion="gene-batch",
        use_observed_lib_size=False, encoder_input="log_normalized", input_dropout_rate=0.1,
        use_layer_norm=True,
    )  # fmt: skip
    module.draw_parameters(torch.Generator().manual_seed(0))
    config = TrainConfig(batch_size=50, labeled_batch_size=20, learning_rate=0.01, device="cpu")
    steps = iter(range(1, 1000))
    spiked = spike_at(SPIKE_AT) if how == "spike" else nullcontext()
    with joined(torch.device("cpu")) as team, spiked:

        def should_stop():
            step = next(steps)
            if how == "die" and step == DIE_AT and team.rank == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            return how == "stop" and team.first and step == DIE_AT

        path = Path(checkpoint) if checkpoint else None
        hooks = Hooks(should_stop=should_stop)
        history = loop.fit(module, data, config, n_steps=N_STEPS, hooks=hooks, checkpoint=path)
        if team.first:
            with torch.no_grad():
                q, z1, _ = module.predict(SparseRows.of_csr(counts))
            losses = [record.loss for record in history.records]
            last = history.records[-1].step
            np.savez(out, losses=losses, z1=z1, labels=q.argmax(1), truth=truth, last=last)


if __name__ == "__main__":
    main(*sys.argv[1:])
