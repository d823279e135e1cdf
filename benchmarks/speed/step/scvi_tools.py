"""Take SCANVI steps with scvi-tools; run by its own interpreter, see ``__main__``."""

import json
import sys
from pathlib import Path

import anndata
import numpy as np
import scipy.sparse as sp
import torch
from lightning.pytorch.callbacks import Callback

sys.path.append(str(Path(__file__).parents[3]))  # started with -P: nothing of ours is in the way
from benchmarks.speed.step.turns import Turns, say


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
    say({"scvi-tools": scvi.__version__})
    model.train(
        max_epochs=10**6,
        train_size=1.0,
        validation_size=0.0,
        batch_size=asked["cells"],
        accelerator="gpu" if asked["device"] == "cuda" else "cpu",
        devices=1,
        enable_progress_bar=False,
        callbacks=[EndOfStep(Turns(asked["device"]))],
    )


class EndOfStep(Callback):
    """Notes the end of a step, loader and logging included."""

    def __init__(self, turns):
        super().__init__()
        self.turns = turns

    def on_train_batch_end(self, *_):
        """Tell the turns."""
        self.turns.step_done()


if __name__ == "__main__":
    main()
