"""Takes turns with other processes; imports nothing of either implementation."""

import json
import sys
import time
from typing import Any

import torch


class Turns:
    """Times as many steps as the next line of the input says, answers in seconds, and waits.

    A graphics card is waited for at the end of a turn only: there the answer is the mean.
    """

    def __init__(self, device: str) -> None:
        self.together = device == "cuda"
        self.asked, self.left, self.times, self.since = 0, 0, list[float](), 0.0

    def step_done(self) -> None:
        """Note the time since the end of the step before, cutting the minibatch included."""
        self.left -= 1
        if self.together and self.left > 0:
            return
        if self.together:
            torch.cuda.synchronize()
        if self.since:
            self.times.append(time.perf_counter() - self.since)
        if self.left <= 0:
            if self.times:
                say([self.times[0] / self.asked] if self.together else self.times)
            self.asked = self.left = int(sys.stdin.readline())
            self.times = []
        self.since = time.perf_counter()


def say(what: Any) -> None:
    """Write one line of JSON."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()
