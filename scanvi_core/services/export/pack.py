"""The annotation of a project as one file without cells: a pack."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scanvi_core.colors import type_color
from scanvi_core.data.dataset import Dataset
from scanvi_core.data.joining.genes import NAMES, SYMBOLS, names_of
from scanvi_core.data.names import is_identifier
from scanvi_core.project import pack as pack_file
from scanvi_core.project.folder import now
from scanvi_core.project.runs import Run
from scanvi_core.services.explore import colors, rules
from scanvi_core.services.export import methods
from scanvi_core.services.labels import type_terms
from scanvi_core.services.labels.type_terms import NONE_FITS
from scanvi_core.services.runs import results, shapes_file
from scanvi_core.services.workspace import Workspace
from scanvi_core.version import __version__

if TYPE_CHECKING:
    from scanvi_core.annotation.uncertainty.type_shapes import TypeShapes

BLOCK = 20_000  # cells that are normalized at a time
STAYS = ("store", "batch_key", "unlabeled_categories")  # settings that say nothing elsewhere
HOW_TO = """The annotation of a data set, without its cells.

pack.json       types with colors and terms, genes, rules, what it was made from, checksums
model/          weights (safetensors), genes, labels and batches (json); no pickle
settings.json   all settings, seeds and versions, frozen before training began
summary.json    how training went, and the score on labels it had not seen
methods.txt     a paragraph for a paper

Names for other cells, in the app (Labels, "A pack") or on the command line:

    python -m scanvi_core annotate NEW.h5ad --pack THIS.scanvi-pack.zip -o NAMED.h5ad

or in Python:

    from pathlib import Path
    from scanvi_core.annotation.model.annotator import Annotator

    model = Annotator.load(Path("model"))
    found = model.predict(counts)  # counts of model.genes, CSR [cells, genes]
"""


def write(run: Run, opened: Workspace, path: Path) -> Path:
    """Write the pack of a run, whole or not at all; return its path.

    Raises
    ------
    OSError
        If the disk refuses.
    """
    settings = {k: v for k, v in run.settings.as_dict().items() if k not in STAYS}
    members: dict[str, bytes | Path] = {
        "README.txt": HOW_TO.encode(),
        "settings.json": _json(settings),
        "summary.json": _json(results.without_nan(run.summary)),
        "methods.txt": methods.paragraph(opened).encode(),
        pack_file.SHAPES: shapes_file.content(_shapes(run, opened)),
    }
    for name in (pack_file.ANNOTATOR, pack_file.WEIGHTS, pack_file.LINEAR):
        members[name] = run.paths.model / Path(name).name
    return pack_file.write(path, _record(run, opened), members)


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False).encode()


def _record(run: Run, opened: Workspace) -> dict[str, Any]:
    dataset = opened.dataset
    symbols, ids = _gene_names(dataset, run.settings.genes)
    return {
        "name": opened.project.name,
        "created": now(),
        "program": f"scanvi-app {__version__}",
        "symbols": symbols,
        "ids": ids,
        "types": _types(run, opened),
        "parents": run.settings.parents,
        "terms": _broader_terms(run, opened),
        "rules": rules.to_plain(rules.logged(opened)),
        "data": {
            "n_obs": dataset.n_obs,
            "n_vars": dataset.n_vars,
            "counts_sha256": dataset.manifest["counts_sha256"],
        },
    }


def _gene_names(dataset: Dataset, genes: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Return symbols and ids of genes, '' where there is none."""
    at = names_of(dataset)[NAMES].get_indexer(list(genes))
    known = {kind: names.to_numpy(dtype=object)[at] for kind, names in names_of(dataset).items()}
    own = known.pop(NAMES)
    symbols = known.pop(SYMBOLS, own)
    ids = own if all(map(is_identifier, own[:50])) else next(iter(known.values()), None)
    texts = [np.where([_is_text(x) for x in each], each, "") for each in (symbols, ids)
             if each is not None]  # fmt: skip
    return texts[0].tolist(), texts[1].tolist() if len(texts) > 1 else [""] * len(genes)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= 200


def _broader_terms(run: Run, opened: Workspace) -> dict[str, str]:
    above = {name for names in run.settings.parents.values() for name in names}
    found = type_terms.of_names(opened, sorted(above - {*run.settings.label_names}))
    return {name: term.id for name, term in found.items()}


def _types(run: Run, opened: Workspace) -> list[dict[str, Any]]:
    """Return what is known of each type of the model."""
    state, found, settings = opened.labels(), results.load(opened, run.id), run.settings
    places, terms = colors.type_colors(opened), type_terms.of_names(opened, settings.label_names)
    said = {name: term for name, term in type_terms.said(opened).items() if term == NONE_FITS}
    counts = state.counts
    predicted = np.bincount(found.prediction[found.prediction >= 0], minlength=len(found.names))
    return [
        {
            "name": name,
            "color": state.colors.get(name) or type_color(places.get(name, at)),
            "term": terms[name].id if name in terms else said.get(name, ""),
            "labeled": counts.get(name, 0),
            "predicted": int(predicted[at]),
        }
        for at, name in enumerate(settings.label_names)
    ]


def _shapes(run: Run, opened: Workspace) -> "TypeShapes":
    """Return where the types lie: where their labeled cells are, else those predicted so."""
    import pandas as pd

    from scanvi_core.annotation.uncertainty.type_shapes import MIN_CELLS, shapes_of
    from scanvi_core.services.diagnostics import baselines

    found, n_labels = results.load(opened, run.id), len(run.settings.label_names)
    known = shapes_file.read(run.paths.model)
    if known is not None:
        return known
    linear = baselines.linear_models_of(run, n_labels)
    at = pd.Index(opened.dataset.var_names).get_indexer(run.settings.genes)
    counts = opened.dataset.genes_matrix(at)
    starts = range(0, counts.shape[0], BLOCK)
    points = np.concatenate([linear.project(counts[i : i + BLOCK]) for i in starts])
    points[found.prediction < 0] = np.nan
    y = np.array(run.array("y"), dtype=np.int64)
    y = np.where(y < n_labels, y, found.prediction)
    few = np.bincount(y[y >= 0], minlength=n_labels) < MIN_CELLS
    y = np.where((y < 0) & few[found.prediction], found.prediction, y)
    return shapes_of(points, y, n_labels)
