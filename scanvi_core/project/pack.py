"""A pack: an annotation that travels without its cells, as one file.

A zip file of a trained model (safetensors and JSON), where its types lie, what its genes and types
are called, the rules behind its labels, and how it was made. ``pack.json`` lists the digest of
every other member. Once it was looked through, a project keeps what it needs of it in its folder
``pack``.
"""

import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired, TypedDict

from scanvi_core.project.files import read_record, to_json
from scanvi_core.project.folder import Project
from scanvi_core.project.records import Count, Date, Name
from scanvi_core.runtime import replacing
from scanvi_core.typed import matches

ENDING = ".scanvi-pack.zip"
RECORD, MODEL = "pack.json", "model"
WEIGHTS, LINEAR, SHAPES, ANNOTATOR = (
    f"{MODEL}/{name}"
    for name in (
        "model.safetensors", "companions.safetensors", "shapes.safetensors", "annotator.json",
    )
)  # fmt: skip
FORMAT = 2  # 1 had one group for each type

Digest = Annotated[str, matches("[0-9a-f]{64}")]
Color = Annotated[str, matches("(#[0-9A-Fa-f]{6})?")]
Term = Annotated[str, matches("([A-Za-z]+:[0-9]+|unknown)?")]
Text = Annotated[str, matches(r"(?s).{0,200}")]


class PackType(TypedDict):
    """A type: its name, color, term, labeled and predicted cells.

    Of a term '' says that nobody knows one, ``unknown`` that none fits.
    """

    name: Name
    color: Color
    term: Term
    labeled: Count
    predicted: Count


class PackData(TypedDict):
    """The data the model learned from, of which nothing else travels."""

    n_obs: Count
    n_vars: Count
    counts_sha256: Digest


class PackRule(TypedDict):
    """A rule and the label it led to."""

    label: Name
    rule: Any


class PackRecord(TypedDict):
    """``pack.json``; `symbols` and `ids` are those of the model's genes, '' where unknown.

    `parents` and `terms` are of the broader types, too; version 1 had neither.
    """

    format: Literal[1, 2]
    name: Name
    created: Date
    program: Text
    symbols: list[Text]
    ids: list[Text]
    types: list[PackType]
    parents: NotRequired[dict[str, list[Name]]]
    terms: NotRequired[dict[str, Term]]
    rules: list[PackRule]
    data: PackData
    sha256: dict[str, Digest]


def folder_of(project: Project) -> Path:
    """Return where a project keeps the pack it began from."""
    return project.root / "pack"


def read(project: Project) -> dict[str, Any] | None:
    """Return what is known of the pack that a project began from; None where there is none.

    Raises
    ------
    ProjectError
        If it is damaged.
    """
    path = folder_of(project) / RECORD
    return read_record(path, PackRecord) if path.is_file() else None


def write(path: Path, record: Mapping[str, Any], members: Mapping[str, bytes | Path]) -> Path:
    """Write a pack, whole or not at all; `record` gets the digests of the members.

    Raises
    ------
    OSError
        If the disk refuses.
    """
    contents = {
        name: each.read_bytes() if isinstance(each, Path) else each
        for name, each in members.items()
    }
    digests = {name: digest(content) for name, content in contents.items()}
    text = to_json({"format": FORMAT, **record, "sha256": digests}, indent=1)
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr(RECORD, text)
        for name, content in contents.items():
            z.writestr(name, content)
    return path


def digest(content: bytes) -> str:
    """Return the SHA-256 of bytes."""
    return hashlib.sha256(content).hexdigest()
