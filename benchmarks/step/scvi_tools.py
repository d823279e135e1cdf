"""Take SCANVI steps with scvi-tools; run by its own interpreter, see ``__main__``."""

import json
import sys
import time
from pathlib import Path

import anndata
import numpy as np
import scipy.sparse as sp
import torch
from lightning.pytorch.callbacks import Callback


def main() -> None:
    """Answer every line of numbers of steps with the seconds each step took."""
    asked = json.loads(sys.argv[1])
    torch.set_num_threads(asked["threads"])
    import scvi

    scvi.settings.num_threads = asked["threads"]
    found = np.load(asked["data"])
    counts = sp.csr_matrix((found["data"], found["indices"], found["indptr"]), found["shape"])
    cells = anndata.AnnData(counts.astype(np.float32))
    cells.obs["batch"] = found["batch"].astype(str)
    cells.obs["label"] = np.where(found["y"] < 0, "Unknown", found["y"].astype(str))
    scvi.model.SCANVI.setup_anndata(
        cells, labels_key="label", unlabeled_category="Unknown", batch_key="batch"
    )
    model = scvi.model.SCANVI(
        cells, n_latent=10, n_hidden=128, gene_likelihood=asked["likelihood"]
    )
    sys.stdout.write(json.dumps({"scvi-tools": scvi.__version__}) + "\n")
    sys.stdout.flush()
    model.train(
        max_epochs=10**6,
        train_size=1.0,
        validation_size=0.0,
        batch_size=asked["cells"],
        accelerator="gpu" if asked["device"] == "cuda" else "cpu",
        devices=1,
        enable_progress_bar=False,
        callbacks=[Turns(asked["device"])],
    )


class Turns(Callback):
    """Takes as many steps as the next line says, answers with their seconds, and waits."""

    def __init__(self, device):
        super().__init__()
        self.device, self.left, self.times, self.since = device, 0, [], None

    def on_train_batch_end(self, *_):
        """Note the time since the end of the step before, loader and logging included."""
        if self.device == "cuda":
            torch.cuda.synchronize()
        if self.since is not None:
            self.times.append(time.perf_counter() - self.since)
            self.left -= 1
        if self.left == 0:
            if self.times:
                sys.stdout.write(json.dumps(self.times) + "\n")
                sys.stdout.flush()
            self.left, self.times = int(sys.stdin.readline()), []
        self.since = time.perf_counter()


if __name__ == "__main__":
    sys.path = [p for p in sys.path if Path(p or ".").resolve() != Path(__file__).parent]
    main()
