"""Damage files at random, the same way every time, and watch what the reading of them ends in.

Files are looked at in forked children, many in each: a child that dies is noted with the file that
killed it, and the next one goes on behind that file. Only the watchdog may end one, of which the
page tells in a sentence. POSIX only.
"""

import json
import os
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from scanvi_core import errors
from scanvi_core.data.child import limit_resources
from scanvi_core.data.guard.preflight import preflight
from scanvi_core.errors import ScanviError
from tests.data.intake import layouts
from tests.data.intake.damage import bad_inputs as bad
from tests.data.intake.damage import changes
from tests.data.intake.layouts import COLUMNS, ROWS
from tests.data.intake.outcomes import ask

MEMORY_MB = 2_000
STEP_SECONDS = 0.3  # for one part of such small files
ASKED = "asked"
SOUND, REFUSED, DIED, EXCEPTION = "passed on", "refused", "ended by the watchdog", "exception"
CRASHED = "died of"  # a signal that nobody meant
KINDS: dict[str, Callable[[Path], Path]] = {
    "h5ad": lambda folder: bad.sound(folder / "x.h5ad"),
    "10x h5": bad.tenx,
    "loom": bad.loom,
    "h5mu": bad.h5mu,
    "10x mtx": bad.mtx_folder,
    "csv": bad.table,
    "csv.gz": lambda folder: bad.raw_bytes(
        folder, bad.gzip.compress(bad.table(folder).read_bytes()), "x.csv.gz"
    ),
    "Matrix Market of kb-python": layouts.kb,
    "Matrix Market of Parse": layouts.parse,
    "Matrix Market of STARsolo": layouts.starsolo,
    "csv of BD Rhapsody": layouts.rhapsody,
    "tables of GEO": layouts.geo,
    "h5Seurat": layouts.h5seurat,
    "rds": layouts.WITH_RDATA["Seurat 5 .rds"].make,
    "zarr": bad.zarr_store,
    "zarr.zip": bad.zipped_store,
}

ANSWERS = {"csv": ROWS, "csv.gz": ROWS, "csv of BD Rhapsody": ROWS, "tables of GEO": COLUMNS,
           "h5mu": {"modality": "rna"}}  # fmt: skip
# Told from damage only when they are read: lines of text, packed objects, files in inner folders.
JUDGED_LATER = frozenset(
    {
        "csv",
        "tables of GEO",
        "csv of BD Rhapsody",
        "rds",
        "Matrix Market of Parse",
        "Matrix Market of STARsolo",
    }
)


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Return bytes with one kind of damage: cut off, bits flipped, zeroed or copied about."""
    changed = bytearray(content)
    if not changed:
        return bytes(content)
    at, size = int(rng.integers(len(changed))), int(rng.integers(1, 65))
    match int(rng.integers(6)):
        case 0:
            return bytes(changed[:at])
        case 1:
            changed[at : at + size] = bytes(len(changed[at : at + size]))
        case 2:
            source = int(rng.integers(len(changed)))
            changed[at : at + size] = changed[source : source + size]
        case _:
            for position in rng.integers(len(changed), size=int(rng.integers(1, 9))):
                changed[position] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def damage(kind: str, number: int, sound: Path, folder: Path) -> Path:
    """Write the file that a kind and a number stand for; of a folder, one file is damaged."""
    rng = np.random.default_rng([number, *kind.encode()])
    target = folder / sound.name
    if sound.is_dir():
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(sound, target)
        files = sorted(path for path in target.rglob("*") if path.is_file())
        victim = files[int(rng.integers(len(files)))]
        victim.write_bytes(damaged(victim.read_bytes(), rng))
    else:
        target.write_bytes(damaged(sound.read_bytes(), rng))
    return target


def look(path: Path, _: "Sound") -> str:
    """Return what the preflight of a file ends in."""
    try:
        preflight(path, MEMORY_MB * 1e6, STEP_SECONDS)
    except ScanviError as error:
        return REFUSED if _is_said(type(error), error.message, error.hint) else f"words: {error}"
    except Exception as error:  # noqa: BLE001  to be counted
        return f"{EXCEPTION}: {type(error).__name__}: {error}"
    return SOUND


def read(path: Path, sound: "Sound") -> str:
    """Return what the whole reading of a file ends in; of one that is taken in, what changed."""
    reply = sound.ask(path)
    if "error" not in reply:
        if "question" in reply["result"]:
            return ASKED
        return changes.compare(sound.taken(), changes.Taken.of(sound.folder))
    failure = reply["error"]
    kind = getattr(errors, failure["class"], Exception)
    said = _is_said(kind, failure["message"], failure["hint"])
    return REFUSED if said else f"{EXCEPTION}: {failure['message']}"


class Sound:
    """A sound file, and what it is read into."""

    def __init__(self, kind: str, scratch: Path) -> None:
        (scratch / "sound").mkdir()
        self.path = KINDS[kind](scratch / "sound")
        self.folder = scratch / "ds"
        self.kind = kind
        self._taken: changes.Taken | None = None

    def ask(self, path: Path) -> dict[str, Any]:
        """Read a file of this kind, with answers to what is asked about the sound one."""
        shutil.rmtree(self.folder, ignore_errors=True)
        answers = ANSWERS.get(self.kind, {})
        limits = {"step_seconds": STEP_SECONDS, "memory_mb": MEMORY_MB}
        return ask(path, self.folder, answers=answers, **limits)

    def taken(self) -> changes.Taken:
        """Return what the sound file holds; read before any other, as `run` does."""
        if self._taken is None:
            reply = self.ask(self.path)
            if "question" in reply.get("result", {"question": reply}):
                raise ValueError(f"the sound file of {self.kind} is not taken in: {reply}")
            self._taken = changes.Taken.of(self.folder)
        return self._taken


def _is_said(kind: type[BaseException], message: str, hint: str) -> bool:
    """Tell whether an error is a sentence for its reader and no exception shines through."""
    good = issubclass(kind, errors.InputError) and "Error:" not in message
    return good and message.endswith((".", "?")) and bool(hint)


def run(kind: str, n_files: int, judge: Callable[[Path, Sound], str] = look) -> Counter[str]:
    """Damage one kind of file so many times; return how often reading ended in what."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        sound = Sound(kind, Path(name))
        if judge is read:
            sound.taken()
        found: Counter[str] = Counter()
        done = 0
        while done < n_files:
            results = _child(range(done, n_files), sound, judge)
            found.update(results)
            done += len(results)
    return found


def _child(numbers: range, sound: Sound, judge: Callable[[Path, Sound], str]) -> list[str]:
    """Return results from a forked child until all are done or it dies, which is the last one."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            limit_resources(MEMORY_MB, 3_600)
            with os.fdopen(writer, "w") as out:
                for number in numbers:
                    folder = sound.folder.parent / "damaged"
                    folder.mkdir(exist_ok=True)
                    result = judge(damage(sound.kind, number, sound.path, folder), sound)
                    print(json.dumps(result), file=out, flush=True)
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as lines:
        results = [json.loads(line) for line in lines]
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if len(results) < len(numbers):
        killer = numbers[len(results)]
        results.append(DIED if code == -signal.SIGPROF else f"{CRASHED} {code}, file {killer}")
    return results
