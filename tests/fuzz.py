"""Damaged files in full: ``python -m tests.fuzz``.

1,000 files of each kind, bits flipped, cut off, zeroed or copied about: looked at, then read;
every part of a file in turn made into something else; 2,000 project files and 2,000 histories of
labels. The counts are printed. CI runs the same tests with fewer. Not on Windows.
"""

import os
import sys

import pytest

FILES = (
    "tests/data/intake/damage/test_fuzz.py",
    "tests/data/intake/damage/test_bending.py",
    "tests/services/test_project_file_fuzz.py",
    "tests/services/histories/test_damaged.py",
)

if __name__ == "__main__":
    os.environ["SCANVI_FUZZ"] = "all"
    sys.exit(pytest.main(["-s", "-q", *FILES, *sys.argv[1:]]))
