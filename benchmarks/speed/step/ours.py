"""Train SCANVI with this project; run as a process of its own, see ``__main__``."""

import json
import sys
import time
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy import sparse

from benchmarks.speed.step.turns import Turns, say
from scanvi_core.config import TrainConfig
from scanvi_core.module import SCANVI
from scanvi_core.train.compiled import compile_step
from scanvi_core.train.device import quick_products
from scanvi_core.train.history import Hooks
from scanvi_core.train.loader import TrainingData
from scanvi_core.train.loop import fit


def make_run(asked: dict[str, Any]) -> tuple[SCANVI, TrainingData]:
    """Return a network of scvi-tools' default architecture, and the cells."""
    found = np.load(asked["data"])
    parts = found["data"].astype(np.float32), found["indices"], found["indptr"]
    counts = sparse.csr_array(parts, shape=found["shape"])
    y, batch = found["y"], found["batch"]
    torch.manual_seed(0)
    module = SCANVI(
        counts.shape[1],
        n_batch=int(batch.max()) + 1,
        n_labels=int(y.max()) + 1,
        n_latent=10,
        reconstruction_loss=asked["likelihood"],
        use_observed_lib_size=True,
    ).to(asked["device"])
    none = np.zeros(len(y), dtype=bool)
    return module, TrainingData(counts, batch, module.n_batch, y, module.n_labels, none)


def never_stop(turns: Turns) -> bool:
    """Note the end of a step."""
    turns.step_done()
    return False


def main() -> None:
    """Train for ever, in turns."""
    asked = json.loads(sys.argv[1])
    torch.set_num_threads(asked["threads"])
    module, data = make_run(asked)
    report: dict[str, Any] = {"torch": torch.__version__}
    if asked["compiled"]:
        start = time.perf_counter()
        with quick_products(module):  # as the steps will have it, or they compile anew
            report["fault"] = compile_step(module)
        report["compile_s"] = time.perf_counter() - start
    say(report)
    turns = Turns(asked["device"])
    config = TrainConfig(
        batch_size=asked["cells"], labeled_batch_size=asked["cells"], device=asked["device"]
    )
    fit(module, data, config, n_steps=900, hooks=Hooks(should_stop=partial(never_stop, turns)))


if __name__ == "__main__":
    main()
