"""Numbers with their nouns."""


def counted(n: int, noun: str) -> str:
    """Return ``1 cell`` or ``1,200 cells``."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"
