"""Is "You can stop now" right? The advice of the review against what goes on would have brought.

``python -m benchmarks.quality.stopping FOLDER [--seeds N] [SET]...`` goes on from what
`benchmarks.quality.review` keeps in FOLDER: our queue, 100 decisions, each tenth card a random
check whose cell the oracle names as it is. Every 25 decisions the refitted predictions become the
model, novelty is looked for anew and the random checks begin anew, as after an update. Before
every decision the advice of `services.review.stopping` is asked for, and kept beside the truth:
how many of the unnamed cells that the model is sure of are right, and how good the predictions
are on cells set aside.
"""

import argparse
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import data_sets
from benchmarks.quality.review import SETS, ask
from benchmarks.quality.review_orders import CHECK_EVERY, Review, least_sure
from benchmarks.results_file import Cell, Result, write
from scanvi_core.annotation.review.card_clusters import Clusters, make_clusters
from scanvi_core.annotation.review.card_order import cards, faded
from scanvi_core.annotation.review.doubt_groups import ReviewGroup, random_checks
from scanvi_core.annotation.uncertainty.novelty import find_novel
from scanvi_core.config import LOW_CONFIDENCE
from scanvi_core.services.review.stopping import Rest

DECISIONS, UPDATE_EVERY, N_CHECKS, N_SEEDS = 100, 25, 200, 2
BEARABLE = 0.01  # of accuracy, that stopping may cost


@dataclass
class Model:
    """The model in use: what it says [n, K], how novel cells look [n], its random checks."""

    p: np.ndarray
    novelty: np.ndarray
    checks: list[ReviewGroup]
    n_before: int
    outcomes: list[bool] = field(default_factory=list)

    @classmethod
    def of(cls, review: Review) -> "Model":
        """Take the predictions of now for those of a model."""
        random = np.random.default_rng(0)
        found = find_novel(review.components, review.y, review.p.shape[1], random)
        sure = review.open & (review.p.max(axis=1) >= LOW_CONFIDENCE)
        checks = random_checks(review.z, review.p, sure, n=N_CHECKS, seed=review.n_asked)
        return cls(review.p.copy(), np.nan_to_num(found.score), checks, review.n_asked)

    def check(self, review: Review) -> int | None:
        """Return the next cell that was drawn and has no name; those named before are counted."""
        while self.checks:
            row = self.checks.pop(0).drawn
            # what a decision named it, or what the oracle is about to
            name = review.y[row] if review.y[row] >= 0 else review.types[row]
            self.outcomes.append(bool(name == self.p[row].argmax()))
            if review.y[row] < 0:
                return int(row)
        return None


def simulate(review: Review) -> list[dict[str, float]]:
    """Ask the oracle, and return the advice and the truth before every decision."""
    clusters = make_clusters(review.z, lambda rows: review.components[rows])
    model, waiting, log = Model.of(review), list[np.ndarray](), []
    while review.n_asked < DECISIONS and review.open.any():
        if review.n_asked >= model.n_before + UPDATE_EVERY and not waiting:
            model = Model.of(review)
        asked = _cards(review, model, clusters)
        log.append(moment(review, model, asked))
        rows = waiting.pop(0) if waiting else _next(review, model, asked)
        waiting = ask(review, rows[review.open[rows]], 0.0) + waiting
    return log


def _cards(review: Review, model: Model, clusters: Clusters) -> list[ReviewGroup]:
    novelty = faded(model.novelty, model.p, review.p)
    return cards(
        clusters, review.p, novelty, review.open, known=review.y, n_asked=review.n_asked
    )  # fmt: skip


def _next(review: Review, model: Model, asked: list[ReviewGroup]) -> np.ndarray:
    if review.n_asked % CHECK_EVERY == CHECK_EVERY - 1:
        row = model.check(review)
        if row is not None:
            return np.array([row])
    return asked[0].rows if asked else least_sure(review)


def moment(review: Review, model: Model, asked: list[ReviewGroup]) -> dict[str, float]:
    """Return the advice of now beside the truth."""
    confidence, right = model.p.max(axis=1), model.p.argmax(axis=1) == review.types
    sure = (review.y < 0) & (confidence >= LOW_CONFIDENCE)
    promised = float(confidence[sure].mean()) if sure.any() else 1.0
    rest = Rest(review.types.size, int(sure.sum()), len(model.outcomes), sum(model.outcomes),
                len(asked), sum(card.gain for card in asked), promised)  # fmt: skip
    low, high = rest.interval
    now = review.p[review.aside].argmax(axis=1) == review.types[review.aside]
    return {"decision": review.n_asked, "can_stop": rest.can_stop, "low": low, "high": high,
            "checks": len(model.outcomes), "truth": float(right[sure].mean()) if sure.any() else 1,
            "accuracy": float(now.mean()), "f1": review.macro_f1(review.p)}  # fmt: skip


def row(name: str, logs: list[list[dict[str, float]]]) -> list[Cell]:
    """Return what stopping at the first advice to do so cost, and how often promises held."""
    stops = [next((at for at in log if at["can_stop"]), None) for log in logs]
    both = [(at, log[-1]) for at, log in zip(stops, logs, strict=True) if at is not None]
    checked = [at for log in logs for at in log if at["checks"]]
    held = [at["low"] <= at["truth"] <= at["high"] for at in checked]
    held_then = [at["low"] <= at["truth"] <= at["high"] for at, _ in both]
    cost = [last["accuracy"] - at["accuracy"] for at, last in both]
    f1 = [last["f1"] - at["f1"] for at, last in both]
    return [name, len(logs), len(both), _mean([at["decision"] for at, _ in both]), _mean(cost),
            round(max(cost), 3) if cost else None, _mean(f1),
            f"{sum(c <= BEARABLE for c in cost)} of {len(cost)}",
            f"{sum(held_then)} of {len(held_then)}",
            f"{np.mean(held):.0%}" if held else None]  # fmt: skip


def _mean(values: list[float]) -> Cell:
    return round(float(np.mean(values)), 3) if values else None


def kept(folder: Path, name: str, seed: int) -> list[dict[str, Any]]:
    """Return the log of a simulation, which is made if it is not in the folder yet."""
    path = folder / f"{name}.{seed}.stopping.json"
    if not path.exists():
        with np.load(folder / f"{name}.{seed}.npz", allow_pickle=False) as file:
            review = Review(**file, random=np.random.default_rng(seed))
        path.write_text(json.dumps(simulate(review)))
        sys.stdout.write(f"{path.name}\n")
        sys.stdout.flush()
    return list(json.loads(path.read_text()))


def main() -> None:
    """Simulate what is not in the folder yet, print, write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("sets", nargs="*", default=list(SETS), metavar="SET")
    data_sets.add_option(parser)
    parser.add_argument("--seeds", type=int, default=N_SEEDS)
    asked = parser.parse_args()
    data_sets.paths(asked.sets)
    logs = {name: [kept(asked.folder, name, seed) for seed in range(asked.seeds)]
            for name in asked.sets}  # fmt: skip
    rows = [row(name, own) for name, own in logs.items()]
    rows.append(row("**all**", [log for own in logs.values() for log in own]))
    columns = ("data set", "runs", f"stopped within {DECISIONS}", "decisions till then",
               "accuracy lost", "at most", "macro-F1 lost", f"lost at most {BEARABLE}",
               "promise held then", "promise held, whenever asked")  # fmt: skip
    notes = [
        f"Lost: against going on to {DECISIONS} decisions, on cells set aside; below 0 is a gain.",
        "Promise: the 95 % interval of how many sure cells are right, once there is a check.",
    ]
    command = f"python -m benchmarks.quality.stopping FOLDER --seeds {asked.seeds}"
    if asked.sets != list(SETS):
        command += f" {' '.join(asked.sets)}"
    write("stopping", Result('Is "You can stop now" right?', command, columns, rows, notes))


if __name__ == "__main__":
    main()
