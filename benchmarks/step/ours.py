"""Train SCANVI with this project; run as a process of its own, see ``__main__``."""

import json
import sys
import time
from typing import Any

import numpy as np
import torch
from scipy import sparse

from scanvi_core.config import TrainConfig
from scanvi_core.module import SCANVI
from scanvi_core.train.compiled import compile_step
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


class Turns:
    """Takes as many steps as the next line says, answers with their seconds, and waits."""

    def __init__(self, device: str) -> None:
        self.device, self.left, self.times, self.since = device, 0, list[float](), 0.0

    def __call__(self) -> bool:
        """Note the time since the end of the step before, cutting the minibatch included."""
        if self.device == "cuda":
            torch.cuda.synchronize()
        if self.since:
            self.times.append(time.perf_counter() - self.since)
            self.left -= 1
        if self.left == 0:
            if self.times:
                say(self.times)
            self.left, self.times = int(sys.stdin.readline()), []
        self.since = time.perf_counter()
        return False


def say(what: Any) -> None:
    """Write one line of JSON."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Train for ever, in turns."""
    asked = json.loads(sys.argv[1])
    torch.set_num_threads(asked["threads"])
    module, data = make_run(asked)
    report: dict[str, Any] = {"torch": torch.__version__}
    if asked["compiled"]:
        start = time.perf_counter()
        report["fault"] = compile_step(module)
        report["compile_s"] = time.perf_counter() - start
    say(report)
    config = TrainConfig(
        batch_size=asked["cells"], labelled_batch_size=asked["cells"], device=asked["device"]
    )
    fit(module, data, config, n_steps=900, hooks=Hooks(should_stop=Turns(asked["device"])))


if __name__ == "__main__":
    main()
