"""Files inside gzip and zip: unpacked beside the project's data, within bounds, then looked at."""

import gzip
import shutil
import zlib
from pathlib import Path, PurePosixPath

from scanvi_core.data.guard.regular_file import open_regular
from scanvi_core.data.guard.text import Sips, check_ratio
from scanvi_core.data.guard.zip import opened_zip
from scanvi_core.errors import FileRefused
from scanvi_core.hints import FETCH_AGAIN

DISK_SHARE = 0.8  # of what is free
BLOCK = 2**20


def unpack_gzip(path: Path, folder: Path) -> Path:
    """Unpack one file into a folder and return it.

    Raises
    ------
    FileRefused
        If it is damaged, larger than the free disk, or unpacks to more than data do.
    """
    target = folder / (path.stem or "unpacked")
    left = _room(folder)
    try:
        with (
            open_regular(path) as raw,
            gzip.GzipFile(fileobj=Sips(raw)) as packed,
            target.open("wb") as out,
        ):
            while block := packed.read(BLOCK):
                left -= len(block)
                if left < 0:
                    raise _too_large(path)
                out.write(block)
                check_ratio(path.name, raw.tell(), out.tell())
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FileRefused(f"{path.name} is cut off or damaged.", FETCH_AGAIN) from error
    return target


def names_in_zip(path: Path, memory_bytes: float) -> list[str]:
    """Return the names of the files in a zip archive."""
    with opened_zip(path, memory_bytes) as archive:
        return [entry.filename for entry in archive.infolist() if not entry.is_dir()]


def unpack_zip(path: Path, folder: Path, memory_bytes: float) -> None:
    """Unpack the files of a checked archive below a folder."""
    with opened_zip(path, memory_bytes) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        if sum(entry.file_size for entry in entries) > _room(folder):
            raise _too_large(path)
        for entry in entries:
            parts = PurePosixPath(entry.filename).parts
            if "__MACOSX" in parts or parts[-1].startswith("."):
                continue
            target = folder.joinpath(*parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(entry) as packed, target.open("wb") as out:
                shutil.copyfileobj(packed, out, BLOCK)


def _room(folder: Path) -> float:
    return DISK_SHARE * shutil.disk_usage(folder).free


def _too_large(path: Path) -> FileRefused:
    return FileRefused(
        f"{path.name} unpacks to more than the free disk space.",
        "Free some space, then try again.",
    )
