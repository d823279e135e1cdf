"""Tables of the pages as CSV files."""

import re

import pandas as pd

MIME = "text/csv"
_UNUSUAL = re.compile(r"[^\w .+-]")  # in the name of a file


def as_csv(table: pd.DataFrame) -> bytes:
    """Return a table with all its columns and digits; texts are exact."""
    return table.to_csv(index=False, lineterminator="\n").encode()


def file_name(project: str, what: str, ending: str) -> str:
    """Return what a downloaded file is called."""
    return f"{_UNUSUAL.sub('_', f'{project} {what}')[:150]}.{ending}"
