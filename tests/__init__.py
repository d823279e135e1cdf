"""Tests of the program; they read what the project does not carry from `SHARED`."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"
