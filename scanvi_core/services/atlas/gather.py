"""Many files into one store that training reads from the disk; needs the extra ``scale``."""

import secrets
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from scanvi_core import ending
from scanvi_core.errors import FileRefused, InputError

READ_SHARE = 0.7  # of the time, for reading the files; the rest is for writing the store


def gather(
    store: Path | str,
    files: Sequence[Path | str],
    *,
    matrix: str | None = None,
    report: Callable[[float, str], None] = lambda *_: None,
) -> dict[str, Any]:
    """Make a store of the cells of some files, in their order, and of the genes all of them have.

    Every file is read as the Open page reads it: by a process of its own, behind the same guards,
    with the same mends, and refused for the same reasons. Beside the store, copies of all files'
    counts take 8 bytes for every count above 0 until the end (16 for the file that is being
    read); the store appears when it is complete.

    Parameters
    ----------
    store
        Where; must not exist.
    files
        Of any kind that can be opened.
    matrix
        Matrix to take as counts from every file, or None to find it.
    report
        Told how far it is, from 0 to 1, and in words.

    Returns
    -------
    dict
        ``store``, ``n_obs``, ``n_vars``, ``files`` (names and cells), ``left_out`` (a sentence
        about the genes that are not in all files; empty if there are none) and ``notes``.

    Raises
    ------
    InputError
        If the store exists, a file cannot be used or annbatch is missing.
    ProjectError
        If the disk refuses.
    """
    from scanvi_core.data.collection.annbatch import annbatch
    from scanvi_core.data.collection.write import write_collection

    annbatch()
    store = Path(store)
    _check(store, files)
    work = store.with_name(f".{store.name}.{secrets.token_hex(4)}")
    work.mkdir(parents=True)
    try:
        with ending.unfinished(work):
            sources = _read_all(work, [Path(file) for file in files], matrix, report)
            about = write_collection(
                work / "store",
                sources,
                lambda share: report(READ_SHARE + (1 - READ_SHARE) * share, "Writing the store"),
            )
            (work / "store").rename(store)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return _summary(store, about)


def _check(store: Path, files: Sequence[Path | str]) -> None:
    if store.exists():
        raise FileRefused(f"{store.name} exists already.", "Choose another name, or remove it.")
    if not store.absolute().parent.is_dir():
        raise FileRefused(
            f"There is no folder {store.absolute().parent.name} for the store.",
            "Make the folder first, or check its name.",
        )
    if not files:
        raise FileRefused("There are no files to gather.", "Name at least one.")
    there = [Path(file).expanduser().resolve() for file in files]
    twice = next((file.name for file in there if there.count(file) > 1), None)
    if twice is not None:
        raise FileRefused(
            f"{twice} is named twice.", "Name every file once: its cells would count double."
        )


def _read_all(
    work: Path, files: list[Path], matrix: str | None, report: Callable[[float, str], None]
) -> list[Any]:
    from scanvi_core.data.dataset import Dataset
    from scanvi_core.data.intake.import_file import import_file
    from scanvi_core.data.joining.genes import Source

    sources = []
    for at, path in enumerate(files):

        def tell(share: float, words: str, at: int = at, name: str = path.name) -> None:
            report(READ_SHARE * (at + share) / len(files), f"{name}: {words}")

        folder = work / str(at) / "data"
        try:
            import_file(path, folder, matrix=matrix, report=tell)
        except InputError as error:
            raise InputError(f"{path.name}: {error.message}", error.hint) from error
        for copy in folder.glob("by_gene_*.npy"):
            copy.unlink()  # nobody asks for genes here, and it is half of the copy
        sources.append(Source(path.name, Dataset.open(folder)))
    return sources


def _summary(store: Path, about: dict[str, Any]) -> dict[str, Any]:
    n_vars, files = about["n_vars"], about["files"]
    fewer = [file for file in files if file["n_vars"] > n_vars]
    left_out = ", ".join(f"{file['n_vars'] - n_vars:,} of {file['name']}" for file in fewer)
    return {
        "store": str(store),
        "n_obs": about["n_obs"],
        "n_vars": n_vars,
        "files": {file["name"]: f"{file['n_obs']:,} cells" for file in files},
        "left_out": f"Genes that not all files have: {left_out}." if left_out else "",
        "notes": [f"{file['name']}: {note}" for file in files for note in file["notes"]],
    }
