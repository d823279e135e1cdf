"""Which of several matrices in a folder is the counts: whole before part, filtered before raw.

Told from the names of files and folders that programs give them; what is left aside is named.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

from scanvi_core.data.anndata_files.target import Request
from scanvi_core.data.formats.matrices.roles import PARTS, is_role, rank_of
from scanvi_core.data.guard.text import check_mtx
from scanvi_core.data.question import Option, Question, answer


@dataclass(slots=True)
class Matrix:
    """A matrix of a folder.

    Attributes
    ----------
    name
        What tells its sample from others.
    rank
        0 for the counts of cells; more for parts, raw barcodes and other ways to count.
    parts
        Kind of molecules -> file, where only parts are there.
    """

    path: Path
    name: str
    rank: int
    words: tuple[str, ...]
    parts: dict[str, Path] = field(default_factory=dict)


def choose_matrix(matrices: list[Path], request: Request) -> tuple[Matrix, list[str]]:
    """Return the matrix to read, and notices about those left aside.

    Raises
    ------
    ChoiceNeeded
        If there are several samples and nobody said which is meant.
    """
    found = [_described(path, request) for path in matrices]
    samples: dict[str, list[Matrix]] = {}
    for matrix in found:
        samples.setdefault(matrix.name, []).append(matrix)
    best = {name: min(some, key=lambda one: one.rank) for name, some in samples.items()}
    ties = {
        name: [one for one in some if one.rank == best[name].rank]
        for name, some in samples.items()
    }
    offered: dict[str, Matrix] = {}
    for name, some in ties.items():
        parts = _parts(some)
        if parts or len(some) == 1:
            best[name].parts = parts
            offered[name] = best[name]
        else:
            offered |= {str(one.path.relative_to(_root(request))): one for one in some}
    options = tuple(Option(name, name) for name in offered)
    question = Question("sample", "It holds several samples. Which one do you want?", options)
    chosen = offered[answer(question, request.answers, request.path.name)]
    left = [one for one in samples[chosen.name] if one.rank != chosen.rank]
    if not left:
        return chosen, []
    listed = ", ".join(_called(one, request) for one in left[:6]) + (
        ", …" if len(left) > 6 else ""
    )
    return chosen, [f"{_called(chosen, request)} was read; left aside: {listed}."]


def sample_name(path: Path) -> str:
    """Return what a matrix file is called apart from being one."""
    name = re.sub(r"\.mtx(\.gz)?$", "", path.name, flags=re.IGNORECASE)
    name = re.sub(r"[._-]*(matrix|counts?)$", "", name, flags=re.IGNORECASE)
    return name or path.parent.name


def _described(path: Path, request: Request) -> Matrix:
    file = sample_name(path) if path.name.casefold().split(".mtx")[0] != "matrix" else ""
    folders = list(path.relative_to(_root(request)).parts[:-1])
    if not folders and not file:
        file = path.parent.name
    words = [part.casefold() for part in folders]
    words += [word for word in re.split(r"[.]", file.casefold()) if word]
    rank = rank_of(words)
    kept = [part for part in folders if not is_role(part)]
    own = [part for part in file.split(".") if part and not is_role(part)]
    name = "/".join([*kept, ".".join(own)]).strip("/") or "counts"
    return Matrix(path, name, rank, tuple(words))


def _parts(some: list[Matrix]) -> dict[str, Path]:
    """Return the files of the parts by kind, where these are all parts of one counting."""
    kinds = {PARTS[word]: one.path for one in some for word in one.words if word in PARTS}
    if len(kinds) < len(some) or "spliced" not in kinds:
        return {}
    shapes = set()
    for path in kinds.values():
        header = check_mtx(path, float("inf"))
        shapes.add((header.n_rows, header.n_columns))
    return kinds if len(shapes) == 1 else {}


def _root(request: Request) -> Path:
    return request.path if request.path.is_dir() else request.path.parent


def _called(matrix: Matrix, request: Request) -> str:
    inside = matrix.path.relative_to(_root(request))
    plain = re.fullmatch(r"matrix\.mtx(\.gz)?", inside.name, re.IGNORECASE)
    return str(inside.parent.as_posix()) if plain and inside.parent.parts else inside.as_posix()
