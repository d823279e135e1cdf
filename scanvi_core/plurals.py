"""Numbers with their nouns."""


def count(number: int, noun: str, plural: str = "") -> str:
    """Return ``1 cell``, ``2,638 cells``; the plural takes an s unless it is given."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
