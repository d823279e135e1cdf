"""Write the table of all measurements, and the short one for benchmarks/README.md."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.accuracy import ablation, paired
from benchmarks.accuracy.cells import ONE_BATCH, words
from benchmarks.accuracy.compare import Metric, Rival, Table, hard, summary
from benchmarks.accuracy.records import FOLDER, Record, read_all
from benchmarks.results_file import Result, write

ALONE = " (SCANVI alone)"
PRESETS = ("quick", "standard", "thorough")
PAIRED = ("logistic", "pca+logistic", "pca+knn", "product", "celltypist")
ONE_MASK = "scvi-tools"
BASELINES = (*PAIRED, ONE_MASK)
ORDER = (*BASELINES, *(name + tail for name in PRESETS for tail in ("", ALONE)))
METRICS: tuple[Metric, ...] = ("macro_f1", "accuracy")
COMMAND = "python -m benchmarks.accuracy && python -m benchmarks.accuracy table"
FULL = "table.md"
Pair = tuple[float, float] | None  # accuracy and macro-F1


def write_tables(folder: Path = FOLDER) -> list[Path]:
    """Make ``table.md`` beside the records; ``accuracy.json``, ``ablation.json`` one folder up."""
    table = Table(read_all(folder))
    full = folder / FULL
    full.write_text("\n".join(lines(table)) + "\n", encoding="utf-8")
    results = {"accuracy": short(table), "ablation": ablation.table_of(table)}
    written = [write(name, found, folder.parent) for name, found in results.items() if found]
    return [full, *written]


def lines(table: Table) -> Iterator[str]:
    """Yield the whole table and the comparisons, in Markdown."""
    yield "# Which method names the most hidden cells right"
    yield ""
    yield f"Made by `{COMMAND}`."
    yield "Mean and 95 % interval (Student) over the masks; ECE: the gap between confidence and"
    yield "accuracy (15 bins of equally many cells); seconds of computing, the median."
    yield ""
    yield "| data set | labels shown | method | masks | accuracy | macro-F1 | ECE | seconds |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for data_set in table.sets():
        for fraction in table.fractions():
            for method in ORDER:
                found = table.cell(method, data_set, fraction)
                if found:
                    yield _row(found)
    for preset in PRESETS:
        yield from _comparison(table, preset)


def _row(found: list[Record]) -> str:
    first = found[0]
    figures = [
        _with_interval([getattr(record, name) for record in found])
        for name in ("accuracy", "macro_f1", "ece")
    ]
    seconds = float(np.median([record.cpu_seconds for record in found]))
    shown = words(first.fraction)
    cells = [first.data_set, shown, first.method, str(len(found)), *figures, f"{seconds:.1f}"]
    return f"| {' | '.join(cells)} |"


def _with_interval(values: list[float]) -> str:
    found = paired.within(np.array(values))
    if found.n < 2:
        return f"{found.mean:.3f}"
    low, high = np.clip([found.low, found.high], 0.0, 1.0)
    return f"{found.mean:.3f} ({low:.3f} to {high:.3f})"


def _comparison(table: Table, preset: str) -> Iterator[str]:
    """Yield how a preset does against the best baseline of each set, and against scvi-tools."""
    if not table.rivals(preset, table.fractions(), PAIRED, "macro_f1"):
        return
    yield ""
    yield f"## {preset} against the best baseline, picked per set and fraction with hindsight"
    for metric in METRICS:
        yield ""
        yield f"| {metric} | labels shown | best baseline | its mean | difference | is |"
        yield "| --- | --- | --- | --- | --- | --- |"
        for rival in table.rivals(preset, table.fractions(), PAIRED, metric):
            found = paired.within(rival.gains)
            yield (
                f"| {rival.data_set} | {words(rival.fraction)} | {rival.baseline} | "
                f"{rival.its_mean:.3f} | {gain(found)} | {found.verdict} |"
            )
        yield ""
        yield from (f"- {sentence}" for sentence in _sentences(table, preset, metric))


def _sentences(table: Table, preset: str, metric: Metric) -> Iterator[str]:
    groups: list[tuple[str, list[Rival]]] = [
        (f"{words(fraction)} shown", table.rivals(preset, [fraction], PAIRED, metric))
        for fraction in table.fractions()
    ]
    by_cell = [fraction for fraction in table.fractions() if fraction < ONE_BATCH]
    both = table.rivals(preset, by_cell, PAIRED, metric)
    groups.append(("both shares together", both))
    groups.append(
        ("sets where the best baseline's macro-F1 is under .95", hard(both, table, PAIRED))
    )
    for name, rivals in groups:
        if rivals:
            pairs, sets = summary(rivals)
            yield (
                f"{metric}, {name}: {gain(pairs)} over {pairs.n} pairs of set and mask; "
                f"with whole sets redrawn {gain(sets)}."
            )
    against = _against_one_mask(table, preset, metric)
    if against is not None:
        yield f"{metric} against {ONE_MASK}, mask 0: {gain(against)} over {against.n} pairs."


def _against_one_mask(table: Table, preset: str, metric: Metric) -> paired.Difference | None:
    gains = []
    for data_set in table.sets():
        for fraction in table.fractions():
            ours = table.values(preset, data_set, fraction, metric)
            theirs = table.values(ONE_MASK, data_set, fraction, metric)
            gains += [ours[mask] - theirs[mask] for mask in ours.keys() & theirs.keys()]
    return paired.over_pairs([np.array(gains)]) if gains else None


def gain(found: paired.Difference) -> str:
    """Write a difference and its interval."""
    if np.isnan(found.low):
        return f"{found.mean:+.3f}"
    return f"{found.mean:+.3f} ({found.low:+.3f} to {found.high:+.3f})"


def short(table: Table) -> Result:
    """Return the table for the README: a row for each fraction and set, and their means."""
    rows: list[list[str | None]] = []
    for fraction in table.fractions():
        columns = [_column(table, method, fraction) for method in (*PRESETS, ONE_MASK)]
        best = [_best(table, data_set, fraction) for data_set in table.sets(fraction)]
        for i, data_set in enumerate(table.sets(fraction)):
            rival = table.rival("standard", data_set, fraction, PAIRED, "macro_f1")
            rows.append(
                [
                    words(fraction),
                    data_set,
                    *(_pair(column[i]) for column in columns),
                    f"{_pair(best[i][1])} {best[i][0]}",
                    None if rival is None else paired.within(rival.gains).verdict,
                ]
            )
        means = [_pair(_mean_pair(c)) for c in (*columns, [pair for _, pair in best])]
        rows.append([words(fraction), "**mean**", *means, None])
    notes = [
        (
            "Accuracy / macro-F1 on the cells whose labels were hidden, mean over up to five "
            f"masks{_fewer(table)}. One batch: all its labels are shown, none of the others."
        ),
        (
            "The best baseline has the highest macro-F1 of "
            f"{', '.join(PAIRED)}, picked row by row with the outcome in hand; the last column "
            "compares its macro-F1 with that of standard, mask by mask (95 % interval)."
        ),
        *_sentences(table, "standard", "macro_f1"),
        *_sentences(table, "standard", "accuracy"),
        f"All methods, intervals and seconds: benchmarks/results/accuracy/{FULL}.",
        f"Made with {_versions(table)}.",
    ]
    machine = "; ".join(sorted({record.machine for record in table.records.values()}))
    names = ["labels shown", "data set", *PRESETS, ONE_MASK, "best baseline", "standard is"]
    title = "Which method names the most hidden cells right"
    return Result(title, COMMAND, names, rows, notes, machine)


def _fewer(table: Table) -> str:
    """Say which of the methods in the short table were measured under fewer masks."""
    masks = {
        name: max(len(table.cell(name, s, f)) for s in table.sets() for f in table.fractions())
        for name in (*PRESETS, ONE_MASK)
    }
    most = max(masks.values())
    told = [f"{name}: {n}" for name, n in masks.items() if 0 < n < most]
    return f" ({', '.join(told)})" if told else ""


def _versions(table: Table) -> str:
    """Name the tools of others and their versions."""
    found = {f"{name} {r.versions[name]}" for r in table.records.values() for name in r.versions}
    return ", ".join(sorted(text for text in found if text.split()[0] in (ONE_MASK, "celltypist")))


def _column(table: Table, method: str, fraction: float) -> list[Pair]:
    return [_mean(table, method, data_set, fraction) for data_set in table.sets(fraction)]


def _best(table: Table, data_set: str, fraction: float) -> tuple[str, Pair]:
    """Return name and scores of the baseline with the highest macro-F1."""
    scored = {name: _mean(table, name, data_set, fraction) for name in PAIRED}
    there = {name: pair for name, pair in scored.items() if pair is not None}
    best = max(there, key=lambda name: there[name][1], default="")
    return best, there.get(best)


def _mean(table: Table, method: str, data_set: str, fraction: float) -> Pair:
    found = table.cell(method, data_set, fraction)
    return _mean_pair([(record.accuracy, record.macro_f1) for record in found] or [None])


def _mean_pair(pairs: Sequence[Pair]) -> Pair:
    """Return the mean of all pairs; None if any is missing."""
    there = [pair for pair in pairs if pair is not None]
    if len(there) < len(pairs):
        return None
    accuracy, f1 = np.mean(there, axis=0)
    return float(accuracy), float(f1)


def _pair(values: Pair) -> str | None:
    return None if values is None else " / ".join(f"{value:.3f}" for value in values)
