"""``python -m scanvi_core``: the command line."""

import sys

from scanvi_core.cli import main

if __name__ == "__main__":
    sys.exit(main())
