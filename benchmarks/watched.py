"""A stage of a benchmark in a process of its own: its time, and its memory with its children's."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SAMPLE_S = 0.1


@dataclass(frozen=True)
class Measured:
    """What a process took: seconds, and the largest memory of it and its children in MB.

    Attributes
    ----------
    seconds, processor_s
        By the clock, and of the processor.
    anonymous_mb, resident_mb
        Memory of its own, and all that was resident, pages of mapped files included.
    """

    seconds: float
    processor_s: float
    anonymous_mb: float
    resident_mb: float


def measured(
    module: str, arguments: Sequence[str], environment: Mapping[str, str] | None = None
) -> Measured:
    """Run a module of ours with this Python and measure it; `environment` adds variables.

    Raises
    ------
    RuntimeError
        If it failed.
    """
    command = [sys.executable, "-m", module, *arguments]
    began, busy = time.monotonic(), os.times()
    process = subprocess.Popen(command, env=os.environ | dict(environment or {}))  # noqa: S603  ours
    watch = _Watch(process.pid)
    watch.start()
    code = process.wait()
    watch.over.set()
    watch.join()
    if code:
        raise RuntimeError(f"{' '.join(command[2:])} ended with {code}")
    seconds, now = time.monotonic() - began, os.times()
    used = now.children_user + now.children_system - busy.children_user - busy.children_system
    return Measured(seconds, used, watch.anonymous, watch.resident)


def tell(share: float, words: str) -> None:
    """Print how far a stage is."""
    sys.stdout.write(f"  {min(1.0, share):4.0%} {words}\n")
    sys.stdout.flush()


def size_gb(folder: Path) -> float:
    """Return the size of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e9


class _Watch(threading.Thread):
    """Reads the memory of a process and of all its children until it ends."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.anonymous, self.resident = pid, 0.0, 0.0
        self.over = threading.Event()

    def run(self) -> None:
        """Keep the largest sums."""
        while not self.over.wait(SAMPLE_S):
            found = [_memory(pid) for pid in _family(self.pid)]
            self.anonymous = max(self.anonymous, sum(one[0] for one in found))
            self.resident = max(self.resident, sum(one[1] for one in found))


def _family(pid: int) -> list[int]:
    try:
        lists = [(task / "children").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:  # it ended in between
        return [pid]
    children = [int(child) for text in lists for child in text.split()]
    return [pid, *(one for child in children for one in _family(child))]


def _memory(pid: int) -> tuple[float, float]:
    """Return anonymous and all resident memory in MB."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0, 0.0
    kb = {line.split(":")[0]: line.split()[1] for line in lines if line.endswith(" kB")}
    return tuple(int(kb.get(name, 0)) * 1024 / 1e6 for name in ("RssAnon", "VmRSS"))  # type: ignore[return-value]  # two of them
