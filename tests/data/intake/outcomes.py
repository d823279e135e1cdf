"""What may become of a file, and how an answer of the child is held against it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scanvi_core import errors
from scanvi_core.data.child import answer
from scanvi_core.data.dataset import Dataset

NEW = "it was read into a new .h5ad file."  # said of everything that was no .h5ad


@dataclass(frozen=True, slots=True)
class Loads:
    """Taken in: counts from `source`, so many cells and genes, with just these notices."""

    source: str
    n_obs: int
    n_vars: int
    says: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """Refused with an error of this class, whose message holds these words."""

    kind: str
    words: str


@dataclass(frozen=True, slots=True)
class Asks:
    """A question comes first; `then` is what follows the answers."""

    key: str
    answers: Mapping[str, str]
    then: Loads | Refused


Outcome = Loads | Refused | Asks
Totals = Callable[[str], np.ndarray]  # of the matrix called so, cell by cell


def ask(
    path: Path,
    folder: Path,
    task: str = "import",
    step_seconds: float | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Run a request here instead of in a child, which costs a second each."""
    request = {"task": task, "path": str(path), "matrix": None, "folder": str(folder)}
    request |= {"sources": str(folder.with_name("source")), "answers": {}}
    return answer({**request, "memory_mb": 4_000, "timeout_s": 60, **more}, step_seconds)


def deviations(path: Path, folder: Path, outcome: Outcome, totals: Totals | None) -> list[str]:
    """Return in what an answer differs from what it has to be; nothing when it is right.

    Parameters
    ----------
    path
        The file.
    folder
        Where the data set goes.
    outcome
        What has to become of it.
    totals
        Counts per cell by name of the matrix, read by others; None skips the comparison.
    """
    reply = ask(path, folder)
    turned = isinstance(outcome, Asks) and outcome.key == "orientation"
    if isinstance(outcome, Asks):
        question = reply.get("result", {}).get("question", {})
        if question.get("key") != outcome.key:
            return [f"no question for the {outcome.key}: {reply}"[:400]]
        reply, outcome = ask(path, folder, answers=outcome.answers), outcome.then
    if isinstance(outcome, Refused):
        return _refusal(reply, outcome, folder)
    if "error" in reply:
        return [f"refused: {reply['error']['message']}"]
    found = _manifest(reply["result"], outcome, is_new=turned or _is_foreign(path))
    if not found:
        found = _dataset(Dataset.open(folder), outcome, totals)
    return found


def _refusal(reply: dict[str, Any], outcome: Refused, folder: Path) -> list[str]:
    if "error" not in reply:
        return ["taken in"]
    failure = reply["error"]
    message, kind = failure["message"], getattr(errors, failure["class"], None)
    right = {
        f"is a {failure['class']}": failure["class"] == outcome.kind,
        f"says {message!r}": outcome.words in message,
        "is no InputError": kind is not None and issubclass(kind, errors.InputError),
        f"ends without a stop: {message!r}": message.endswith((".", "?")),
        "has no hint": bool(failure["hint"]),
        f"shows an exception: {message!r}": "Error" not in message,
        "leaves something behind": not folder.exists(),
    }
    return [what for what, is_right in right.items() if not is_right]


def _manifest(result: dict[str, Any], outcome: Loads, *, is_new: bool) -> list[str]:
    if "question" in result:
        return [f"asks for the {result['question']['key']}"]
    json.dumps(result, allow_nan=False)
    found = (result["counts_source"], result["n_obs"], result["n_vars"])
    wrong = []
    if found != (outcome.source, outcome.n_obs, outcome.n_vars):
        wrong.append(f"found {found}")
    said = result["repairs"] + result["warnings"]
    if is_new != any(NEW in sentence for sentence in said):
        wrong.append("was read into a new file, or should have been")
    said = [sentence for sentence in said if NEW not in sentence]
    wrong += [f"says {x!r}" for x in said if not any(words in x for words in outcome.says)]
    return wrong + [f"does not say {x!r}" for x in outcome.says if not any(x in s for s in said)]


def _dataset(dataset: Dataset, outcome: Loads, totals: Totals | None) -> list[str]:
    counts = dataset.counts
    sums = np.asarray(counts.sum(axis=1, dtype=float)).ravel()
    right = {
        "shape": counts.shape == (dataset.n_obs, dataset.n_vars),
        "counts that are not": (counts.data > 0).all() and (counts.data % 1 == 0).all(),
        "names of cells": len(set(dataset.obs_names)) == dataset.n_obs == len(dataset.obs),
        "names of genes": len(set(dataset.var_names)) == dataset.n_vars == len(dataset.symbols),
        "columns": list(dataset.obs) == list(dataset.manifest["obs_columns"]),
        "totals": np.array_equal(dataset.totals, sums),
        "silent change": totals is None or np.array_equal(sums, totals(outcome.source)),
    }
    return [what for what, is_right in right.items() if not is_right]


def _is_foreign(path: Path) -> bool:
    """Tell whether a file has to be read into a new one: it is not AnnData in HDF5 itself."""
    import h5py

    if not path.is_file() or not h5py.is_hdf5(path):
        return True
    with h5py.File(path) as file:
        return not {"obs", "var"} <= set(file) or "mod" in file
