"""What went wrong, in words; the traceback of what was not foreseen goes to a file."""

import errno
import logging
from pathlib import Path

from scanvi_core import runtime
from scanvi_core.errors import DISK_FULL, OURS, ProgramFault, ScanviError, reason_of

_LOCKED = {errno.EROFS, errno.EACCES, errno.EPERM}
logger = logging.getLogger(__name__)


def in_words(fault: BaseException, name: str) -> tuple[str, str]:
    """Return a message and a hint about a fault; `name` is that of its log file."""
    message, hint = sentence(fault)
    if isinstance(fault, ScanviError) and not isinstance(fault, ProgramFault):
        runtime.log_cause(fault)
        return message, hint
    if isinstance(fault, OSError) and fault.errno in DISK_FULL | _LOCKED:
        logger.warning("The disk refused.", exc_info=fault)
        return message, hint
    try:
        path = runtime.log_fault(name, fault)
    except OSError as refused:
        logger.warning("%s could not be logged: %s", fault, refused, exc_info=fault)
        why = reason_of(refused)  # and so they are told here: there is no other place
        return message, f"The details ({fault}) could not be written to the log: {why}."
    return message, f"The details are in {path}."


def sentence(fault: BaseException) -> tuple[str, str]:
    """Return a message and a hint about a fault, without a word of what a library raised."""
    if isinstance(fault, ScanviError) and not isinstance(fault, ProgramFault):
        return fault.message, fault.hint
    if isinstance(fault, OSError) and fault.errno in DISK_FULL:
        return "The disk is full.", "Free some space and try again; all that was saved is safe."
    if isinstance(fault, OSError) and fault.errno in _LOCKED:
        what = Path(fault.filename).name if isinstance(fault.filename, str) else "The project"
        return f"{what} cannot be written to.", "Change who may write there, then try again."
    if isinstance(fault, MemoryError) or type(fault).__name__ == "OutOfMemoryError":
        return "The machine ran out of memory.", ""
    if isinstance(fault, OSError) and fault.errno:
        return f"The system refused: {reason_of(fault)}. Your labels are saved.", ""
    what = fault.message if isinstance(fault, ProgramFault) else f"{OURS}."
    return f"{what} Your labels are saved.", ""
