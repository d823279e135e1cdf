"""Answers about one opened data set, so that no page works them out again on every click."""

import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, TypeVar

import numpy as np
import pandas as pd

Answer = TypeVar("Answer")


@dataclass(slots=True)
class _Turn:
    """Who works on an answer: the others wait for it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    waiting: int = 0


class Cache:
    """The last answers, the least used leaving first once all take more bytes than `budget`.

    It belongs to an opened data set and goes with it, so a key names only what can change while
    the data set stays: the number of the last label event, the run, a column. Safe for threads.
    The newest answer stays even where it alone is larger than the budget.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self._answers: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._n_bytes = 0
        self._turns: dict[Hashable, _Turn] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, work_out: Callable[[], Answer]) -> Answer:
        """Return the answer to `key`, worked out at the first call and by one thread only.

        It is shared by all who ask: arrays in it are made read-only, and nobody may change it.
        What `work_out` raises is raised, and the next call tries again.
        """
        with self._lock:
            if key in self._answers:
                return self._used(key)
            turn = self._turns.setdefault(key, _Turn())
            turn.waiting += 1
        try:
            with turn.lock:  # `work_out` may take long and ask for other answers
                with self._lock:
                    if key in self._answers:  # another thread had its turn before
                        return self._used(key)
                answer = work_out()
                self.put(key, answer)
                return answer
        finally:
            with self._lock:
                turn.waiting -= 1
                if not turn.waiting:
                    del self._turns[key]

    def put(self, key: Hashable, answer: Any) -> None:
        """Replace the answer to `key`; arrays in it are made read-only."""
        n_bytes = 0
        for part in _parts(answer):
            n_bytes += _size(part)
            if isinstance(part, np.ndarray):
                part.flags.writeable = False
        with self._lock:
            self._drop(key)
            self._answers[key] = answer, n_bytes
            self._n_bytes += n_bytes
            while self._n_bytes > self.budget and len(self._answers) > 1:
                self._drop(next(iter(self._answers)))

    def peek(self, key: Hashable) -> Any:
        """Return the answer to `key` if there is one, else None."""
        with self._lock:
            return self._used(key) if key in self._answers else None

    def drop(self, key: Hashable) -> None:
        """Forget the answer to `key`."""
        with self._lock:
            self._drop(key)

    def _used(self, key: Hashable) -> Any:
        self._answers.move_to_end(key)
        return self._answers[key][0]

    def _drop(self, key: Hashable) -> None:
        _, n_bytes = self._answers.pop(key, (None, 0))
        self._n_bytes -= n_bytes

    def __len__(self) -> int:
        return len(self._answers)


def _parts(answer: Any) -> Iterator[Any]:
    """Yield what an answer is made of, down to arrays, tables, texts and numbers."""
    if isinstance(answer, tuple | list) and not (answer and isinstance(answer[0], str)):
        inside = iter(answer)
    elif isinstance(answer, Mapping):
        inside = iter([*answer.keys(), *answer.values()])
    elif is_dataclass(answer) and not isinstance(answer, type):
        inside = (getattr(answer, item.name) for item in fields(answer))
    else:
        yield answer
        return
    for part in inside:
        yield from _parts(part)


def _size(part: Any) -> int:
    """Return the bytes of memory that a part takes; what is mapped from a file takes none."""
    if isinstance(part, np.memmap):
        return 0
    if isinstance(part, np.ndarray):
        return int(part.nbytes)
    if isinstance(part, pd.DataFrame | pd.Series):
        return int(np.sum(part.memory_usage(deep=True)))
    if isinstance(part, tuple | list):  # of texts
        return sys.getsizeof(part) + sum(map(sys.getsizeof, part))
    own = sum(_size(value) for value in getattr(part, "__dict__", {}).values())
    return sys.getsizeof(part) + own
