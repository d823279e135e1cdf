"""Answers that are kept, so that a page does not work them out again on every click."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import numpy as np

SIZE = 32
Answer = TypeVar("Answer")


class Kept:
    """The last answers to questions about one opened data set, the least used leaving first.

    It belongs to the opened data set and goes with it, so a key names only what can change while
    the data set stays: the number of the last label event, the run, a column. Safe for threads.
    """

    def __init__(self, size: int = SIZE) -> None:
        self._size = size
        self._answers: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, work_out: Callable[[], Answer]) -> Answer:
        """Return the answer to `key`, worked out at the first call.

        It is shared by all who ask: arrays in it are made read-only, and nobody may change it.
        """
        with self._lock:
            if key in self._answers:
                self._answers.move_to_end(key)
                found: Answer = self._answers[key]
                return found
        answer = work_out()  # not under the lock: it may take long, and ask for other answers
        _freeze(answer)
        with self._lock:
            self._answers[key] = answer
            self._answers.move_to_end(key)
            while len(self._answers) > self._size:
                self._answers.popitem(last=False)
        return answer

    def __len__(self) -> int:
        return len(self._answers)


def _freeze(answer: Any) -> None:
    """Make the arrays of an answer, of a tuple or of a plain object read-only."""
    if isinstance(answer, tuple):
        parts = answer
    elif is_dataclass(answer):
        parts = tuple(getattr(answer, item.name) for item in fields(answer))
    else:
        parts = (answer,)
    for part in parts:
        if isinstance(part, np.ndarray):
            part.flags.writeable = False
