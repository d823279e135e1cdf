"""Ten files of 10,000 cells opened as one project, beside one file with the cells of all.

``python -m benchmarks.scale.several_files [--scale 1.0] [--folder FOLDER]`` simulates the files as
`benchmarks.scale.big_file` does (30,000 genes, about 1,000 counted in each cell), and opens them
through the services behind the pages, each way in a process of its own. Memory is read as there.
10 GB of free disk are needed at scale 1; everything is deleted at the end.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.results_file import Result, write
from benchmarks.scale.big_file import make
from benchmarks.watched import measured

N_FILES, N_OBS = 10, 10_000
MODULE = "benchmarks.scale.several_files"
COLUMNS = ("what is opened", "seconds", "of the processor", "anonymous, MB", "all resident, MB")
WAYS = {"several": f"{N_FILES} files", "one": "one file with the cells of all"}


def work(way: str, folder: Path) -> None:
    """Open the files in one way."""
    from scanvi_core.project.folder import create_project
    from scanvi_core.services.projects import open_file
    from scanvi_core.services.projects.joining import parts, several_files

    project = create_project(way)
    if way == "one":
        open_file.import_into(project, folder / "one.h5ad")
        return
    parts.list_files(project, sorted(folder.glob("part-*.h5ad")))
    parts.read_parts(project)
    several_files.join_into(project)


def main() -> None:
    """Measure both ways and write the table."""
    parser = argparse.ArgumentParser(prog=f"python -m {MODULE}")
    parser.add_argument("way", nargs="?", choices=tuple(WAYS))
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    if asked.way:
        work(asked.way, asked.folder)
        return
    n_obs = int(N_OBS * asked.scale)
    with tempfile.TemporaryDirectory(dir=asked.folder) as name:
        folder, rows = Path(name), []
        for at in range(N_FILES):
            make(folder / f"part-{at}.h5ad", n_obs)
        make(folder / "one.h5ad", N_FILES * n_obs)
        for way, words in WAYS.items():
            home = {"SCANVI_HOME": str(folder / way)}
            took = measured(MODULE, (way, "--folder", name), home)
            memory = round(took.anonymous_mb), round(took.resident_mb)
            rows.append([words, round(took.seconds), round(took.processor_s), *memory])
            sys.stdout.write(f"{rows[-1]}\n")
    command = f"python -m {MODULE}" + (f" --scale {asked.scale:g}" if asked.scale != 1 else "")
    title = f"Opening {N_FILES} files of {n_obs:,} cells as one project"
    write("several_files", Result(title, command, COLUMNS, rows))


if __name__ == "__main__":
    main()
