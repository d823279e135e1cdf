"""An AnnData as a file for the program, and what the program wrote taken back into the object."""

import logging
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from scanvi_core import keys
from scanvi_core.errors import InputError, is_of_the_machine
from scanvi_core.services.export.write import OUR_COLUMNS

if TYPE_CHECKING:
    from anndata import AnnData

OURS = frozenset(
    {*(OUR_COLUMNS - {keys.TERM}), keys.CURATED, keys.LATENT_Z1, keys.LATENT_Z2, keys.UMAP_Z1,
     keys.UMAP_Z2, keys.PROBABILITIES, keys.UNS_RECORD, keys.UNS_LOG,
     *(f"{key}{keys.COLORS}" for key in (keys.CURATED, keys.PREDICTION, keys.SECOND))}
)  # fmt: skip
logger = logging.getLogger(__name__)


def ours_in(adata: "AnnData") -> frozenset[str]:
    """Return the keys that this program writes into an object; ids of its own stay."""
    name = keys.term_column(set(adata.obs), keys.CURATED)
    return OURS | {name}


def write_copy(adata: "AnnData", path: Path, without: Collection[str] = ()) -> None:
    """Write an object to a file, without pickle, and without some keys of obs, obsm and uns.

    Raises
    ------
    InputError
        If it holds something that no .h5ad can hold, or two cells have one name.
    """
    if not adata.obs_names.is_unique:
        raise InputError(
            "Two cells of the object have the same name.", "Call adata.obs_names_make_unique()."
        )
    try:
        adata.write_h5ad(path)
    except Exception as error:  # what it holds may fail in ways no list foresees
        if is_of_the_machine(error):
            raise
        logger.warning("The object cannot be written.", exc_info=error)
        raise InputError(
            "The object holds something that an .h5ad cannot hold.",
            "Find it with adata.write_h5ad('copy.h5ad'), and remove or convert it.",
        ) from error
    if without:
        _remove(path, without)


def check_same(adata: "AnnData", path: Path) -> None:
    """Refuse an object whose cells, genes or values are not those of a file.

    Raises
    ------
    InputError
        If they are not.
    """
    import anndata

    kept = anndata.read_h5ad(path)
    same = kept.obs_names.equals(adata.obs_names) and kept.var_names.equals(adata.var_names)
    if not (same and _total(kept) == _total(adata)):
        raise InputError(
            f"{path.parent} holds another object.", "Name another folder, or an empty one."
        )


def _total(adata: "AnnData") -> float:
    return 0.0 if adata.X is None else float(adata.X.sum(dtype="float64"))


def _remove(path: Path, names: Collection[str]) -> None:
    import h5py

    with h5py.File(path, "r+") as file:
        for part in ("obs", "obsm", "uns"):
            for key in set(names) & set(file[part]):
                del file[part][key]
        order = [key for key in file["obs"].attrs["column-order"] if key not in names]
        file["obs"].attrs["column-order"] = order


def take_over(adata: "AnnData", path: Path) -> None:
    """Set in an object what an annotated file of it has more: obs, obsm and uns, under its keys.

    Columns of an earlier annotation are replaced; all others stay as they are.

    Raises
    ------
    InputError
        If the object holds other cells than the file.
    """
    import anndata

    written = anndata.read_h5ad(path, backed="r")
    try:
        if not written.obs_names.equals(adata.obs_names):
            raise InputError(
                "The object holds other cells, or in another order, than were annotated.",
                "Give the object that was opened.",
            )
        ours = ours_in(adata)
        for part in ("obs", "obsm", "uns"):
            there, new = getattr(adata, part), getattr(written, part)
            for key in list(new.keys()):
                if key in ours or key not in there:
                    there[key] = new[key]
    finally:
        written.file.close()
