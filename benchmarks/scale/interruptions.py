"""Ctrl-C and SIGTERM in every phase of ``annotate``: how soon it ends, how, and what is left.

``python -m benchmarks.scale.interruptions FILE --labels-key KEY [--phases WORDS ...]`` starts the
command on a terminal of its own for every phase and signal, waits until its bar says the words of
the phase, and sends the signal: Ctrl-C to all processes of the terminal, as a key does, SIGTERM to
the command alone, as a queue does. What is left are files in the temporary folder and beside the
output (a kept training aside, and torch's cache of compiled code, which every run leaves for the
next one), and processes. POSIX only. The table is
``benchmarks/results/interruptions.json``.
"""

import argparse
import os
import pty
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.results_file import Result, write

PHASES = (
    "Reading", "Copying", "Choosing genes", "Starting", "Training, epoch", "Training the quick",
    "Predicting", "Grouping", "Drawing", "Judging", "Looking for labels", "Looking for new",
    "Looking for doublets", "Copying your file", "Writing the tables",
)  # fmt: skip
SIGNALS = (signal.SIGINT, signal.SIGTERM)
WAIT_S, DEEPER_S = 300.0, 0.4  # for a phase, and into it
COLUMNS = ("phase", "signal", "seconds", "exit", "kept", "left")
EVERY_RUN = ("home", "torchinductor_")  # the names of what each leaves begin so
MARK = "SCANVI_INTERRUPTED"  # a variable by which all processes of a command are known


@dataclass
class Ended:
    """How a command ended after a signal."""

    seconds: float
    status: int
    said: str
    kept: bool
    left: list[str] = field(default_factory=list)


def interrupted(command: list[str], words: str, number: int, output: Path) -> Ended | None:
    """Start a command, send a signal in a phase and see; None where it ended before that."""
    with tempfile.TemporaryDirectory() as scratch:
        mark = f"{os.getpid()}-{time.monotonic_ns()}"
        environment = os.environ | {
            "TMPDIR": scratch,
            MARK: mark,
            "SCANVI_HOME": f"{scratch}/home",
        }
        ours, theirs = pty.openpty()
        process = subprocess.Popen(  # noqa: S603  our own command
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment,
            start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        screen = Screen(ours)
        try:
            if not screen.shows(words, process):
                return None
            time.sleep(DEEPER_S)
            began = time.monotonic()
            if number == signal.SIGINT:
                os.killpg(process.pid, number)
            else:
                process.send_signal(number)
            status = process.wait(WAIT_S)
            seconds = time.monotonic() - began
            time.sleep(0.2)  # for the system to take away what was killed
            return Ended(seconds, status, screen.last_line(), *_left(Path(scratch), output, mark))
        finally:
            process.kill()
            process.wait()
            os.close(ours)


def _left(scratch: Path, output: Path, mark: str) -> tuple[bool, list[str]]:
    """Return whether a training was kept, and what else there is: files and processes."""
    kept = output.with_name(output.name + ".unfinished")
    beside = [path.name for path in output.parent.iterdir() if path not in (output, kept)]
    there = [path.name for path in scratch.iterdir()]
    files = [*beside, *(name for name in there if not name.startswith(EVERY_RUN))]
    if output.exists():
        files.append(output.name)
    return kept.is_dir(), sorted(files) + [f"process {pid}" for pid in _processes(mark)]


def _processes(mark: str) -> list[int]:
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found


class Screen:
    """What a command writes on its terminal."""

    def __init__(self, terminal: int) -> None:
        self.text = ""
        self._terminal = terminal
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        with suppress(OSError):  # the other side is closed
            while piece := os.read(self._terminal, 4096):
                self.text += piece.decode(errors="replace")

    def shows(self, words: str, process: "subprocess.Popen[bytes]") -> bool:
        """Wait for words; tell whether they came before the end of the command."""
        until = time.monotonic() + WAIT_S
        while words not in self.text and process.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        return words in self.text and process.poll() is None

    def last_line(self) -> str:
        """Return the last line that is not empty."""
        lines = [line.strip() for line in self.text.replace("\r", "\n").splitlines()]
        return next((line for line in reversed(lines) if line), "")


def main() -> None:
    """Interrupt every phase by every signal and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--labels-key", required=True)
    parser.add_argument("--phases", nargs="+", default=PHASES)
    asked = parser.parse_args()
    rows = []
    for words in asked.phases:
        for number in SIGNALS:
            with tempfile.TemporaryDirectory() as folder:
                output = Path(folder) / "out.h5ad"
                command = [
                    sys.executable, "-m", "scanvi_core", "annotate", str(asked.file.resolve()),
                    "--labels-key", asked.labels_key, "-o", str(output),
                ]  # fmt: skip
                seen = interrupted(command, words, number, output)
            name = signal.Signals(number).name
            row = [words, name, None, None, "", "it ended before"]
            if seen is not None:
                kept, left = "yes" if seen.kept else "no", ", ".join(seen.left) or "nothing"
                row = [words, name, round(seen.seconds, 2), seen.status, kept, left]
            rows.append(row)
            sys.stdout.write(f"{row} {'' if seen is None else seen.said}\n")
            sys.stdout.flush()
    write("interruptions", Result(
        "Ctrl-C and SIGTERM in every phase of `annotate`",
        "python -m benchmarks.scale.interruptions FILE --labels-key KEY", COLUMNS, rows,
        ["Kept: the run beside the output, from which `--resume` goes on.",
         "Writing the tables: of the project's own copy, the last part of reading a file."],
    ))  # fmt: skip


if __name__ == "__main__":
    main()
