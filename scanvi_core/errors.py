"""Every error that a caller may catch: what the program says in a sentence is one of these.

ScanviError
├── InputError            the data or the settings cannot be used (command line: exit 2)
│   ├── FileRefused       not a readable, safe data file
│   │   └── HistoryRefused   a label history from elsewhere that cannot be; a ProjectError, too
│   ├── CountsNotFound    no matrix of the file holds counts
│   ├── ChoiceNeeded      the file holds several things and its owner must say which
│   ├── ColumnMissing     a column or layer that was asked for is not there
│   ├── LabelsUnusable    the labels cannot train a model
│   ├── SettingInvalid    a setting has a value that cannot work
│   ├── ChildCrashed      the process that reads foreign files died or took too long
│   └── ImportStopped     reading was stopped as asked
├── ProjectError          the project folder or its label log cannot be used
│   ├── DiskFull          there is no room for what was to be written; an ExportError, too
│   ├── DataDamaged       a file of the project is not what was written
│   ├── LogDamaged        the label log is not what was written
│   ├── StaleEdit         somebody else changed the same cells meanwhile
│   ├── StepInUse         later steps of the history build on the one to be undone
│   ├── ReadOnly          the project is shared to look at
│   │   └── OnlyVisiting     somebody came by a link, and may look and comment
│   ├── JobRefused        such a job is under way already
│   └── TooOften          one client asked a server too often
├── TrainingError         training could not go on
│   └── TeamBroken        one of several processes that train together is gone
├── ExportError           the result could not be written
│   └── ExportStopped     writing was stopped as asked
└── ProgramFault          the program itself failed, in a process of its own

Other exceptions are signs that parts of the program give each other, and are caught within it.
"""

import errno
import math
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any


class ScanviError(Exception):
    """An error with a sentence for the user and a hint what to do next.

    Parameters
    ----------
    message
        What was wrong, with the value and the name seen.
    hint
        What the user does next; may be empty.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class InputError(ScanviError):
    """The data or the settings cannot be used."""


class FileRefused(InputError):
    """The file is not a readable and safe data file."""


class CountsNotFound(InputError):
    """No matrix of the file holds counts."""


class ChoiceNeeded(InputError):
    """The file can be read in several ways, and only its owner can say which is meant.

    Parameters
    ----------
    message, hint
        As for every error.
    question
        What is asked: :meth:`scanvi_core.data.question.Question.as_dict`.
    """

    def __init__(self, message: str, hint: str = "", question: Mapping[str, Any] | None = None):
        super().__init__(message, hint)
        self.question = dict(question or {})


class ColumnMissing(InputError):
    """A column or layer that was asked for is not in the file."""


class LabelsUnusable(InputError):
    """The labels cannot train a model."""


class SettingInvalid(InputError):
    """A setting has a value that cannot work."""


class ChildCrashed(InputError):
    """The process that reads foreign files died or took too long."""


class ImportStopped(InputError):
    """Reading was stopped as asked; nothing of it was kept."""


class ProjectError(ScanviError):
    """The project folder or its label log cannot be used."""


class DataDamaged(ProjectError):
    """A file of the project is not what was written: a bad disk, another program."""


class LogDamaged(ProjectError):
    """The label log was changed by something else than this program: a bad disk, an editor.

    Parameters
    ----------
    what
        What is wrong, without a word about where.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(
            f"The label log is damaged: {what}.",
            "Repair it on the Open page: every change that can still be read is kept.",
        )


class StaleEdit(ProjectError):
    """Somebody else changed the same cells since this edit was begun.

    Parameters
    ----------
    theirs, yours
        Both versions in words.
    """

    def __init__(self, theirs: str, yours: str) -> None:
        super().__init__(
            f"Meanwhile: {theirs}. Your edit was not saved: {yours}.",
            "Look at the cells again, then repeat your edit or leave theirs.",
        )
        self.theirs = theirs
        self.yours = yours


class StepInUse(ProjectError):
    """A step cannot be taken back alone, since later ones build on it.

    Parameters
    ----------
    message, hint
        As for every error.
    steps
        The later events of the label log, the latest first.
    rows
        The cells they share with it; empty where they meet in a label only.
    """

    def __init__(self, message: str, hint: str, steps: Sequence[Any], rows: Any) -> None:
        super().__init__(message, hint)
        self.steps = steps
        self.rows = rows


class ReadOnly(ProjectError):
    """Somebody wanted to change a project that was shared with them to look at.

    Parameters
    ----------
    owner
        Whose project it is; empty where nobody owns it.
    """

    def __init__(self, owner: str) -> None:
        super().__init__(
            "Nothing was changed: this project is shared with you to look at.",
            f"Ask {owner or 'an administrator of this server'} to let you change it, or make a "
            "copy of your own on the Open page.",
        )


class OnlyVisiting(ReadOnly):
    """Somebody who came by a link wanted to change something."""

    def __init__(self) -> None:
        ProjectError.__init__(
            self,
            "Nothing was changed: a link lets you look and comment, and nothing else.",
            "Ask who gave you the link.",
        )


class JobRefused(ProjectError):
    """A job of this kind is under way already."""


class TooOften(ProjectError):
    """A client asked a server too often.

    Attributes
    ----------
    wait_s
        Whole seconds until the next turn.
    """

    def __init__(self, wait_s: float) -> None:
        self.wait_s = max(1, math.ceil(wait_s))
        seconds = "1 second" if self.wait_s == 1 else f"{self.wait_s} seconds"
        super().__init__("Too much was asked for at once.", f"Try again in {seconds}.")


class HistoryRefused(FileRefused, ProjectError):
    """A label history from elsewhere is damaged, too large, or of other cells."""


class TrainingError(ScanviError):
    """Training could not go on."""


class TeamBroken(TrainingError):
    """One of several processes that train together is gone."""


class ExportError(ScanviError):
    """The result could not be written."""


class DiskFull(ProjectError, ExportError):
    """There is no room on the disk for what was to be written."""


class ExportStopped(ExportError):
    """The export was stopped as asked; nothing was written."""


class ProgramFault(ScanviError):
    """The program itself failed in another process; what it was doing is not to blame."""


def reason_of(error: BaseException) -> str:
    """Return why the system refused, in its own words; what a library said is for the log."""
    number = getattr(error, "errno", None)
    return os.strerror(number) if isinstance(number, int) and number > 0 else "no reason was given"


DISK_FULL = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})
_HDF5_NUMBER = re.compile(r"\berrno = (\d+)")  # HDF5 tells it in its text alone
_SQLITE_FULL = 13  # SQLITE_FULL of sqlite3.h


def is_disk_full(error: BaseException | None) -> bool:
    """Tell whether a full disk is behind an error, however often that was put into other words."""
    while error is not None:
        told = _HDF5_NUMBER.search(str(error)) if isinstance(error, OSError) else None
        numbers = {getattr(error, "errno", None), int(told[1]) if told else None}
        of_sqlite = getattr(error, "sqlite_errorcode", None) == _SQLITE_FULL
        if isinstance(error, DiskFull) or of_sqlite or numbers & DISK_FULL:
            return True
        error = error.__cause__ or error.__context__
    return False


def name_abroad(error: ScanviError) -> str:
    """Return the class that an error has in the process it is told to: a full disk stays one."""
    of_disks = isinstance(error, ProjectError | ExportError) and is_disk_full(error)
    return DiskFull.__name__ if of_disks else type(error).__name__


_OF_THE_MACHINE = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EACCES, errno.EPERM}


def is_of_the_machine(error: BaseException) -> bool:
    """Tell whether memory, handles or rights were lacking, which says nothing of a file."""
    return isinstance(error, MemoryError) or getattr(error, "errno", None) in _OF_THE_MACHINE


OURS = "Something went wrong in the program, not in your data"
PROGRAM_FAULTS = (AssertionError, AttributeError, LookupError, NameError, TypeError)
"""What no file, however odd, may make the program raise: where it does, the program is wrong."""
