"""Names of types, projects and people as they are written down."""

import re

from scanvi_core import keys
from scanvi_core.errors import SettingInvalid

MAX_LABEL_LENGTH = 200
TERM = re.compile(r"(CL:[0-9]{7}|unknown)?", re.ASCII)  # '': as the name says; unknown: none fits


def clean_label(text: str) -> str:
    """Return a label in its one spelling, see `scanvi_core.keys.spelling`.

    Labels that look alike are one label: blanks are folded, letters of full width and others
    that are compatible become the plain ones, and what has no width goes.

    Raises
    ------
    SettingInvalid
        If nothing is left, or more than 200 characters.
    """
    label = keys.spelling(str(text))
    if not label:
        raise SettingInvalid("The name is empty.", "Type a name.")
    if len(label) > MAX_LABEL_LENGTH:
        raise SettingInvalid(
            f"The name {label[:30]}… has {len(label)} characters.",
            f"Use {MAX_LABEL_LENGTH} or fewer.",
        )
    return label


def clean_term(text: str) -> str:
    """Return the term of the Cell Ontology that a label is given.

    Raises
    ------
    SettingInvalid
        If it is no id, such as ``CL:0000084``, and neither ``unknown`` nor empty.
    """
    term = str(text).strip()
    if TERM.fullmatch(term) is None:
        raise SettingInvalid(
            f"{term[:40]!r} is no term of the Cell Ontology.", "Use an id such as CL:0000084."
        )
    return term
