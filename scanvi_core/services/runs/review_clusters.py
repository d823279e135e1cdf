"""The clusters of a run's cells, of which a review makes its cards, and how novel cells are."""

from typing import TYPE_CHECKING, Any

import numpy as np

from scanvi_core.arrays import damaged
from scanvi_core.project.runs import Run
from scanvi_core.services.runs.results import Z1

if TYPE_CHECKING:
    from scanvi_core.annotation.model.trained import TrainedModel
    from scanvi_core.annotation.review.card_clusters import Clusters

CLUSTER, DISTANCE, NOVELTY = "card_cluster", "card_distance", "novelty"
MIDDLES = "card_middles"  # runs of earlier versions have none


def write(run: Run, model: "TrainedModel", counts: Any) -> None:
    """Cluster the cells of a run that was just trained, and keep the clusters with it."""
    from scanvi_core.annotation.review.card_clusters import make_clusters
    from scanvi_core.data.blocks.rows import take_rows

    made = make_clusters(
        run.array(Z1), lambda rows: model.linear_models.project(take_rows(counts, rows))
    )
    run.write_array(CLUSTER, made.codes)
    run.write_array(DISTANCE, made.distance)
    if made.middles is not None:
        run.write_array(MIDDLES, made.middles)


def read(run: Run) -> "Clusters | None":
    """Return the clusters of a run; None for runs of earlier versions, which have none.

    Raises
    ------
    DataDamaged
        If there are clusters without a middle, or more middles than are ever made.
    """
    from scanvi_core.annotation.review.card_clusters import MOST, Clusters

    if not (run.has_array(CLUSTER) and run.has_array(DISTANCE)):
        return None
    codes, middles = np.asarray(run.array(CLUSTER)), None
    if run.has_array(MIDDLES):
        middles = np.asarray(run.array(MIDDLES))
        if not codes.max(initial=-1) < len(middles) <= MOST or not np.isfinite(middles).all():
            raise damaged(run.root / f"{MIDDLES}.npy", f"of its {len(middles)} some are none")
    return Clusters(codes, np.asarray(run.array(DISTANCE)), middles)


def novelty(run: Run, before: np.ndarray, now: np.ndarray, explained: np.ndarray) -> np.ndarray:
    """Return how unlike all labeled cells each cell is by now [n_obs]; NaN where unknown.

    What the look after the training found fades with the decisions; see `card_order.faded`.
    """
    from scanvi_core.annotation.review.card_order import faded

    if not run.has_array(NOVELTY):
        return np.full(len(now), np.nan, dtype=np.float32)
    return faded(run.array(NOVELTY), before, now, explained).astype(np.float32)
