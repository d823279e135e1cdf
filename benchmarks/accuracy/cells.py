"""The cells of a data set, and which of their labels a method may see."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import sparse

from scanvi_core.data.dataset import Dataset
from scanvi_core.data.genes.choose import variable_genes
from scanvi_core.data.intake.import_file import import_file

N_GENES = 2_000
MIN_SHOWN = 3  # labeled cells per type, whatever the fraction
LABELS, BATCH = "cell_type", "batch"
ONE_BATCH = 1.0  # as a fraction: all labels of one batch, none of the others


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells of a data set, in its variable genes.

    Parameters
    ----------
    counts
        Counts [n, genes], CSR, float32; every cell has some.
    genes
        Names of the genes.
    types, type_names
        True codes [n], -1 where the file has no label, and the K names.
    batch
        Batch codes [n]; all 0 where the file tells no batches apart.
    """

    name: str
    counts: sparse.csr_array
    genes: tuple[str, ...]
    types: np.ndarray
    type_names: tuple[str, ...]
    batch: np.ndarray


def load(path: Path, folder: Path) -> Cells:
    """Read a file as the program does, and choose its variable genes without labels.

    `folder` keeps the program's copy of the file and the choice of genes; both are made once.
    """
    home = folder / path.stem
    if not home.exists():
        import_file(path, home)
    dataset = Dataset.open(home)
    return cells_of(dataset, variable_genes(home, N_GENES, batch_key(dataset)))


def batch_key(dataset: Dataset) -> str | None:
    """Return the column that tells batches apart; None where there is none."""
    return BATCH if BATCH in dataset.obs.columns else None


def cells_of(dataset: Dataset, chosen: np.ndarray) -> Cells:
    """Return the cells of the program's copy that have counts in the `chosen` genes."""
    counts = sparse.csr_array(dataset.genes_matrix(chosen), dtype=np.float32)
    full = np.asarray(counts.sum(axis=1)).ravel() > 0
    types = dataset.column(LABELS).astype("category").cat.remove_unused_categories().cat
    key = batch_key(dataset)
    batch = np.zeros(len(full), dtype=np.int64)
    if key is not None:
        batch = dataset.column(key).astype("category").cat.codes.to_numpy(np.int64)
    return Cells(
        name=data_set_name(Path(dataset.manifest["name"])),
        counts=counts[full],
        genes=tuple(map(str, dataset.var_names[chosen])),
        types=types.codes.to_numpy(np.int64)[full],
        type_names=tuple(map(str, types.categories)),
        batch=batch[full],
    )


def data_set_name(path: Path) -> str:
    """Return the name of a data set from that of its file."""
    return path.stem.removesuffix("_counts")


def shown_labels(types: np.ndarray, fraction: float, mask: int) -> np.ndarray:
    """Return the labels a method may see [n]: -1 where they are hidden.

    Of each type, `fraction` of the cells and at least three are shown, drawn by the seed `mask`;
    a larger fraction shows the same cells and more. Of a type with two or three cells one is
    hidden; the cell of a type that has only one is shown, and that type is not scored.

    Parameters
    ----------
    types
        True codes [n]; cells at -1 have no label to show.
    fraction
        Share of the cells of each type.
    mask
        Seed of the draw.
    """
    random = np.random.default_rng(mask)
    shown = np.full(len(types), -1, dtype=np.int64)
    for code in np.unique(types[types >= 0]):
        rows = random.permutation(np.flatnonzero(types == code))
        wanted = max(MIN_SHOWN, round(fraction * len(rows)))
        shown[rows[: max(1, min(wanted, len(rows) - 1))]] = code
    return shown


def labels_of_one_batch(types: np.ndarray, batch: np.ndarray, mask: int) -> np.ndarray | None:
    """Return the labels a method may see [n] when only the `mask`-th largest batch has any.

    None where there is no such batch, nothing outside it, or fewer than two types in it.
    """
    sizes = np.bincount(batch[types >= 0])
    order = np.argsort(-sizes, kind="stable")
    if np.count_nonzero(sizes) < max(2, mask + 1):
        return None
    shown = np.where(batch == order[mask], types, -1)
    return shown if len(np.unique(shown[shown >= 0])) > 1 else None


def split(cells: Cells, fraction: float, mask: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the labels a method may see [n], and the true ones [n], as codes from 0 without gaps.

    Types that are not shown at all cannot be found by anyone: their cells have no true label here.
    None where the data set cannot be split so.
    """
    if fraction == ONE_BATCH:
        shown = labels_of_one_batch(cells.types, cells.batch, mask)
        if shown is None:
            return None
    else:
        shown = shown_labels(cells.types, fraction, mask)
    codes = np.full(len(cells.type_names) + 1, -1)  # the last is for -1
    known = np.unique(shown[shown >= 0])
    codes[known] = np.arange(len(known))
    return codes[shown], codes[cells.types]


def words(fraction: float) -> str:
    """Say which labels are shown."""
    return "one batch" if fraction == ONE_BATCH else f"{fraction:.1%}"


def hidden_cells(types: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Return the rows a method is judged on: all with a label it has not seen."""
    return np.flatnonzero((types >= 0) & (shown < 0))
