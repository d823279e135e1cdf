"""Damaged files in full: ``python -m tests.fuzz``.

1,000 files of each kind, bits flipped, cut off, zeroed or copied about: looked at, then read. The
counts are printed. The same tests run in CI with fewer files. Not on Windows.
"""

import os
import sys

import pytest

if __name__ == "__main__":
    os.environ["SCANVI_FUZZ"] = "all"
    sys.exit(pytest.main(["-s", "-q", "tests/data/intake/test_fuzz.py", *sys.argv[1:]]))
