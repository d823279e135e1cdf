"""Maps and clusters of a project: which there are, where their coordinates come from."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scanvi_core import runtime
from scanvi_core.errors import DataDamaged
from scanvi_core.project.records import derived_kinds
from scanvi_core.services import derived, jobs
from scanvi_core.services.runs import results, review_clusters
from scanvi_core.services.workspace import IO_LANE, Workspace

if TYPE_CHECKING:
    from scanvi_core.annotation.review.card_clusters import Clusters

MAP = "map"
SHORT = 5  # letters of UMAP, tSNE, PCA


CLUSTER = "Cluster"


BASE = "base"


BASE_MAP, CLUSTERS = "base_map", "clusters"  # files


TITLES = {
    results.Z1: "Model map (z1)",
    results.Z2: "Model map without the type (z2)",
    BASE: "Map of the counts (PCA, UMAP)",
}
PRINTED = {  # for who reads a paper
    results.Z1: "UMAP of the model's latent space",
    results.Z2: "UMAP of the model's latent space without the type",
    BASE: "UMAP of the principal components of the counts",
}


def embeddings(opened: Workspace) -> dict[str, str]:
    """Return the maps that can be drawn now: id and title, the most useful first."""
    titles: dict[str, str] = {}
    run = opened.current_run()
    if run is not None:
        titles |= {
            name: TITLES[name] for name in results.MAPS if run.has_array(results.MAPS[name])
        }
    usable = {key: f"From the file: {key}" for key in opened.dataset.obsm_keys}
    titles |= dict(sorted(usable.items(), key=lambda item: "umap" not in item[0].lower()))
    if _array(opened, BASE_MAP) is not None:
        titles[BASE] = TITLES[BASE]
    return titles


def title_of(embedding: str) -> str:
    """Return what a map is called on the pages."""
    return TITLES.get(embedding, f"The map {embedding}")


def printed(embedding: str) -> str:
    """Return what a map is called on a figure."""
    name = embedding.removeprefix("X_")
    return PRINTED.get(embedding, name.upper() if len(name) <= SHORT else name)


def coordinates(opened: Workspace, embedding: str) -> np.ndarray:
    """Return the map's coordinates, float32 [n_obs, 2]."""
    run = opened.current_run()
    if embedding in results.MAPS and run is not None:
        return run.array(results.MAPS[embedding])  # mapped from disk: nothing to keep
    if embedding == BASE:
        drawn = _array(opened, BASE_MAP)
        if drawn is None:
            raise DataDamaged("The map of the counts is damaged.", "Draw it again on Explore.")
        return drawn

    places = opened.dataset.obsm(embedding)
    if places.shape[1] == 2 and places.flags.c_contiguous:
        return places

    def read() -> np.ndarray:
        return np.array(places[:, :2], order="C")

    return opened.cache.get(("coordinates", embedding), read)


def map_revision(opened: Workspace, embedding: str) -> str:
    """Return a key that changes when the map's coordinates do."""
    run = opened.current_run() if embedding in results.MAPS else None
    if run is None:
        return f"{opened.id}/{embedding}/"
    # the maps of a run may be those of the run before for a while
    return f"{opened.id}/{embedding}/{run.id}.{run.array_time(results.MAPS[embedding])}"


def start_base_map(opened: Workspace) -> str:
    """Compute PCA, clusters and a UMAP of the counts in the background; return the job id."""
    return jobs.submit(
        jobs.JobRequest(
            opened.id, MAP, IO_LANE, lambda job: make_base_map(opened, job), changes=False
        )
    )


def make_base_map(opened: Workspace, job: jobs.Job) -> None:
    """Compute PCA, clusters and a UMAP of the counts as a part of a job, up to 0.65 of it."""
    from scanvi_core.annotation.layout import embedding, louvain
    from scanvi_core.annotation.review.card_clusters import make_clusters
    from scanvi_core.config import TrainConfig
    from scanvi_core.data.genes.choose import variable_genes
    from scanvi_core.data.normalization import log_normalized

    job.report(0.1, "Choosing variable genes")
    genes = variable_genes(opened.dataset.folder, TrainConfig().n_top_genes, opened.batch_key)
    job.step(0.3, "Computing principal components")
    logs = log_normalized(opened.dataset.genes_matrix(genes), opened.dataset.totals)
    pca = louvain.pca_of(logs)
    job.step(0.5, "Finding clusters")
    codes = louvain.louvain_clusters(pca)
    _save(_derived(opened, CLUSTERS), codes)
    small = make_clusters(np.zeros((len(pca), 1)), lambda rows: pca[rows])
    _save(_derived(opened, review_clusters.CLUSTER), small.codes)
    _save(_derived(opened, review_clusters.DISTANCE), small.distance)
    job.step(0.6, "Drawing the map")
    _save(_derived(opened, BASE_MAP), embedding.umap_of(pca, seed=0, strata=codes))


def _save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(exist_ok=True)
    with runtime.replacing(path) as temporary, temporary.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def clusters_of(opened: Workspace) -> np.ndarray | None:
    """Return cluster codes [n_obs] of the counts, None before `start_base_map` has run."""
    return _array(opened, CLUSTERS)


def is_clustered(opened: Workspace) -> bool:
    """Tell whether clusters and tight clusters of the counts are there, without reading them."""
    names = CLUSTERS, review_clusters.CLUSTER, review_clusters.DISTANCE
    return all(_derived(opened, name).is_file() for name in names)


def small_clusters(opened: Workspace) -> "Clusters | None":
    """Return tight clusters of about ten cells each, None before `start_base_map` has run."""
    from scanvi_core.annotation.review.card_clusters import Clusters

    codes, distance = (
        _array(opened, name) for name in (review_clusters.CLUSTER, review_clusters.DISTANCE)
    )
    return None if codes is None or distance is None else Clusters(codes, distance)


def _derived(opened: Workspace, name: str) -> Path:
    """Return the file of what was worked out from these very counts."""
    counts = opened.dataset.manifest["counts_sha256"][:12]
    return opened.project.derived / f"{name}-{counts}.npy"


def _array(opened: Workspace, name: str) -> np.ndarray | None:
    return derived.array(_derived(opened, name), derived_kinds(opened.dataset.n_obs)[name])
