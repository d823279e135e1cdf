"""Whether the model's map keeps types apart and mixes batches, beside plain components."""

from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
import pandas as pd

from scanvi_core.metrics.integration import NAN, Mixing, conservation, mixing
from scanvi_core.project.files import write_json
from scanvi_core.services import derived
from scanvi_core.services.diagnostics.baselines import model_counts
from scanvi_core.services.diagnostics.held_out import HeldOut, held_out
from scanvi_core.services.runs import results
from scanvi_core.services.workspace import Workspace

MAX_CELLS = 2_000  # silhouettes cost n^2
SPACES = MODEL, PLAIN = "model map", "plain PCA"
MEANING = {
    "types_apart": "Types lie apart",
    "type_neighbors": "Neighbors are of the same type",
    "batches_overlap": "Batches overlap within a type",
    "batch_neighbors": "Neighbors come from every batch",
}


class Measured(TypedDict):
    """The numbers behind the table, as they are kept."""

    scores: dict[str, dict[str, float | None]]
    n_aside: int
    n: int
    n_batches: int


@dataclass(frozen=True)
class MapScores:
    """A table (rows: what is measured; columns: model map, plain PCA; 1 is best) and a note."""

    table: pd.DataFrame
    note: str


def map_scores(opened: Workspace) -> MapScores | None:
    """Score the map of the current model; None when no cells were set aside.

    Measured once per run, in about a second, and kept in the project.
    """
    run = opened.current_run()
    if run is None:
        return None
    run_id = run.id
    return opened.cache.get(("map scores", run_id), lambda: _map_scores(opened, run_id))


def _map_scores(opened: Workspace, run_id: str) -> MapScores | None:
    cells = held_out(opened, run_id)
    if not cells.rows.size:
        return None
    path = opened.project.derived / f"map_scores_{run_id}.json"
    measured = derived.record(path, Measured)
    if measured is None:
        measured = _measure(opened, cells)
        path.parent.mkdir(exist_ok=True)
        write_json(path, measured)
    table = pd.DataFrame({"what is measured": list(MEANING.values())})
    for space in SPACES:
        scores = measured["scores"][space]
        table[space] = [NAN if scores[key] is None else scores[key] for key in MEANING]
    return MapScores(table.dropna(subset=[*SPACES], how="all"), _note(measured))


def _measure(opened: Workspace, cells: HeldOut) -> dict[str, Any]:
    """Measure both spaces.

    Types by held-out cells only: where the model saw the labels, it pulled the types apart.
    Batches by any cells, within the types as predicted.
    """
    random = np.random.default_rng(0)
    aside = _sample(len(cells.rows), random)
    anywhere = _sample(opened.dataset.n_obs, random)
    key = cells.run.settings.batch_key
    batches = opened.batches(key).index[anywhere] if key else None
    rows = np.concatenate([cells.rows[aside], anywhere])
    predicted = results.load(opened, cells.run.id).prediction[anywhere]
    filled = predicted >= 0
    scores = {}
    for name, space in (
        (MODEL, np.asarray(cells.run.array(results.Z1)[rows])),
        (PLAIN, _components(opened, cells, rows)),
    ):
        known, others = space[: len(aside)], space[len(aside) :][filled]
        apart = conservation(known, cells.truth[aside])
        mixed = (
            Mixing(NAN, NAN)
            if batches is None
            else mixing(others, predicted[filled], batches[filled])
        )
        values = dict(zip(MEANING, (*apart, *mixed), strict=True))
        scores[name] = results.without_nan(values)
    n_batches = 0 if batches is None else int(np.unique(batches).size)
    return {"scores": scores, "n_aside": len(aside), "n": len(anywhere), "n_batches": n_batches}


def _sample(n: int, random: np.random.Generator) -> np.ndarray:
    return np.sort(random.choice(n, min(n, MAX_CELLS), replace=False))


def _components(opened: Workspace, cells: HeldOut, rows: np.ndarray) -> np.ndarray:
    """Return the leading components of the model's genes, which know no label and no batch."""
    from scanvi_core.annotation.layout.louvain import pca_of
    from scanvi_core.data.normalization import log_normalized

    return pca_of(log_normalized(model_counts(opened, cells.run, rows)))


def _note(measured: dict[str, Any]) -> str:
    types = f"1 is best. Types: {measured['n_aside']:,} held-out cells"
    if measured["n_batches"] > 1:
        return f"{types}. Batches: {measured['n']:,} cells, within each predicted type."
    if measured["n_batches"] == 1:
        return f"{types}. There is one batch only: nothing to mix."
    return f"{types}. No batch column was chosen, so mixing is not measured."
