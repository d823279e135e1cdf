"""Where every file of a training run lies in its folder."""

import re
from dataclasses import dataclass
from pathlib import Path

from scanvi_core.errors import ProjectError

_ARRAY = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
PREVIEW = "preview"  # how the arrays of the picture drawn during training begin


@dataclass(frozen=True, slots=True)
class RunPaths:
    """The files of one run.

    Attributes
    ----------
    folder
        Of the run; it may lie on storage that several machines share.
    """

    folder: Path

    @property
    def settings(self) -> Path:
        """What the run was begun with: written once, before the start."""
        return self.folder / "run.json"

    @property
    def status(self) -> Path:
        """Where the run stands."""
        return self.folder / "status"

    @property
    def records(self) -> Path:
        """One line per record of training; it grows."""
        return self.folder / "metrics.jsonl"

    @property
    def checkpoint(self) -> Path:
        """The weights while it is trained, to go on from."""
        return self.folder / "checkpoint.safetensors"

    @property
    def model(self) -> Path:
        """The folder of the trained model."""
        return self.folder / "model"

    @property
    def summary(self) -> Path:
        """The outcome."""
        return self.folder / "summary.json"

    @property
    def stop(self) -> Path:
        """There when somebody asked the run to stop."""
        return self.folder / "stop"

    @property
    def alive(self) -> Path:
        """Touched as long as the processes that train it live."""
        return self.folder / "alive"

    @property
    def progress(self) -> Path:
        """How far the processes that train it are."""
        return self.folder / "progress.json"

    @property
    def log(self) -> Path:
        """What the processes that train it wrote."""
        return self.folder / "processes.log"

    def array(self, name: str) -> Path:
        """Return the file of an array of results.

        Raises
        ------
        ProjectError
            If the name is not lower-case letters, digits and ``_``.
        """
        if not _ARRAY.fullmatch(name):
            raise ProjectError(f"{name[:80]!r} cannot be the name of a result.")
        return self.folder / f"{name}.npy"
