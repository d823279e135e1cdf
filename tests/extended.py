"""Tests that need environments of their own: ``python -m tests.extended``; arguments go to pytest.

- Releases of anndata from 0.7 on, which write files with every encoding they have: each in an
  environment of its own, on a Python that is old enough (a release whose Python is not here is
  left out), the newest on Python 3.13 or 3.12.
- Python 3.12 or 3.13 with annbatch and anndata 0.13: collections of files, and what reads and
  writes files in whatever way.
- cellxgene-schema, the validator of CELLxGENE, on a file that was exported for it.
- scvi-tools and the releases of anndata, which open an exported file.

The environments (several GB with torch) stay in ``.venv-extended``: delete it to make them anew.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests import ROOT

FOLDER = ROOT / ".venv-extended"
VERSIONS = ((3, 13), (3, 12))
NEWER = ("anndata", "scverse-misc")  # not the releases of constraints.txt, which hold it at 0.12
WITH_ANNBATCH = (
    "tests/data", "tests/export", "tests/services/atlas", "tests/services/export",
    "tests/train/test_stored.py",
)  # fmt: skip
WRITERS = {  # release of anndata -> Pythons that it runs on, and what it needs of its time
    "0.7": (((3, 8), (3, 7)), ("anndata==0.7.8", "numpy<1.24", "pandas<1.5", "scipy<1.10",
                               "zarr<2.17", "h5py<3.9")),
    "0.8": (((3, 8), (3, 9)), ("anndata==0.8.0", "numpy<1.24", "pandas<2", "zarr<2.17")),
    "0.10": (((3, 9), (3, 10)), ("anndata==0.10.9", "zarr<3")),
    "0.11": (((3, 10), (3, 11)), ("anndata==0.11.4", "zarr<3")),
    "newest": (VERSIONS, ("anndata>=0.13",)),
}  # fmt: skip
WITH_WRITERS = ("tests/data/anndata_files/test_releases.py",)
WITH_READERS = ("tests/services/export/test_readers.py",)
WITH_CELLXGENE = ("tests/services/export/cellxgene",)
NONE_FOUND = (
    "Neither Python 3.12 nor 3.13 was found (looked for python3.13, python3.12, the py launcher "
    "and pyenv's). Install one, and run this again."
)


def main() -> int:
    """Run all parts; return the first exit status that is not 0."""
    return next(
        filter(None, [_with_writers(), _with_readers(), _with_annbatch(), _with_cellxgene()]), 0
    )


def _with_writers() -> int:
    print("== releases of anndata", flush=True)
    for release, (versions, requirements) in WRITERS.items():
        base = find_python(versions)
        if base is None:
            print(f"No Python for anndata {release}: left out.", file=sys.stderr)
        else:
            environment(f"anndata-{release}", base, *requirements)
    return _test(Path(sys.executable), WITH_WRITERS)


def _with_readers() -> int:
    print("== readers of an exported file", flush=True)
    environment("scvi-tools", sys.executable, "scvi-tools==1.4.2", "anndata<0.13")
    return _test(Path(sys.executable), WITH_READERS)


def _with_annbatch() -> int:
    print("== annbatch and anndata 0.13", flush=True)
    base = find_python()
    if base is None:
        print(NONE_FOUND, file=sys.stderr)
        return 1
    FOLDER.mkdir(exist_ok=True)
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    own = FOLDER / "constraints.txt"
    own.write_text("\n".join(pin for pin in pins if pin.partition("==")[0] not in NEWER) + "\n")
    python = environment("annbatch", base, "-c", str(own), "-e", ".[test]", "anndata>=0.13")
    # Newer releases deprecate what the pinned ones do not: shown, no error.
    return _test(python, WITH_ANNBATCH, "-W", "default")


def _with_cellxgene() -> int:
    print("== cellxgene-schema", flush=True)
    python = environment("cellxgene", sys.executable, "cellxgene-schema==7.1.2")
    os.environ["CELLXGENE_SCHEMA"] = str(next(python.parent.glob("cellxgene-schema*")))
    return _test(Path(sys.executable), WITH_CELLXGENE)


def find_python(versions: Sequence[tuple[int, int]] = VERSIONS) -> str | None:
    """Return a Python of one of some versions that is on this machine, the first one first."""
    for major, minor in versions:
        name = f"{major}.{minor}"
        pyenv = sorted(Path.home().glob(f".pyenv/versions/{name}.*/bin/python"))
        commands = [[f"python{name}"], ["py", f"-{name}"], *([str(path)] for path in pyenv)]
        for command in commands:
            found = _ask(command)
            if found is not None and found[1] == name:
                return found[0]
    return None


def _ask(command: list[str]) -> tuple[str, str] | None:
    """Return path and version of an interpreter, None where there is none that works."""
    ask = "import sys; print(sys.executable); print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([*command, "-c", ask], capture_output=True, text=True, check=False)
    except OSError:
        return None
    lines = done.stdout.splitlines()
    return (lines[0], lines[1]) if done.returncode == 0 and len(lines) == 2 else None


def environment(name: str, base: str, *requirements: str) -> Path:
    """Return the Python of an environment with these packages, which is made where it is not."""
    python = python_of(name)
    folder = python.parents[1]
    made, wanted = folder / "made.txt", "\n".join(requirements)
    if not (made.exists() and made.read_text() == wanted):
        subprocess.run([base, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *requirements], cwd=ROOT, check=True)
        made.write_text(wanted)
    return python


def python_of(name: str) -> Path:
    """Return where the Python of an environment lies, or would."""
    return FOLDER / name / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _test(python: Path, where: tuple[str, ...], *options: str) -> int:
    command = [python, "-m", "pytest", "-q", *options, *where, *sys.argv[1:]]
    return subprocess.call(command, cwd=ROOT)


if __name__ == "__main__":
    sys.exit(main())
