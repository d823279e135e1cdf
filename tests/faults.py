"""The faults the program promises to survive, in full: ``python -m tests.faults``.

200 kills while editing, 40 in training, 25 in exporting, a disk that fills up, a folder that
cannot be written to, two processes editing, 400 times flipped bits; the counts are printed. The
same tests run in CI with fewer repeats. On Linux as root, or two of them are skipped.
"""

import os
import sys

import pytest

FILES = (
    "tests/project/label_log/storage/test_killed.py",
    "tests/project/label_log/storage/test_faults.py",
    "tests/project/label_log/test_store_windows.py",
    "tests/services/export/test_export_killed.py",
    "tests/services/training/test_resume.py",
)

if __name__ == "__main__":
    os.environ["SCANVI_FAULTS"] = "all"
    sys.exit(pytest.main(["-s", "-q", *FILES, *sys.argv[1:]]))
