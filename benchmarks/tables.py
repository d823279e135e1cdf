"""Copy the benchmarks' results into benchmarks/README.md, and three numbers into README.md.

``python -m benchmarks.tables`` rewrites what stands between ``<!-- benchmark:NAME -->`` and
``<!-- /benchmark -->`` from ``benchmarks/results/NAME.json``; ``--check`` writes nothing and fails
when a text differs from the results.
"""

import argparse
import re
import sys
from pathlib import Path

from benchmarks import headline
from benchmarks.results_file import FOLDER, Cell, Result, read

TEXTS = (Path(__file__).parents[1] / "README.md", Path(__file__).parent / "README.md")
PART = re.compile(r"(<!-- benchmark:([\w.-]+) -->\n).*?(<!-- /benchmark -->)", re.DOTALL)
NOTHING = "—"


def rewritten(text: str, folder: Path = FOLDER) -> str:
    """Return `text` with every marked part made anew from the results.

    Raises
    ------
    ValueError
        If a part is opened and not closed.
    """
    opened, closed = text.count("<!-- benchmark:"), len(PART.findall(text))
    if opened != closed:
        raise ValueError(f"{opened} parts begin with <!-- benchmark:NAME -->, {closed} also end.")
    return PART.sub(lambda part: part[1] + markdown(part[2], folder) + part[3], text)


def markdown(name: str, folder: Path = FOLDER) -> str:
    """Return the table of a result in Markdown, or a line saying that there is none yet."""
    if name == headline.NAME:
        return headline.markdown(folder)
    if not (folder / f"{name}.json").exists():
        return f"_Not measured yet: there is no `benchmarks/results/{name}.json`._\n"
    result = read(name, folder)
    notes = [f"- {note}" for note in result.notes]
    lines = [f"**{result.title}**", "", *_table(result), "", *notes, *([""] if notes else [])]
    at = f", at commit {result.commit}" if result.commit else ""
    at = at or (f", brought by commit {result.brought_by}" if result.brought_by else "")
    return "\n".join([*lines, f"`{result.command}` on {result.machine}{at}.", ""])


def _table(result: Result) -> list[str]:
    head = [list(result.columns), ["---"] * len(result.columns)]
    rows = [[_cell(value) for value in row] for row in result.rows]
    return [f"| {' | '.join(row)} |" for row in [*head, *rows]]


def _cell(value: Cell) -> str:
    if value is None:
        return NOTHING
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    text = f"{value:,}" if isinstance(value, int) else value
    return text.replace("|", r"\|")


def main() -> int:
    """Rewrite the texts, or tell which are stale."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = 0
    for path in TEXTS:
        before = path.read_text(encoding="utf-8")
        after = rewritten(before)
        if check and after != before:
            sys.stderr.write(f"{path} is stale: run python -m benchmarks.tables\n")
            stale = 1
        if not check:
            path.write_text(after, encoding="utf-8")
    return stale


if __name__ == "__main__":
    sys.exit(main())
