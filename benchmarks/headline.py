"""The three numbers of the README, each with its command, read from the results."""

from pathlib import Path

from benchmarks.results_file import FOLDER, Cell, Result, read

NAME = "headline"
FEW, MEAN = "1.5%", "**mean**"
ALL, TIMES = "**geometric mean, all**", "times faster"
NOVEL, CALLED, WRONGLY = (
    "A hidden type is novel", "called novel", "known types called novel",
)  # fmt: skip


def markdown(folder: Path = FOLDER) -> str:
    """Return the numbers as a list in Markdown."""
    return "\n".join([_right(folder), _fast(folder), _doubtful(folder), ""])


def _right(folder: Path) -> str:
    found = read("accuracy", folder)
    row = _row(found, FEW, MEAN)
    ours, theirs = (str(row[name]).split(" / ")[0] for name in ("standard", "best baseline"))
    sets = sum(other[0] == FEW for other in found.rows) - 1
    return (
        f"- **{_percent(ours)} of the hidden labels right** where 1.5 % of the cells have one;\n"
        f"  {_percent(theirs)} by the best of the quick methods, picked with the outcome\n"
        f"  in hand. Means over {sets} data sets: `{found.command}`."
    )


def _fast(folder: Path) -> str:
    found = read("answer", folder)
    at = found.columns.index(TIMES)
    sets = [row[at] for row in found.rows if not str(row[0]).startswith("**")]
    mean, as_good = float(str(_row(found, ALL)[TIMES])), sum(times is not None for times in sets)
    return (
        f"- **{mean:.0f} times as fast as scvi-tools** from the file to an answer as good,\n"
        f"  on one thread (geometric mean of the {as_good} data sets, of {len(sets)}, where\n"
        f"  a preset is as good): `{found.command}`."
    )


def _doubtful(folder: Path) -> str:
    found = read("doubt", folder)
    called, wrongly = (_row(found, NOVEL, name)["mean"] for name in (CALLED, WRONGLY))
    return (
        f"- **{_percent(called)} of the cells of a type that nobody named are called novel**,\n"
        f"  and {_percent(wrongly)} of the others: `{found.command}`."
    )


def _row(result: Result, *begins: str) -> dict[str, Cell]:
    """Return the row that begins with these cells, by the names of the columns."""
    row = next(row for row in result.rows if tuple(row[: len(begins)]) == begins)
    return dict(zip(result.columns, row, strict=True))


def _percent(share: Cell) -> str:
    return f"{100 * float(str(share)):.3g} %"
