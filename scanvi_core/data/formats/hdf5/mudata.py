"""MuData files (.h5mu): several AnnData, of which one is read."""

from typing import Any

import h5py
import pandas as pd
from anndata.io import write_elem

from scanvi_core.data.anndata_files.elements import copy_anndata, read_frame
from scanvi_core.data.anndata_files.tables import read_table
from scanvi_core.data.anndata_files.target import Request, new_h5ad
from scanvi_core.data.blocks.nodes import group_in, is_group
from scanvi_core.data.question import Option, Question, answer
from scanvi_core.errors import FileRefused
from scanvi_core.plurals import count

RNA = ("rna", "gex", "gene expression", "scrna", "transcriptome", "mrna")


def convert(file: h5py.File, request: Request) -> list[str]:
    """Write one modality as .h5ad, with the columns that all modalities share."""
    modalities = group_in(file, "mod")
    names = [name for name in modalities if _is_anndata(modalities[name])]
    if not names:
        raise FileRefused(
            f"{request.path.name} holds no modality with cells and genes.",
            "Save the modality you need: mdata['rna'].write_h5ad('rna.h5ad').",
        )
    options = tuple(_option(modalities, name) for name in names)
    guess = next((name for name in names if name.lower() in RNA), None)
    why = "Counts of RNA are what the model reads." if guess else ""
    question = Question(
        "modality", "It holds several measurements. Which one do you want?", options, guess, why
    )
    chosen = answer(question, request.answers, request.path.name)
    with new_h5ad(request.target) as out:
        notes = copy_anndata(modalities[chosen], out)
        added = _shared_columns(file, out)
    if added:
        notes.append(f"Taken from the table of all measurements: {', '.join(added)}.")
    others = [name for name in names if name != chosen]
    if others:
        notes.append(f"{chosen} was read; {', '.join(others)} left aside.")
    return notes


def _is_anndata(node: Any) -> bool:
    return is_group(node) and {"obs", "var"} <= set(node)


def _option(modalities: Any, name: str) -> Option:
    obs, var = (read_table(modalities, f"{name}/{part}").names for part in ("obs", "var"))
    first = ", ".join(str(gene) for gene in var[:4])
    return Option(
        name, name, f"{count(len(obs), 'cell')} × {count(len(var), 'feature')}: {first}, …"
    )


def _shared_columns(file: h5py.File, out: h5py.File) -> list[str]:
    """Add the columns of the joint table that the modality lacks; return their names."""
    if "obs" not in file:
        return []
    shared, own = read_frame(file, "obs", []), read_frame(out, "obs", [])
    prefixes = tuple(f"{name}:" for name in file["mod"])
    names = [name for name in shared if name not in own and not name.startswith(prefixes)]
    if not names or not shared.index.is_unique:
        return []
    extra = shared[names].reindex(own.index)
    del out["obs"]
    write_elem(out, "obs", pd.concat([own, extra], axis=1))
    return names
