"""``report``: write what is known of a project into one page."""

import argparse
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("report", help="write a report on a project: one HTML file")
    add = parser.add_argument
    add("project", metavar="PROJECT", help="its folder, its project file, or its name or id here")
    add("-o", "--output", type=Path, required=True, metavar="REPORT.html", help="the new file")
    add(
        "--no-names",
        action="store_true",
        help="number the people who decided, and leave notes out",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Write the report and say where it is."""
    from scanvi_core.errors import InputError
    from scanvi_core.services.report.page import write_report
    from scanvi_core.services.report.source import opened

    named, target = Path(options.project), options.output
    if named.is_file() and target.exists() and target.samefile(named):
        raise InputError("The output is the project file.", "Choose another name with -o.")
    with opened(options.project) as project:
        write_report(project, options.output, people=not options.no_names)
    print(f"Written: {options.output}")
