"""The ways to color the cells of a map, and to search for a gene to color by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scanvi_core import keys
from scanvi_core.data.anndata_files import cell_type_names
from scanvi_core.data.qc import limits
from scanvi_core.services.diagnostics import uncertainty
from scanvi_core.services.opinions.kept import kept, meant, revision, types_of
from scanvi_core.services.quality import flags as quality_flags
from scanvi_core.services.runs import provisional, results
from scanvi_core.services.workspace import Workspace

if TYPE_CHECKING:
    from scanvi_core.annotation.genes.marker_rule import Marker
from scanvi_core.services.explore.maps import CLUSTER, clusters_of

LABEL, PREDICTION, CONFIDENCE, SOURCE, HELD_OUT = (
    "Label", "Prediction", "Confidence", "Label source", "Set aside",
)  # fmt: skip
REASON, NOVELTY, DOUBLET = "Reason for doubt", "Novelty", "Doublet score"
QUALITY = "Quality flag"
OPINION = "Opinion: "  # before whose it is
STANDARD = (LABEL, PREDICTION, CONFIDENCE, SOURCE, HELD_OUT, CLUSTER, REASON, NOVELTY, DOUBLET)
REASON_PLACES = (-1, 1, 6, 0)  # in the palette: gray, orange, purple, blue
LIKE_CLUSTERS = ("leiden", "louvain", "cluster", "seurat")
GRAY = -1  # in place of a palette's place
MAX_CATEGORIES = 200


@dataclass(frozen=True)
class Coloring:
    """One way to color cells: by category (codes, names) or by value.

    `places` are the types' positions in the palette, so that a type keeps its color everywhere.
    Categories that are spread over the map (reasons, batches) are no place on it (`is_place`).
    """

    name: str
    revision: str
    codes: np.ndarray | None = None
    names: tuple[str, ...] = ()
    places: tuple[int, ...] = ()
    values: np.ndarray | None = None
    is_place: bool = True


def color_options(opened: Workspace) -> list[str]:
    """Return what cells can be colored by, genes aside."""
    options = [LABEL, QUALITY]
    if clusters_of(opened) is not None:
        options.append(CLUSTER)
    if opened.current_run() is not None:
        options += [PREDICTION, CONFIDENCE, SOURCE, HELD_OUT]
    if uncertainty.reasons(opened) is not None:
        options += [REASON, NOVELTY, DOUBLET]
    options += [OPINION + own.name for own in kept(opened)]
    usable = [
        name
        for name, column in opened.dataset.manifest["obs_columns"].items()
        if column["kind"] == "number" or column["n_unique"] <= MAX_CATEGORIES
    ]
    return options + usable


def coloring(opened: Workspace, what: str) -> Coloring:
    """Return how to color all cells by one of `color_options`."""
    if what in (LABEL, SOURCE, HELD_OUT):
        return _by_labels(opened, what)
    clusters = clusters_of(opened) if what == CLUSTER else None
    if clusters is not None:
        names = tuple(f"cluster {i + 1}" for i in range(int(clusters.max()) + 1))
        return Coloring(what, f"{what}/{opened.id}", clusters.astype(np.int32), names)
    if what in (PREDICTION, CONFIDENCE) and opened.current_run() is not None:
        return _by_prediction(opened, what)
    if what == QUALITY:
        return _by_quality(opened)
    if what.startswith(OPINION):
        return _by_opinion(opened, what)
    seen = uncertainty.reasons(opened) if what in (REASON, NOVELTY, DOUBLET) else None
    if seen is None:
        return _by_column(opened, what)
    return _by_doubt(what, seen, quality_flags.revision(opened, opened.batch_key))


def _by_prediction(opened: Workspace, what: str) -> Coloring:
    """Color by the newest predictions there are: provisional ones after a decision."""
    made, predictions = provisional.state(opened).newest, results.current(opened)
    if made is not None:
        predictions = made.predictions
    if predictions is None:
        raise ValueError("there is no current run")
    title = f"{what} (provisional)" if made else what
    moment = f"{predictions.run_id}.{made.seq if made else 0}"
    if what == CONFIDENCE:
        return Coloring(title, f"{what}/{moment}", values=predictions.confidence)
    return _by_type(opened, title, predictions.prediction, predictions.names, moment)


def _by_quality(opened: Workspace) -> Coloring:
    """Color poor cells by their flag, after training with what its look found; others gray."""
    seen, revision = uncertainty.reasons(opened), quality_flags.revision(opened, opened.batch_key)
    batches = opened.batches(opened.batch_key)
    flags = quality_flags.flags(opened, batches) if seen is None else seen.qc
    moment = f"{revision}/{seen.run_id if seen is not None else ''}"
    return Coloring(
        QUALITY,
        f"{QUALITY}/{moment}",
        flags.astype(np.int32) - 1,
        limits.FLAG_NAMES[1:],
        is_place=False,
    )


def _by_opinion(opened: Workspace, what: str) -> Coloring:
    """Color by what an opinion says; only the kept ones are among the ways to color."""
    own = next(own for own in kept(opened) if OPINION + own.name == what)
    names = types_of(own)
    return _by_type(opened, what, meant(own, names), names, str(revision(opened)))


def _by_doubt(what: str, seen: uncertainty.Uncertainty, revision: str) -> Coloring:
    revision = f"{what}/{seen.run_id}/{revision}"
    if what == REASON:
        codes = seen.reason.astype(np.int32)
        return Coloring(
            what, revision, codes, uncertainty.REASON_NAMES, REASON_PLACES, is_place=False
        )
    values = seen.novelty if what == NOVELTY else seen.doublet_score
    return Coloring(what, revision, values=values)


def range_of(opened: Workspace, column: str) -> tuple[float, float]:
    """Return the smallest and the largest number of a column; 0 and 1 where there is none."""
    values = coloring(opened, column).values
    known = values[np.isfinite(values)] if values is not None else np.empty(0)
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    return low, high if high > low else low + 1.0


def gene_coloring(opened: Workspace, gene: str) -> Coloring:
    """Return how to color all cells by a gene: log1p of counts per 10,000.

    Raises
    ------
    ColumnMissing
        If there is no such gene.
    """
    values = opened.dataset.gene(gene)
    return Coloring(gene, f"gene/{gene}", values=values)


def value_range(values: np.ndarray) -> tuple[float, float]:
    """Return the ends of a readable scale: the extremes, save a few that would flatten the rest.

    When the largest value lies more than twice as far from the smallest as 99.9 % of the others,
    the scale ends there; likewise below.
    """
    known = values[np.isfinite(values)]
    if not known.size:
        return 0.0, 1.0
    low, high = float(known.min()), float(known.max())
    sample = known[:: max(1, known.size // 100_000)]
    few, many = (float(end) for end in np.quantile(sample, (0.001, 0.999)))
    if few < many:
        high = many if high - few > 2 * (many - few) else high
        low = few if many - low > 2 * (many - few) else low
    return low, high


def gene_names(opened: Workspace) -> list[str]:
    """Return the names of all genes, for a search box."""
    return list(dict.fromkeys(opened.dataset.symbols.tolist()))


def markers_of(opened: Workspace, rule: str) -> "list[Marker]":
    """Return the terms of a marker rule, its genes as the data call them.

    Raises
    ------
    InputError
        If the rule cannot be read or names a gene that is not there.
    """
    from scanvi_core.annotation.genes.marker_rule import known_markers

    dataset = opened.dataset
    return known_markers(rule, sorted({*dataset.symbols.tolist(), *dataset.var_names.tolist()}))


def type_colors(opened: Workspace) -> dict[str, int]:
    """Return each type's place in the palette, so that a type keeps its color everywhere.

    The verdict "unknown" is gray, as cells without a label are.
    """
    return {
        name: GRAY if name == keys.UNKNOWN else i for i, name in enumerate(opened.labels().names)
    }


def _by_labels(opened: Workspace, what: str) -> Coloring:
    state = opened.labels()
    revision = f"{what}/{state.seq}"
    if what == SOURCE:
        words = ("given", "named by hand", "accepted prediction")
        return Coloring(
            what, revision, codes=state.sources.astype(np.int32) - 1, names=words, is_place=False
        )
    if what == HELD_OUT:
        codes = np.where(state.holdout, 0, -1)
        return Coloring(what, revision, codes=codes, names=("set aside",), is_place=False)
    codes, names = state.compact()
    return _by_type(opened, what, codes, names, str(state.seq))


def places_of(names: Sequence[str], places: Mapping[str, int]) -> tuple[int, ...]:
    """Return the places in the palette of some types: their own, else in their order."""
    return tuple(places.get(name, i) for i, name in enumerate(names))


def _by_type(
    opened: Workspace, what: str, codes: np.ndarray, names: tuple[str, ...], revision: str
) -> Coloring:
    """Color by cell type; a type keeps its place in the palette whatever else is shown."""
    own = places_of(names, type_colors(opened))
    return Coloring(what, f"{what}/{revision}/{opened.labels().seq}", codes, names, own)


def _by_column(opened: Workspace, key: str) -> Coloring:
    revision = f"obs/{key}"
    if opened.dataset.manifest["obs_columns"][key]["kind"] != "number":
        codes, names = opened.categories(key)
        clusters = any(word in key.casefold() for word in LIKE_CLUSTERS)
        is_place = clusters or cell_type_names.column_holds_types(key, names)
        return Coloring(key, revision, codes, names, is_place=is_place)

    def read() -> np.ndarray:
        return opened.dataset.values(key).to_numpy(np.float32, na_value=np.nan, copy=True)

    return Coloring(key, revision, values=opened.cache.get(("numbers", key), read))
