"""AnnData in zarr stores, version 2 or 3: a folder, or a zip archive of one, read in place."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from scanvi_core.data.anndata_files.elements import copy_anndata
from scanvi_core.data.anndata_files.target import Request, new_h5ad
from scanvi_core.data.blocks.nodes import FAILED, Unreadable
from scanvi_core.data.collection.collection import ABOUT
from scanvi_core.data.formats import gathered
from scanvi_core.data.guard.zarr_store import check_zarr
from scanvi_core.errors import FileRefused

ROOTS = frozenset({".zgroup", ".zattrs", "zarr.json"})
SAVE_AGAIN = "Save it where it was made: adata.write_zarr('name.zarr') or adata.write_h5ad."


def root_in(names: list[str]) -> str | None:
    """Return the folder of a zip archive, by the names in it, that is a zarr store; else None."""
    paths = [PurePosixPath(name) for name in names if not name.startswith("__MACOSX/")]
    roots = [path.parent for path in paths if path.name in ROOTS]
    if not roots:
        return None
    root = min(roots, key=lambda path: len(path.parts))
    return "" if str(root) == "." else str(root)


def convert(request: Request, root: str = "") -> list[str]:
    """Write the AnnData of a store as .h5ad; return notices.

    Parameters
    ----------
    request
        The folder or zip archive.
    root
        Folder of the archive that is the store.
    """
    notes = check_zarr(request.path, request.memory_bytes)
    try:
        with _opened(request.path, root) as group:
            if request.path.is_dir() and ABOUT in group.attrs:
                return notes + gathered.convert(request)
            if not {"obs", "var"} <= set(group):
                raise FileRefused(
                    f"{request.path.name} is a zarr store but not AnnData: it has no obs and var.",
                    "MuData, SpatialData and OME stores: save the table as .h5ad first.",
                )
            with new_h5ad(request.target) as out:
                return notes + copy_anndata(group, out)
    except Unreadable as error:
        raise FileRefused(
            f"{request.path.name} is damaged or written in an unknown way: {error}.",
            SAVE_AGAIN,
        ) from error


@contextmanager
def _opened(path: Path, root: str) -> Iterator[Any]:
    import zarr

    store: Any = zarr.storage.ZipStore(path, mode="r") if path.is_file() else path
    try:
        try:
            group = zarr.open_group(store, path=root or None, mode="r", use_consolidated=False)
        except (OSError, ValueError, KeyError, zarr.errors.BaseZarrError) as error:
            raise Unreadable(FAILED) from error
        yield group
    finally:
        if path.is_file():
            store.close()
