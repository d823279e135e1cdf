"""Every error a user may meet.

ScanviError
├── InputError            the data or the settings cannot be used (command line: exit 2)
│   ├── FileRefused       not a readable, safe data file
│   │   └── HistoryRefused   a label history from elsewhere that cannot be; a ProjectError, too
│   ├── CountsNotFound    no matrix of the file holds counts
│   ├── ChoiceNeeded      the file holds several things and its owner must say which
│   ├── ColumnMissing     a column or layer that was asked for is not there
│   ├── LabelsUnusable    the labels cannot train a model
│   └── SettingInvalid    a setting has a value that cannot work
├── ProjectError          the project folder or its label log cannot be used
│   └── DataDamaged       a file of the project is not what was written
├── TrainingError         training could not go on
├── ExportError           the result could not be written
└── ProgramFault          the program itself failed, in a process of its own
"""

import errno
import os
from collections.abc import Mapping
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


class ProjectError(ScanviError):
    """The project folder or its label log cannot be used."""


class DataDamaged(ProjectError):
    """A file of the project is not what was written: a bad disk, another program."""


class HistoryRefused(FileRefused, ProjectError):
    """A label history from elsewhere is damaged, too large, or of other cells."""


class TrainingError(ScanviError):
    """Training could not go on."""


class TeamBroken(TrainingError):
    """One of several processes that train together is gone."""


class ExportError(ScanviError):
    """The result could not be written."""


class ProgramFault(ScanviError):
    """The program itself failed in another process; what it was doing is not to blame."""


def reason_of(error: BaseException) -> str:
    """Return why the system refused, in its own words; what a library said is for the log."""
    number = getattr(error, "errno", None)
    return os.strerror(number) if isinstance(number, int) and number > 0 else "no reason was given"


_OF_THE_MACHINE = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EACCES, errno.EPERM}


def is_of_the_machine(error: BaseException) -> bool:
    """Tell whether memory, handles or rights were lacking, which says nothing of a file."""
    return isinstance(error, MemoryError) or getattr(error, "errno", None) in _OF_THE_MACHINE


OURS = "Something went wrong in the program, not in your data"
PROGRAM_FAULTS = (AssertionError, AttributeError, LookupError, NameError, TypeError)
"""What no file, however odd, may make the program raise: where it does, the program is wrong."""
