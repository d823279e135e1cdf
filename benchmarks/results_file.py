"""The one format of a benchmark's result, from which the README's tables are made.

``benchmarks/results/NAME.json`` holds an object with the keys ``title`` (str), ``command`` (str,
what to run to measure again), ``machine`` (str), ``commit`` (str, of the code that measured),
``asked`` (str, the command that was run, with all its arguments), ``columns`` (list of str),
``rows`` (list of lists of str, int, float or None, one for each column) and ``notes`` (list of
sentences). More keys may follow; tables do not show them. ``python -m benchmarks.tables`` copies
it there. Results from before `commit` and `asked` were written have neither.

>>> write("step", Result("A training step", "python -m benchmarks.speed.step", columns, rows))
"""

import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "benchmarks" / "results"
Cell = str | int | float | None


def machine() -> str:
    """Say in one line what this process runs on: processor, cores, memory, system, versions."""
    parts = [processor(), f"{os.cpu_count()} cores", memory(), platform.system()]
    parts += [f"Python {platform.python_version()}", *gpu_and_torch()]
    return ", ".join(part for part in parts if part)


def processor() -> str:
    """Return the name of the processor as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def memory() -> str:
    """Return the memory of the machine in words."""
    try:
        n_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError):  # Windows has no sysconf
        return ""
    return f"{n_bytes / 2**30:.0f} GB RAM"


def gpu_and_torch() -> list[str]:
    """Return torch's version and the name of its GPU, where torch is loaded already."""
    torch = sys.modules.get("torch")  # asking must not load half a gigabyte
    if torch is None:
        return []
    gpu = [torch.cuda.get_device_name()] if torch.cuda.is_available() else []
    return [f"torch {torch.__version__}", *gpu]


def commit() -> str:
    """Return the commit of the code, with a ``+`` where the code differs from it."""

    def git(*arguments: str) -> str:
        return subprocess.run(  # noqa: S603  fixed words
            ["git", *arguments],  # noqa: S607  wherever the user has it
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        ).stdout.strip()

    changed = git("status", "--porcelain", "--", "scanvi_core", "benchmarks/*.py")
    return git("rev-parse", "--short", "HEAD") + ("+" if changed else "")


def command_line() -> str:
    """Return the command that this program was started with, all its arguments included.

    Of a full path only the name stays: where it lies is of one machine.
    """
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    named = ["-m", spec.name.removesuffix(".__main__")] if spec else [sys.argv[0]]
    given = [Path(word).name if Path(word).is_absolute() else word for word in sys.argv[1:]]
    return shlex.join(["python", *named, *given])


@dataclass(frozen=True, slots=True)
class Result:
    """A table and how it came about; `more` is written beside it and not shown.

    Results that were measured before the code's `commit` was written down have the commit that
    brought them into the repository: `brought_by`. The code that ran is that or a little older.
    """

    title: str
    command: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[str] = ()
    machine: str = field(default_factory=machine)
    commit: str = field(default_factory=commit)
    asked: str = field(default_factory=command_line)
    brought_by: str = ""
    more: dict[str, Any] = field(default_factory=dict)


def write(name: str, result: Result, folder: Path = FOLDER) -> Path:
    """Write ``folder/name.json``; return its path.

    Raises
    ------
    ValueError
        If a row has not as many cells as there are columns.
    """
    odd = [list(row) for row in result.rows if len(row) != len(result.columns)]
    if odd:
        raise ValueError(f"{len(result.columns)} columns, but a row is {odd[0]}")
    content = {
        "title": result.title,
        "command": result.command,
        "machine": result.machine,
        "commit": result.commit,
        "asked": result.asked,
        "columns": list(result.columns),
        "rows": [list(row) for row in result.rows],
        "notes": list(result.notes),
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(content | result.more, indent=1, ensure_ascii=False) + "\n")
    return path


def read(name: str, folder: Path = FOLDER) -> Result:
    """Read what `write` wrote."""
    content = {"commit": "", "asked": ""} | json.loads((folder / f"{name}.json").read_text())
    fields = {key: content.pop(key) for key in Result.__dataclass_fields__ if key in content}
    return Result(**fields, more=content)
