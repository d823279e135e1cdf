"""``python -m scanvi_core`` and ``scanvi``: the command line."""

import os
import sys

from scanvi_core import cli, ending


def run() -> None:
    """Do what the command line asks for, and end this process."""
    status = cli.main()
    if status in (cli.INTERRUPTED, cli.TERMINATED):  # at once: threads may be busy for long
        ending.clean_up()
        sys.stdout.flush()
        os._exit(status)
    sys.exit(status)


if __name__ == "__main__":
    run()
