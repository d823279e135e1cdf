"""Damaged files in full: ``python -m tests.fuzz``.

1,000 files of each kind, bits flipped, cut off, zeroed or copied about: looked at, then read; and
every part of a file in turn made into something else. The counts are printed. The same tests run in
CI with fewer files. Not on Windows.
"""

import os
import sys

import pytest

if __name__ == "__main__":
    os.environ["SCANVI_FUZZ"] = "all"
    files = [f"tests/data/intake/test_{name}.py" for name in ("fuzz", "bending")]
    sys.exit(pytest.main(["-s", "-q", *files, *sys.argv[1:]]))
