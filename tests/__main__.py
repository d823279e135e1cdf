"""Run every check of the project: ``python -m tests``; further arguments go to pytest.

The tests run in one process more than there are cores, since half of their time they wait for a
browser or another process (``-n 0``: in one); the other checks run beside them.
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TOOLS = Path(sys.executable).parent
QUICK = {"format": ["ruff", "format", "--check", "."], "lint": ["ruff", "check", "."]}
BESIDE = {"import contracts": ["lint-imports"], "types": ["mypy"]}
MOST_WORKERS = 8  # each holds torch, scanpy and the data of its tests


def main() -> int:
    """Run the checks; return the first exit status that is not 0."""
    for name, command in QUICK.items():
        status = _told(name, command)
        if status:
            return status
    with ThreadPoolExecutor() as beside:
        others = [beside.submit(_told, *check) for check in BESIDE.items()]
        tests = _test(sys.argv[1:])
    return next(filter(None, [*(other.result() for other in others), tests]), 0)


def _told(name: str, command: list[str]) -> int:
    """Run a check, and say in one piece what it said."""
    tool, *arguments = command
    done = subprocess.run(
        [TOOLS / tool, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    said = done.stdout.decode("utf-8", "replace").strip()
    verdict = f"FAILED with status {done.returncode}" if done.returncode else "passed"
    print(f"\n== {name}\n{said}\n== {name} {verdict}", flush=True)
    return done.returncode


def _test(arguments: list[str]) -> int:
    print("\n== tests", flush=True)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    workers = ["-n", str(min((cores or 1) + 1, MOST_WORKERS)), "--dist", "worksteal"]
    return subprocess.call([TOOLS / "pytest", *workers, *arguments])


if __name__ == "__main__":
    sys.exit(main())
