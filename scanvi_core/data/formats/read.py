"""Read a file of any known kind; what is no .h5ad becomes one on the way."""

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from scanvi_core.data.anndata_files.checks import GenesInRows
from scanvi_core.data.anndata_files.h5ad import Content, read_file
from scanvi_core.data.anndata_files.target import Request, mark_origin, origin_of
from scanvi_core.data.blocks.nodes import Unreadable
from scanvi_core.data.formats.hdf5 import turned
from scanvi_core.data.formats.recognize import Made, as_h5ad
from scanvi_core.data.guard.signatures import plain_name
from scanvi_core.data.question import Answers
from scanvi_core.errors import ChoiceNeeded, FileRefused

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
        Its manifest has ``origin`` when the file was of another kind, and ``asked``, the keys of
        the questions that its answers were wanted for; it holds nothing but ``question`` when one
        must be answered first.
    """
    path, memory_mb = Path(request["path"]), request["memory_mb"]
    answers = Answers(request.get("answers") or {})
    with _sources(request.get("sources")) as folder:
        ask = Request(path, folder / f"{path.name}{CONVERTED}", answers, memory_mb * 1e6)
        try:
            content = _read(ask, request["matrix"], whole=whole)
        except ChoiceNeeded as asked:
            manifest = {"question": asked.question, "error": [asked.message, asked.hint]}
            nothing = pd.DataFrame()
            return Content(None, nothing, nothing, {}, None, manifest)
        ours = Path(content.manifest["source"]["path"])
        origin = request.get("origin")
        if origin is None and ours.parent == folder:
            origin = origin_of(ours)
    content.manifest["asked"] = sorted(set(answers.asked))
    return content if origin is None else _with_origin(content, origin)


def _read(ask: Request, matrix: str | None, *, whole: bool) -> Content:
    """Read a file as the .h5ad it is or becomes; turn that round when its owner says so."""
    made = as_h5ad(ask)
    source = ask.path if made.kind is None else ask.target
    if made.kind is not None:
        mark_origin(source, _origin(ask.path, made, ask.answers))
    read = partial(read_file, matrix=matrix, memory_mb=ask.memory_bytes / 1e6, whole=whole)
    try:
        return read(source, answers=ask.answers)
    except GenesInRows:
        made = Made(made.kind or turned.KIND, made.notes)
    other = ask.target.with_name(f"{ask.target.name}.turned")
    try:
        made.notes += turned.turn(source, other, ask.memory_bytes)
        other.replace(ask.target)
    except Unreadable as error:
        raise FileRefused(
            f"{ask.path.name} cannot be turned round: {error}.",
            "Turn it where it was made: adata.T.write_h5ad('name.h5ad').",
        ) from error
    mark_origin(ask.target, _origin(ask.path, made, ask.answers))
    return read(ask.target, answers=ask.answers)


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


def _origin(path: Path, made: Made, answers: Mapping[str, str]) -> dict[str, Any]:
    digest = ""
    if path.is_file():
        with path.open("rb") as handle:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
    return {
        "name": path.name,
        "path": str(path),
        "kind": made.kind,
        "notes": made.notes,
        "answers": dict(answers),
        "sha256": digest,
    }


@contextmanager
def _sources(folder: str | None) -> Iterator[Path]:
    if folder is not None:
        yield Path(folder)
        return
    with tempfile.TemporaryDirectory(prefix="scanvi-") as scratch:
        yield Path(scratch)
