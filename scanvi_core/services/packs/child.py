"""The process that looks through a pack, so that none can hurt this one.

Started by :mod:`scanvi_core.services.packs.opening`; not for users.
"""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from scanvi_core.data.blocks.progress import UNPACKING, VERIFYING
from scanvi_core.data.child import main
from scanvi_core.errors import DataDamaged, InputError, ProjectError, ScanviError
from scanvi_core.project import pack
from scanvi_core.project.files import to_json
from scanvi_core.project.foreign.members import DAMAGE
from scanvi_core.project.foreign.pack import KEPT, LAYOUT, TEXTS, check_record
from scanvi_core.project.foreign.tensors import check_model
from scanvi_core.typed import Mistyped


def take_in(request: dict[str, Any]) -> dict[str, Any]:
    """Unpack a pack into a folder, and leave nothing in it that was not looked at.

    Parameters
    ----------
    request
        ``file``, the pack; ``folder``, an empty folder; ``memory_mb``, ``timeout_s``.

    Returns
    -------
    dict
        ``n_types``.

    Raises
    ------
    FileRefused
        If it is no pack, or something in it is not as it has to be.
    ProjectError
        If the disk has no room for it.
    """
    folder = Path(request["folder"])
    try:
        _unpack(Path(request["file"]), folder)
        VERIFYING.tell(0)
        return _check(folder)
    except (DataDamaged, Mistyped) as error:
        raise LAYOUT.damaged(getattr(error, "message", str(error)).rstrip(".")) from error
    except (ScanviError, MemoryError, OSError):
        raise
    except Exception as error:
        raise LAYOUT.damaged("looking through it failed") from error


def _unpack(path: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(path) as packed:
            for entry in LAYOUT.checked(packed, path.stat().st_size, folder):
                UNPACKING.tell(0)
                LAYOUT.unpack(packed, entry, folder)
    except DAMAGE as error:
        raise LAYOUT.is_none("it is no zip file, or a damaged one") from error


def _check(folder: Path) -> dict[str, Any]:
    record, model = check_record(_read(folder / pack.RECORD), _read(folder / pack.ANNOTATOR))
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    listed = record["sha256"]
    if set(listed) != there - {pack.RECORD}:
        raise LAYOUT.damaged("it holds other files than it lists")
    for name in sorted(listed):
        if pack.digest((folder / name).read_bytes()) != listed[name]:
            raise LAYOUT.damaged(f"{name} in it is not what was written")
    check_model(folder / pack.MODEL, model)
    _check_rules(record)
    _check_weights(folder / pack.MODEL)
    for name in TEXTS:
        (folder / name).unlink(missing_ok=True)
    record["sha256"] = {name: listed[name] for name in KEPT}
    for name, value in ((pack.RECORD, record), (pack.ANNOTATOR, model)):
        (folder / name).write_text(to_json(value, indent=1) + "\n", encoding="utf-8")
    return {"n_types": len(record["types"])}


def _check_rules(record: dict[str, Any]) -> None:
    from scanvi_core.services.explore import rules

    try:
        rules.of_plain(record["rules"])
    except InputError as error:
        raise LAYOUT.damaged("a rule in it cannot be read") from error


def _check_weights(folder: Path) -> None:
    """Make the model of its weights, which finds those of another shape, and look at them."""
    from safetensors.numpy import load_file

    from scanvi_core.annotation.model.annotator import Annotator

    for path in folder.glob("*.safetensors"):
        for name, array in load_file(path).items():
            known = np.isfinite(array)
            unknown_type = name == "middles" and (known.all(axis=1) | ~known.any(axis=1)).all()
            if not known.all() and not unknown_type:
                raise LAYOUT.damaged(f"{path.name} in it holds what is no number")
    try:
        Annotator.load(folder, "cpu")
    except ProjectError as error:
        raise LAYOUT.damaged("its weights are not those of its model") from error


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise LAYOUT.damaged(f"{path.name} in it is no JSON") from error


if __name__ == "__main__":
    main(take_in)
