"""Names of types, projects and people as they are written down."""

import unicodedata

from scanvi_core.errors import SettingInvalid

MAX_LABEL_LENGTH = 200


def clean_label(text: str) -> str:
    """Return a label in Unicode normal form C without blanks around it.

    Raises
    ------
    SettingInvalid
        If nothing is left, or more than 200 characters.
    """
    label = unicodedata.normalize("NFC", str(text)).strip()
    if not label:
        raise SettingInvalid("The name is empty.", "Type a name.")
    if len(label) > MAX_LABEL_LENGTH:
        raise SettingInvalid(
            f"The name {label[:30]}… has {len(label)} characters.",
            f"Use {MAX_LABEL_LENGTH} or fewer.",
        )
    return label
