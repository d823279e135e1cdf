"""How well the cells of new files fit the references that their names come from."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from scanvi_core.services.diagnostics import uncertainty
from scanvi_core.services.projects.joining.joined_files import joined_files, of_references
from scanvi_core.services.runs import results
from scanvi_core.services.workspace import Workspace


@dataclass(frozen=True)
class Mapping:
    """What the model says of the cells of new files.

    Attributes
    ----------
    types
        One row per predicted type, the most frequent first: ``type``, ``cells`` of the new files,
        ``in references`` (labeled cells that taught it), ``alike`` (median of 1 - novelty) and
        ``novel`` (share of the cells that look like no labeled cell); the last two are NaN where
        nothing was looked at yet.
    new_files, references
        Names of the files.
    """

    types: pd.DataFrame
    new_files: tuple[str, ...]
    references: tuple[str, ...]


def mapping(opened: Workspace) -> Mapping | None:
    """Return how well new files fit the references; None without references or a model."""
    from scanvi_core.annotation.uncertainty.novelty import NOVEL_FROM

    predictions, files = results.current(opened), joined_files(opened)
    if predictions is None or not any(file.reference for file in files):
        return None
    checked, taught_by = uncertainty.reasons(opened), of_references(opened)
    new = ~taught_by & (predictions.prediction >= 0)
    cells = pd.DataFrame({"type": predictions.prediction[new]})
    alike = np.nan if checked is None else 1 - checked.novelty[new].astype(np.float64)
    cells["alike"] = alike
    cells["novel"] = np.nan if checked is None else checked.novelty[new] >= NOVEL_FROM
    y = np.array(predictions.run.array("y"))
    taught = np.bincount(y[(y >= 0) & taught_by], minlength=len(predictions.names))
    types = cells.groupby("type").agg(
        cells=("alike", "size"), alike=("alike", "median"), novel=("novel", "mean")
    )
    types.insert(1, "in references", taught[types.index])
    types.insert(0, "type", np.array(predictions.names, dtype=object)[types.index])
    types = types.sort_values("cells", ascending=False, kind="stable", ignore_index=True)
    return Mapping(
        types,
        tuple(file.name for file in files if not file.reference),
        tuple(file.name for file in files if file.reference),
    )
