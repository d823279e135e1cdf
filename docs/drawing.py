"""The drawing of who imports whom, made from the layers of pyproject.toml.

``python -m docs.drawing`` writes it into the pages; a test finds that it is up to date.
"""

import tomllib
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "docs" / "pages" / "pictures" / "layers.svg"
WIDTH, ROW, GAP, MARGIN, TITLE = 440, 34, 10, 20, 40  # pixels
INKS = {"pages": "#dbe7f3", "scanvi_core": "#e3efdf", "scanvi_core.services": "#f6ead5"}
Row = tuple[str, ...]


def layers(package: str) -> list[Row]:
    """Return the layers of a package from the top down; a row holds those on one level."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found = next(
        contract["layers"]
        for contract in project["tool"]["importlinter"]["contracts"]
        if contract["type"] == "layers" and contract["containers"] == [package]
    )
    return [tuple(name.strip() for name in layer.split("|")) for layer in found]


def svg() -> str:
    """Return the drawing."""
    shown = (("pages", "scanvi_core"), ("scanvi_core.services",))
    columns = [_column(names, MARGIN + i * (WIDTH + MARGIN)) for i, names in enumerate(shown)]
    height = max(bottom for _, bottom in columns)
    wide = 2 * WIDTH + 3 * MARGIN
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {height}" '
        'font-family="sans-serif" font-size="13" role="img">'
        "<title>Packages by level: each imports only from levels below its own</title>"
        f'<rect width="{wide}" height="{height}" rx="8" fill="#ffffff"/>'
    )
    return "\n".join([head, *(line for lines, _ in columns for line in lines), "</svg>", ""])


def _column(packages: tuple[str, ...], x: int) -> tuple[list[str], int]:
    """Return the lines of a column, and where it ends."""
    lines, y = list[str](), MARGIN
    for package in packages:
        lines.append(f'<text x="{x}" y="{y + 20}" font-weight="bold">{escape(package)}</text>')
        y += TITLE
        for row in layers(package):
            lines += _row(row, x, y, INKS[package])
            y += ROW + GAP
    return lines, y + MARGIN


def _row(names: Row, x: int, y: int, ink: str) -> list[str]:
    width = (WIDTH - GAP * (len(names) - 1)) / len(names)
    lines = []
    for i, name in enumerate(names):
        at = x + i * (width + GAP)
        lines.append(
            f'<rect x="{at:g}" y="{y}" width="{width:g}" height="{ROW}" rx="5" fill="{ink}" '
            'stroke="#8a8f98"/>'
            f'<text x="{at + width / 2:g}" y="{y + 22}" text-anchor="middle">{escape(name)}</text>'
        )
    return lines


if __name__ == "__main__":
    TARGET.write_text(svg(), encoding="utf-8")
