"""The pictures of the tutorial, taken from those that the browser walk leaves behind.

``python -m pytest -n 0 tests/browser/test_walk.py && python -m docs.screenshots``: the first
walks the example from the first page to the exported file, the second puts the chosen pictures
among the pages, with fewer colors so that they are small.
"""

import sys
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
TAKEN = ROOT / "screenshots"
PICTURES = ROOT / "docs" / "pages" / "pictures"
CHOSEN = {
    "open": "1-open",
    "check": "2-check",
    "train": "4-train-running",
    "review": "6-review",
    "evaluate": "7-evaluate",
    "export": "8-export",
}
COLORS = 128
MOST_BYTES = 150_000


def main() -> int:
    """Copy the pictures; return 1 where one was not taken or is too large."""
    for name, taken in CHOSEN.items():
        source, path = TAKEN / f"{taken}.png", PICTURES / f"{name}.png"
        if not source.is_file():
            sys.stderr.write(f"{source} is not there: run the browser walk first\n")
            return 1
        with Image.open(source) as picture:
            picture.convert("RGB").quantize(COLORS).save(path, optimize=True)
        if path.stat().st_size > MOST_BYTES:
            sys.stderr.write(f"{path} has more than {MOST_BYTES:,} bytes\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
