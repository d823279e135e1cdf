"""A broken training run, kept in one safetensors file and taken up again."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from scanvi_core.errors import TrainingError
from scanvi_core.keys import as_now
from scanvi_core.runtime import replacing
from scanvi_core.train.history import EpochRecord, TrainingHistory
from scanvi_core.train.step import out_of_memory
from scanvi_core.train.training import Training

META = "scanvi"
USUAL = "usual_gradient"
START_AGAIN = "Delete the file and train from the start."


def save(path: Path, run: Training) -> None:
    """Write network, optimizer, random states and history of `run`, all or nothing."""
    tensors = {
        **_prefixed("module", run.module.state_dict()),
        **_prefixed("best", run.best),
        "noise": run.stepper.noise.get_state(),
        USUAL: run.stepper.guard.usual,
    }
    for i, state in run.stepper.optimizer.state_dict()["state"].items():
        tensors |= _prefixed(f"optimiser.{i}", state)
    if run.teach is not None and run.stepper.teacher is not None:
        tensors["teacher"] = run.stepper.teacher
    samplers = {"cells": run.cells.state(), "labelled": run.labeled.state()}
    for name, state in samplers.items():
        tensors[name] = torch.from_numpy(state["order"])
    meta = {
        "settings": _settings(run),
        "step": run.step,
        "seconds": run.seconds,
        "score": run.score,
        "history": asdict(run.history),
        "positions": {name: state["position"] for name, state in samplers.items()},
        "random": run.random.bit_generator.state,
    }
    solid = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with replacing(path) as temporary:
        save_file(solid, temporary, metadata={META: json.dumps(meta)})


def load(path: Path, run: Training) -> None:
    """Put `run`, freshly built from the same data and settings, where `save` left it.

    Raises
    ------
    TrainingError
        If the file is damaged, or was written by a run with other settings.
    """
    tensors, meta = _read(path)
    if not isinstance(meta, dict) or _stored_settings(meta) != _settings(run):
        raise TrainingError(f"{path.name} is of a run with other settings.", START_AGAIN)
    try:
        _restore(run, tensors, meta)
    except (KeyError, TypeError, ValueError, IndexError, RuntimeError) as error:
        if out_of_memory(error):
            raise
        raise TrainingError(f"{path.name} is damaged: {error}.", START_AGAIN) from error


def _restore(run: Training, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
    run.module.load_state_dict(_under("module", tensors))
    best = _under("best", tensors)
    run.best = {name: value.to(run.stepper.device) for name, value in best.items()}
    states: dict[int, dict[str, Tensor]] = {}
    for name, value in _under("optimiser", tensors).items():
        i, key = name.split(".", 1)
        states.setdefault(int(i), {})[key] = value
    groups = run.stepper.optimizer.state_dict()["param_groups"]
    run.stepper.optimizer.load_state_dict({"state": states, "param_groups": groups})
    run.stepper.noise.set_state(tensors["noise"])
    run.random.bit_generator.state = meta["random"]
    for name, sampler in (("cells", run.cells), ("labelled", run.labeled)):
        sampler.restore({"order": tensors[name].numpy(), "position": meta["positions"][name]})
    if USUAL in tensors:  # not of versions that did not watch them
        run.stepper.guard.usual.copy_(tensors[USUAL])
    if "teacher" in tensors:
        run.learn_from(tensors["teacher"].numpy())
    run.step, run.seconds, run.score = meta["step"], meta["seconds"], tuple(meta["score"])
    records = [EpochRecord(**record) for record in meta["history"].pop("records")]
    run.history = TrainingHistory(records=records, **meta["history"])


def _settings(run: Training) -> dict[str, Any]:
    """Return what two runs must share for one to go on from the other."""
    return {
        "train": asdict(run.config),
        "n_steps": run.n_steps,
        "n_obs": len(run.data.y),
        "labelled": int(np.count_nonzero(run.data.y >= 0)),
        "shapes": {name: list(w.shape) for name, w in run.module.state_dict().items()},
    }


def _stored_settings(meta: dict[str, Any]) -> Any:
    """Return the settings in a checkpoint, as this version calls them."""
    settings = meta.get("settings")
    if not isinstance(settings, dict) or not isinstance(settings.get("train"), dict):
        return None
    return settings | {"train": as_now(settings["train"])}


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        with safe_open(path, framework="pt") as file:
            names = file.keys()
            tensors = {name: file.get_tensor(name) for name in names}
            meta = json.loads((file.metadata() or {}).get(META, "null"))
    except (SafetensorError, ValueError) as error:
        raise TrainingError(f"{path.name} cannot be read: {error}.", START_AGAIN) from error
    if not isinstance(meta, dict):
        raise TrainingError(
            f"{path.name} cannot be read: it says nothing of its run.", START_AGAIN
        )
    return tensors, meta


def _prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    start = f"{prefix}."
    return {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}
