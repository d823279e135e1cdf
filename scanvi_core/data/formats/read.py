"""Read a file of any known kind; what is no .h5ad becomes one on the way."""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from scanvi_core.data.anndata_files.h5ad import Content, read_file
from scanvi_core.data.anndata_files.target import Request, mark_origin, origin_of
from scanvi_core.data.formats.recognize import Made, as_h5ad
from scanvi_core.data.guard.signatures import plain_name
from scanvi_core.errors import ChoiceNeeded

CONVERTED = ".converted.h5ad"


def read_any(request: dict[str, Any], *, whole: bool) -> Content:
    """Read what ``request["path"]`` leads to.

    Parameters
    ----------
    request
        ``path``, ``matrix``, ``memory_mb``; ``answers`` to questions; ``sources``, the folder for
        an .h5ad made of another kind of file (without it, that is thrown away after reading);
        ``origin``, where the program itself made the file.
    whole
        Whether to load the counts.

    Returns
    -------
    Content
        Its manifest has ``origin`` when the file was of another kind; it holds nothing but
        ``question`` when one must be answered first.
    """
    path, matrix, memory_mb = Path(request["path"]), request["matrix"], request["memory_mb"]
    answers = request.get("answers") or {}
    with _sources(request.get("sources")) as folder:
        target = folder / f"{path.name}{CONVERTED}"
        try:
            made = as_h5ad(Request(path, target, answers, memory_mb * 1e6))
        except ChoiceNeeded as asked:
            manifest = {"question": asked.question, "error": [asked.message, asked.hint]}
            nothing = pd.DataFrame()
            return Content(None, nothing, nothing, {}, None, manifest)
        if made.kind is not None:
            mark_origin(target, _origin(path, made, answers))
        content = read_file(path if made.kind is None else target, matrix, memory_mb, whole=whole)
        ours = made.kind is not None or path.parent == folder
        origin = request.get("origin")
        if origin is None and ours:
            origin = origin_of(Path(content.manifest["source"]["path"]))
    return content if origin is None else _with_origin(content, origin)


def _with_origin(content: Content, origin: dict[str, Any]) -> Content:
    notes = list(origin["notes"])
    if "parts" not in origin:
        notice = f"{origin['name']} is {origin['kind']}: it was read into a new .h5ad file."
        notes = [notice, *notes]
    manifest = content.manifest | {
        "name": plain_name(origin["name"]),
        "origin": origin,
        "repairs": [*notes, *content.manifest["repairs"]],
    }
    return replace(content, manifest=manifest)


def _origin(path: Path, made: Made, answers: dict[str, str]) -> dict[str, Any]:
    digest = ""
    if path.is_file():
        with path.open("rb") as handle:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
    return {
        "name": path.name,
        "path": str(path),
        "kind": made.kind,
        "notes": made.notes,
        "answers": answers,
        "sha256": digest,
    }


@contextmanager
def _sources(folder: str | None) -> Iterator[Path]:
    if folder is not None:
        yield Path(folder)
        return
    with tempfile.TemporaryDirectory(prefix="scanvi-") as scratch:
        yield Path(scratch)
