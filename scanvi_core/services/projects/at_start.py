"""What ``serve`` was asked to open: once per server, for whoever looks first."""

import json
import os
from functools import cache

from scanvi_core import runtime
from scanvi_core.services.projects.joining.several_files import open_paths
from scanvi_core.services.projects.open_file import open_example


@cache
def opened_at_start() -> str | None:
    """Start opening the example or the files that ``serve`` named; return the project id.

    Raises
    ------
    FileRefused, InputError
        As `several_files.open_paths`.
    """
    if os.environ.get(runtime.EXAMPLE_VARIABLE):
        return open_example()
    files = os.environ.get(runtime.FILES_VARIABLE)
    return open_paths(json.loads(files)) if files else None
