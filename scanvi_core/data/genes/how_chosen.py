"""What is told of variable genes that could not be chosen in the published way; kept with them."""

from pathlib import Path

from scanvi_core.runtime import replacing

SPANS = (0.3, 0.5, 0.8)  # share of the genes in each local fit; 0.3 is the published one
FLAVORS = ("seurat_v3", "seurat", "variance")  # tried in this order
OTHER_WAYS = {
    "seurat": "their dispersion (as Seurat 1)",
    "variance": "the variance of their logarithmized counts",
}
MOST_BYTES = 1_000


def sentence(flavor: str, span: float | None) -> str:
    """Say how the genes were chosen; empty for the published way."""
    if flavor in OTHER_WAYS:
        return (
            f"Variable genes were chosen by {OTHER_WAYS[flavor]}: the usual choice (Seurat v3) "
            "did not work, as where batches are very small or all alike. Look at the batch column."
        )
    if span is None or span == SPANS[0]:
        return ""
    return (
        "Variable genes were chosen by a smoother trend than usual, as small batches need it "
        f"(span {span:g} in place of {SPANS[0]:g}). There is nothing you need to do."
    )


def keep(genes: Path, said: str) -> None:
    """Keep the sentence beside the chosen genes."""
    place = _beside(genes)
    if not said:
        place.unlink(missing_ok=True)
        return
    with replacing(place) as temporary:
        temporary.write_text(said, encoding="utf-8")


def read(genes: Path) -> str:
    """Return the sentence beside chosen genes; empty where there is none."""
    place = _beside(genes)
    if not place.is_file():
        return ""
    with place.open("rb") as file:
        return file.read(MOST_BYTES).decode("utf-8", "replace")


def _beside(genes: Path) -> Path:
    return genes.with_suffix(".txt")
