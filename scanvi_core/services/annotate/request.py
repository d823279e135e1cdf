"""What `annotate` is asked for, and what of it cannot be done."""

from dataclasses import dataclass, field
from pathlib import Path

from scanvi_core.errors import ExportError, InputError
from scanvi_core.export.replaceable import check_replaceable
from scanvi_core.services.export import write
from scanvi_core.services.runs import results
from scanvi_core.services.runs.train_request import TrainRequest


@dataclass(frozen=True)
class AnnotateRequest:
    """What ``python -m scanvi_core annotate`` was asked for.

    Attributes
    ----------
    sources
        The files to annotate; a folder of samples is as many files as it has samples.
    target
        The new file; a folder where there are several.
    references
        Files that only teach: their labels are learned from, they are not written.
    pack
        The annotation of other data that names the cells; nothing is trained then.
    with_table
        Also write the labels as CSV beside each file.
    with_name
        Write who made the labels (``$SCANVI_USER``, else the account's name) into the history.
    maps
        The maps to draw: keys of `results.MAPS`.
    resume
        Go on from what a command kept that was cut off.
    """

    sources: tuple[Path, ...]
    target: Path
    labels_key: str | None = None
    unlabeled: tuple[str, ...] = ()
    batch_key: str | None = None
    layer: str | None = None
    training: TrainRequest = field(default_factory=TrainRequest)
    answers: dict[str, str] = field(default_factory=dict)
    references: tuple[Path, ...] = ()
    pack: Path | None = None
    with_table: bool = True
    with_name: bool = True
    maps: tuple[str, ...] = tuple(results.MAPS)
    resume: bool = False

    @property
    def is_joined(self) -> bool:
        """Whether there is more than one file."""
        return len(self.sources) + len(self.references) > 1


def matrix_name(layer: str | None) -> str | None:
    """Return the matrix to read for ``--layer``: a layer's name, ``X`` or ``raw.X``."""
    if layer is None or layer in ("X", "raw.X") or layer.startswith("layers/"):
        return layer
    return f"layers/{layer}"


def check_request(request: AnnotateRequest) -> None:
    """Find before any work what cannot be done.

    Raises
    ------
    InputError
        If there is such a thing.
    """
    target, is_folder = request.target.resolve(), len(request.sources) > 1
    if not target.parent.is_dir():
        raise InputError(f"The folder {target.parent} does not exist.", "Create it first.")
    if is_folder and target.exists() and not target.is_dir():
        raise InputError(
            f"The output {target} is a file; each of the {len(request.sources)} files gets one.",
            "Name a folder with -o.",
        )
    _check_teachers(request)
    files = (*request.sources, *request.references, *filter(None, [request.pack]))
    if target in [path.resolve() for path in files]:
        raise InputError("The output is the input file.", "Choose another name with -o.")
    if not is_folder:
        _check_replaceable(request)


def _check_replaceable(request: AnnotateRequest) -> None:
    """Find before the training that the new files take the place of plain files only."""
    if request.target.is_dir() and not request.target.is_symlink():
        raise InputError(
            f"The output {request.target.resolve()} is a folder.",
            "Add the name of a file with -o.",
        )
    tables = [write.csv_beside(request.target)] if request.with_table else []
    for path in (request.target, *tables):
        try:
            check_replaceable(path)
        except ExportError as error:
            raise InputError(error.message, "Choose another name with -o.") from error


def _check_teachers(request: AnnotateRequest) -> None:
    """Find that there is something to learn the types from, and not too much."""
    if request.labels_key is None and request.pack is None:
        raise InputError(
            "Nothing says what the types are.",
            "Name the column of the known types with --labels-key, or a pack with --pack.",
        )
    if request.pack is not None and request.references:
        raise InputError(
            "A pack names the cells without references.", "Leave out --pack or --reference."
        )
    if request.pack is not None and request.training != TrainRequest():
        raise InputError(
            "A pack names the cells without training: there is nothing for its options to act on.",
            "Leave out --pack, or the likelihood, dispersion, preset, epochs and seed.",
        )
    if request.pack is not None and not request.pack.is_file():
        raise InputError(f"There is no file {request.pack}.", "Check the path.")
