"""The weights of a model from elsewhere: looked at before anything is made of them."""

from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from scanvi_core.errors import DataDamaged

MOST = 10_000  # tensors in one file
TYPES = frozenset({"F32", "F64", "I32", "I64", "U8", "BOOL"})
Shapes = dict[str, tuple[int, ...]]


def shapes_in(path: Path) -> Shapes:
    """Return the shapes of the tensors in a safetensors file.

    Raises
    ------
    DataDamaged
        If it is damaged, or holds what no model of this program has.
    """
    from safetensors import SafetensorError, safe_open

    name = f"{path.parent.name}/{path.name}"
    try:
        with safe_open(path, framework="np") as file:
            found = {key: file.get_slice(key) for key in file.keys()}  # noqa: SIM118  no mapping
            kinds = {item.get_dtype() for item in found.values()}
            shapes = {key: tuple(item.get_shape()) for key, item in found.items()}
    except (SafetensorError, OSError, ValueError) as error:
        raise DataDamaged(f"{name} in it is damaged") from error
    if len(shapes) > MOST or not kinds <= TYPES:
        raise DataDamaged(f"{name} in it holds odd tensors")
    return shapes


def check_model(folder: Path, record: dict[str, Any]) -> None:
    """Find that the weights in a folder may be those of the network that its record tells of.

    A network is made before its weights are compared with it: it may not be larger than they are.

    Raises
    ------
    DataDamaged
        If they cannot be.
    """
    n_genes, n_labels = len(record["genes"]), len(record["label_names"])
    per_gene = {"gene-batch": len(record["batch_names"]), "gene-label": n_labels}
    wide = max(record["model"]["n_hidden"], per_gene.get(record["model"]["dispersion"], 1))
    shapes = shapes_in(folder / "model.safetensors")
    if sum(map(prod, shapes.values())) < n_genes * wide:
        raise DataDamaged("the weights of a model are not those of its record")
    _check_companions(folder / "companions.safetensors", n_genes, n_labels)
    _check_shapes(folder, n_labels)


def _check_companions(path: Path, n_genes: int, n_labels: int) -> None:
    shapes = shapes_in(path)
    d = shapes.get("components", (0, 0))[-1]
    known: Shapes = {"center": (n_genes,), "components": (n_genes, d)}
    for model, n_rows in (("genes", n_genes), ("pca", d)):
        n_codes = shapes.get(f"{model}.codes", (0,))[0]
        known |= {
            f"{model}.weights": (n_rows, n_codes),
            f"{model}.intercepts": (n_codes,),
            f"{model}.codes": (n_codes,),
        }
    if shapes != known:
        raise DataDamaged("the linear models beside a model are not those of its record")
    from safetensors.numpy import load_file

    arrays = load_file(path)
    for name in ("genes.codes", "pca.codes"):
        codes = arrays[name]
        if codes.dtype.kind != "i" or not np.isin(codes, np.arange(n_labels)).all():
            raise DataDamaged("the linear models beside a model name types that are not there")


def _check_shapes(folder: Path, n_labels: int) -> None:
    """Find that where the types lie is told for these types, in the space of the linear models."""
    path = folder / "shapes.safetensors"
    if not path.is_file():  # only a model from a pack has it
        return
    d = shapes_in(folder / "companions.safetensors")["components"][-1]
    if shapes_in(path) != {"middles": (n_labels, d), "spread": (d, d), "cells": (n_labels,)}:
        raise DataDamaged("where the types lie is not told for the types of its record")
    from safetensors.numpy import load_file

    arrays = load_file(path)
    if arrays["cells"].dtype.kind != "i" or not np.isfinite(arrays["spread"]).all():
        raise DataDamaged("where the types lie is no place")
