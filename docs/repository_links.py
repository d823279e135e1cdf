"""A hook of MkDocs: links from a page to a file of the repository that is no page.

On a hosting of the repository they lead to the file. The site does not carry the repository, so
there they lead to the hosting where ``repo_url`` is set, and are the file's path where it is not.
``tests/docs`` finds that every such file is there.
"""

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import Any

ROOT = Path(__file__).parents[1]
PAGES = PurePosixPath("docs/pages")
LINK = re.compile(r"\[([^]\n]+)\]\(([^)\s#:]+)(#[^)\s]*)?\)")


def target(page: str, link: str) -> str | None:
    """Return the path in the repository of a link of a page; None where it leads to a page."""
    path = normpath(str(PAGES / PurePosixPath(page).parent / link))
    return None if path.startswith(f"{PAGES}/") else path


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """Return the text of a page with its links out of the pages rewritten."""

    def rewritten(match: re.Match[str]) -> str:
        text, link, part = match[1], match[2], match[3] or ""
        path = target(page.file.src_uri, link)
        if path is None:
            return match[0]
        if config.repo_url:
            return f"[{text}]({config.repo_url.rstrip('/')}/blob/HEAD/{path}{part})"
        return text if path in text else f"{text} (`{path}`)"

    return LINK.sub(rewritten, markdown)
