"""Projects for tests: copies of one made before, and a short training."""

import shutil
from pathlib import Path

from scanvi_core.config import ModelConfig, TrainConfig
from scanvi_core.data.manifest import read_manifest
from scanvi_core.project.folder import create_project
from scanvi_core.services.foreground import ForegroundJob
from scanvi_core.services.paths import was_imported
from scanvi_core.services.runs.train_request import TrainRequest
from scanvi_core.services.workspace import workspace

SMALL = ModelConfig(n_hidden=32, n_latent=8)
BRIEF = TrainRequest(SMALL, TrainConfig(max_epochs=8, device="cpu"))


def copy_of(folder: Path, name: str = "Cells") -> str:
    """Return the id of a new project in the present home with the contents of a folder."""
    fresh = create_project(name)
    shutil.copytree(folder, fresh.root, dirs_exist_ok=True)
    fresh.update_settings(name=name)
    source = read_manifest(fresh.dataset)["source"]["path"]
    was_imported(Path(source))  # by another of the processes that test, maybe
    return fresh.id


def train_now(project: str, request: TrainRequest = BRIEF) -> str:
    """Train a project in this thread; return the run id."""
    from scanvi_core.services.training.in_process import train

    return train(workspace(project), request, ForegroundJob(project, lambda *_: None))
