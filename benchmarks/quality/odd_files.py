"""What becomes of odd, bad and damaged files.

``python -m benchmarks.quality.odd_files [--fuzz N]`` reads every entry of the collection of odd
files (``../shared/odd_files``), every file in a layout that people reported trouble with
(``../shared/reported``), every layout of another program (`tests/data/intake/layouts.py`; those
of R where rdata is installed), every constructed bad input (`bad_cases.py` of
`tests/data/intake/damage`) and N damaged files of each kind (`fuzzing.py` there): looked at before
reading, then read whole and held against the sound file (`changes.py` there). It times the refusal
of hostile files in the child. Writes ``benchmarks/results/odd_files.json``, from which the
README's table is made.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from benchmarks.results_file import Result, write
from scanvi_core.data.intake.import_file import import_file
from scanvi_core.errors import InputError
from tests.data.intake import layouts, odd_cases, reported_cases, truth
from tests.data.intake.damage import bad_cases, bad_inputs, changes, fuzzing
from tests.data.intake.outcomes import Outcome, Refused, Totals, deviations

COLUMNS = ("files", "tried", "right answers", "tracebacks", "dead processes", "silent changes")
RIGHT = (
    "A right answer is a data set with just the notices that were expected, whose counts per cell "
    "equal those another library reads, or the expected refusal."
)
DAMAGED = (
    "Damaged: {n:,} files of each of {kinds} kinds: cut off, bits flipped, zeroed, copied about; "
    "the preflight refused them, passed them on to the reader, or was ended by its own watchdog, "
    "which the page tells in a sentence."
)
READ = (
    "Read: a damaged file was refused ({refused:,}), asked about ({asked:,}), ended by the "
    "watchdog ({died:,}), was read as the sound one ({same:,}) or with a notice that the sound "
    "one has not ({told:,}). {values:,} were read with other values or names, no notice: formats "
    "without checksums cannot show a flipped bit inside a number or a name. Silent would be "
    "another number of cells, genes, columns or embeddings, a name given twice, or more values "
    "changed than the damaged bytes hold."
)
HOSTILE = range(18, 38)  # numbers of the inventory
Case = tuple[str, Callable[[Path], Path], Outcome, Totals | None]


def main() -> None:
    """Run everything and write the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fuzz", type=int, default=100, help="damaged files of each kind")
    n_fuzz = parser.parse_args().fuzz
    missing = [path for path in (odd_cases.ODD, reported_cases.REPORTED) if not path.is_dir()]
    if missing:
        sys.exit(f"There is no {missing[0]}: the collections of files are not there.")
    warnings.simplefilter("ignore")
    more: dict[str, object] = {}
    odd_row, more["odd"] = _row("the collection of odd files", _odd())
    reported_row, more["reported"] = _row("layouts that people reported trouble with", _reported())
    layout_row, more["layouts"] = _row("layouts of other programs", _layouts())
    bad_row, more["bad"] = _row("constructed bad inputs", _bad())
    fuzz_row, more["fuzz"] = _fuzz(n_fuzz)
    read_row, read_note, more["read"] = _fuzz_read(n_fuzz)
    seconds, more["refusals"] = _refusals()
    write(
        "odd_files",
        Result(
            "What becomes of odd, bad and damaged files",
            f"python -m benchmarks.quality.odd_files --fuzz {n_fuzz}",
            COLUMNS,
            [odd_row, reported_row, layout_row, bad_row, fuzz_row, read_row],
            [
                _sources(),
                RIGHT,
                DAMAGED.format(n=n_fuzz, kinds=len(fuzzing.KINDS)),
                read_note,
                seconds,
            ],
            more=more,
        ),
    )


def _odd() -> Iterable[Case]:
    for name, outcome in odd_cases.CASES.items():
        path = odd_cases.ODD / name
        yield (
            name,
            lambda _, path=path: path,
            outcome,
            lambda source, p=path: truth.totals(p, source),
        )


def _reported() -> Iterable[Case]:
    for name, outcome in reported_cases.CASES.items():
        yield name, (lambda _, name=name: reported_cases.REPORTED / name), outcome, None


def _layouts() -> Iterable[Case]:
    for name, layout in _known_layouts().items():
        yield name, layout.make, layout.outcome, None


def _known_layouts() -> dict[str, layouts.Layout]:
    return layouts.LAYOUTS | (layouts.WITH_RDATA if find_spec("rdata") else {})


def _sources() -> str:
    """Return the note that names each layout and who describes it."""
    named = [f"{name} ({layout.source})" for name, layout in _known_layouts().items()]
    return f"Layouts of other programs: {'; '.join(named)}."


def _bad() -> Iterable[Case]:
    sums = bad_inputs.counts().sum(axis=1, dtype=np.float64)
    for bad in bad_cases.CASES:
        totals = (lambda _: sums) if bad.same else None
        yield f"{bad.number} {bad.name}", bad.make, bad.outcome, totals


def _row(title: str, cases: Iterable[Case]) -> tuple[list[str | int], dict[str, list[str]]]:
    """Return a row of the table, and what is wrong by name of the case."""
    wrong: dict[str, list[str]] = {}
    tried = 0
    for name, make, outcome, totals in cases:
        tried += 1
        if found := _in_a_child(make, outcome, totals):
            wrong[name] = found
            print(name, found, flush=True)
    counted = Counter(
        word for found in wrong.values() for word in ("traceback", "died", "silent change")
        if any(word in text for text in found)
    )  # fmt: skip
    troubles = [counted[word] for word in ("traceback", "died", "silent change")]
    return [title, tried, tried - len(wrong), *troubles], wrong


def _in_a_child(
    make: Callable[[Path], Path], outcome: Outcome, totals: Totals | None
) -> list[str]:
    """Return the deviations of one case; read in a forked child, whose death is one of them."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        with os.fdopen(writer, "w") as out, tempfile.TemporaryDirectory() as name:
            try:
                (Path(name) / "in").mkdir()
                path = make(Path(name) / "in")
                found = deviations(path, Path(name) / "out" / "ds", outcome, totals)
            except BaseException:  # noqa: BLE001  to be counted
                found = ["traceback", traceback.format_exc()[-400:]]
            out.write("\0".join(found))
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as lines:
        found = [text for text in lines.read().split("\0") if text]
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return [*found, f"died: {signal.Signals(-code).name}"] if code < 0 else found


def _fuzz(n_files: int) -> tuple[list[str | int], dict[str, dict[str, int]]]:
    counts = {kind: fuzzing.run(kind, n_files) for kind in fuzzing.KINDS}
    total: Counter[str] = sum(counts.values(), Counter())
    right = total[fuzzing.SOUND] + total[fuzzing.REFUSED] + total[fuzzing.DIED]
    died = sum(n for ending, n in total.items() if ending.startswith(fuzzing.CRASHED))
    row: list[str | int] = ["damaged files, looked at", total.total(), right]
    wrong = total.total() - right - died
    return [*row, wrong, died, 0], {k: dict(found) for k, found in counts.items()}


def _fuzz_read(n_files: int) -> tuple[list[str | int], str, dict[str, dict[str, int]]]:
    counts = {kind: fuzzing.run(kind, n_files, fuzzing.read) for kind in fuzzing.KINDS}
    total: Counter[str] = sum(counts.values(), Counter())
    known = {
        "refused": fuzzing.REFUSED, "asked": fuzzing.ASKED, "died": fuzzing.DIED,
        "same": changes.SAME, "told": changes.TOLD, "values": changes.VALUES,
    }  # fmt: skip
    found = {word: total[ending] for word, ending in known.items()}
    silent, died, traces = (
        sum(n for ending, n in total.items() if ending.startswith(start))
        for start in (changes.SILENT, fuzzing.CRASHED, fuzzing.EXCEPTION)
    )
    row: list[str | int] = ["damaged files, read", total.total(), sum(found.values())]
    table = {kind: dict(each) for kind, each in counts.items()}
    return [*row, traces, died, silent], READ.format(**found), table


def _refusals() -> tuple[str, dict[str, list[float]]]:
    """Time the refusal of every hostile file, by the clock and in processor time of the child."""
    taken: dict[str, list[float]] = {}
    for bad in bad_cases.CASES:
        if bad.number not in HOSTILE or not isinstance(bad.outcome, Refused):
            continue
        with tempfile.TemporaryDirectory() as name:
            (Path(name) / "in").mkdir()
            path = bad.make(Path(name) / "in")
            clock, processor = time.perf_counter(), os.times()
            try:
                import_file(path, Path(name) / "ds")
            except InputError:
                after = os.times()
                used = after.children_user - processor.children_user
                used += after.children_system - processor.children_system
                key = f"{bad.number} {bad.name}"
                taken[key] = [round(time.perf_counter() - clock, 2), round(used, 2)]
    clocks, used = zip(*taken.values(), strict=True)
    return (
        f"Refusing any of {len(taken)} hostile files took {np.median(clocks):.1f} s at the median "
        f"and {max(clocks):.1f} s at most by the clock, start of the child process included; "
        f"{np.median(used):.1f} s and {max(used):.1f} s of processor time."
    ), taken


if __name__ == "__main__":
    main()
