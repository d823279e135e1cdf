"""Run every check of the project: ``python -m tests``; further arguments go to pytest."""

import subprocess
import sys
from pathlib import Path

CHECKS = {
    "format": ["ruff", "format", "--check", "."],
    "lint": ["ruff", "check", "."],
    "import contracts": ["lint-imports"],
    "types": ["mypy"],
    "tests": ["pytest"],
}


def main() -> int:
    """Run the checks in order; return the first exit status that is not 0."""
    tools = Path(sys.executable).parent
    for name, (tool, *arguments) in CHECKS.items():
        print(f"== {name}", flush=True)
        extra = sys.argv[1:] if name == "tests" else []
        status = subprocess.call([tools / tool, *arguments, *extra])
        if status:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
