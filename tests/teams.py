"""Teams of processes under load: ``python -m tests.teams``.

A network is trained 100 times by two processes, as many teams at once as there are cores; a
process that crashes fails its test, with the place where it was. About 20 minutes on 2 cores.
"""

import os
import sys

import pytest

TEST = "tests/train/test_team.py"
NAME = "several_processes_train_the_same"

if __name__ == "__main__":
    os.environ["SCANVI_TEAMS"] = "100"
    sys.exit(pytest.main(["-q", "-n", "logical", TEST, "-k", NAME, *sys.argv[1:]]))
