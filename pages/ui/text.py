"""Names of cells, genes and types are foreign text: shown exactly, never interpreted."""

import re

from scanvi_core.errors import ScanviError
from scanvi_core.keys import one_line
from scanvi_core.runtime import log_cause

_ADDRESS = re.compile(r"(https?:(?=//)|www(?=\.)|@)", re.IGNORECASE)
_WORD_JOINER = "\u2060"  # nothing to see; markdown makes no link of an address it stands in
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|$~:<>&])")


def md(text: object) -> str:
    """Escape a text so that markdown shows it as it is."""
    whole = _ADDRESS.sub(rf"\1{_WORD_JOINER}", one_line(str(text)))
    return _MARKDOWN.sub(r"\\\1", whole)


def plain(text: object) -> str:
    """Escape a text for plotly, which reads a part of HTML."""
    return one_line(str(text)).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def error_text(error: ScanviError) -> str:
    """Return message and hint of an error as markdown; what caused it is logged."""
    log_cause(error)
    hint = f"\n\n{md(error.hint)}" if error.hint else ""
    return f"{md(error.message)}{hint}"


def short(text: object, width: int) -> str:
    """Cut a text to `width` characters, so that a row of buttons keeps its place."""
    text = str(text)
    return text if len(text) <= width else f"{text[: width - 1]}…"
