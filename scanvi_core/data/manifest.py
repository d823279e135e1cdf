"""What a data set folder holds: the kinds of the values in its manifest, and of its arrays."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired, TypedDict, cast

from scanvi_core.arrays import Kind, damaged
from scanvi_core.errors import ProjectError, reason_of
from scanvi_core.typed import Mistyped, Rule, between, matches, taken

MANIFEST = "manifest.json"
FORMAT = 1
OPTIONAL = frozenset({"origin", "asked"})
MOST = 2**31 - 1  # cells or genes: positions have 32 bits


def has_text(key: str) -> Rule:
    """Return the rule that a table has a text."""
    return lambda value: "" if isinstance(value.get(key), str) else f"has no {key}"


Length = Annotated[int, between(0, MOST)]
Size = Annotated[int, between(1, MOST)]
FileName = Annotated[str, matches("[A-Za-z0-9][A-Za-z0-9._-]{0,99}")]
Digest = Annotated[str, matches("[0-9a-f]{64}")]
Sentence = str | Annotated[dict[str, Any], has_text("sentence")]  # alone, or with its number


class SourceFile(TypedDict):
    """The file of the user."""

    path: str
    size: Annotated[int, between(0, 2**63 - 1)]
    mtime_ns: Annotated[int, between(0, 2**63 - 1)]
    sha256: Digest


class Part(TypedDict):
    """One of several files that were joined; its cells come after those of the one before."""

    name: FileName
    ending: str  # of the names of its cells, beyond those in the file
    reference: bool
    n_obs: Size
    n_vars: Size
    counts_source: str
    source: SourceFile


class Origin(TypedDict):
    """The file of another kind than .h5ad that the user's data came in, or the files."""

    name: str
    path: str
    kind: str
    notes: list[str]
    answers: dict[str, str]
    sha256: str
    parts: NotRequired[list[Part]]


class Column(TypedDict):
    """A column of the table of cells."""

    kind: Literal["category", "bool", "number", "text"]
    n_unique: Length
    n_missing: Length


class Candidate(TypedDict):
    """A column that may hold cell types or batches."""

    key: str
    n_categories: Length
    reason: str
    likely: bool
    looks_unlabeled: NotRequired[list[str]]


class Matrix(TypedDict):
    """What a matrix of the file holds; see `scanvi_core.data.counts.choose.MatrixReport`."""

    name: str
    shape: list[Length]
    dtype: str
    stored: str
    n_values: int
    minimum: float
    maximum: float
    whole_share: float
    median_total: float
    verdict: str
    reason: str
    scale: dict[str, Any] | None
    target: float | None
    n_zeros: int | None
    n_unsorted: int
    recoverable: NotRequired[bool]


class _Core(TypedDict):
    """What no data set can do without."""

    format: Literal[1]
    n_obs: Size
    n_vars: Size
    obsm: list[str]
    symbol_column: str | None
    obs_columns: dict[str, Column]
    var_columns: list[str]
    n_mt_genes: Length
    counts_sha256: Digest


class Manifest(_Core, total=False):
    """The manifest; see :func:`scanvi_core.data.intake.import_file.import_file`."""

    name: str
    repairs: list[Sentence]
    warnings: list[Sentence]
    recovery: Annotated[dict[str, Any], has_text("text")] | None
    source: SourceFile
    origin: Origin
    asked: list[str]
    needed_mb: float
    labels_candidates: list[Candidate]
    batch_candidates: list[Candidate]
    counts_source: str
    matrices: list[Matrix]


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a data set folder.

    Raises
    ------
    ProjectError
        If there is none, it is of a newer version, or not what was written (`DataDamaged`).
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ProjectError(
            f"There is no readable data set in {folder.name} ({reason_of(error)}).",
            "Import the file again.",
        ) from error
    except (ValueError, RecursionError) as error:
        raise damaged(path, "it is no JSON") from error
    number = manifest.get("format") if isinstance(manifest, dict) else None
    if type(number) is int and number > FORMAT:
        raise ProjectError(
            f"This data set has format {number}; this version reads {FORMAT}.",
            "Update the program, or import the file again.",
        )
    try:
        taken(manifest, Manifest)
    except Mistyped as error:
        raise damaged(path, str(error)) from error
    return cast("Manifest", manifest)


def joined_parts(manifest: Mapping[str, Any]) -> list[Part]:
    """Return the files that a data set was joined from; none where it was made from one."""
    parts: list[Part] = manifest.get("origin", {}).get("parts", [])
    return parts


def source_files(manifest: Mapping[str, Any]) -> list[SourceFile]:
    """Return the files of the user that a data set was made from."""
    return [part["source"] for part in joined_parts(manifest)] or [manifest["source"]]


def check_complete(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Raise `DataDamaged` where a manifest lacks what every import writes."""
    missing = sorted(set(Manifest.__annotations__) - OPTIONAL - set(manifest))
    if missing:
        raise damaged(folder / MANIFEST, f"it has no {missing[0]}")


def kinds_of(manifest: Mapping[str, Any]) -> dict[str, Kind]:
    """Return what the arrays of a data set must be, by the names of their files."""
    n_obs, n_vars = manifest["n_obs"], manifest["n_vars"]
    cells = {"totals": "float64", "n_genes_by_counts": "int64", "pct_counts_mt": "float64"}
    kinds = {name: Kind((kind,), (n_obs,)) for name, kind in cells.items()}
    for at in range(len(manifest["obsm"])):
        kinds[f"obsm_{at}"] = Kind(("float32",), (n_obs, None))
    for prefix, n_major in (("counts", n_obs), ("by_gene", n_vars)):
        kinds[f"{prefix}_data"] = Kind(("float32",), (None,))
        kinds[f"{prefix}_indices"] = Kind(("int32",), (None,))
        kinds[f"{prefix}_indptr"] = Kind(("int32", "int64"), (n_major + 1,))
    return kinds
