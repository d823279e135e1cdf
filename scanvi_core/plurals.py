"""Numbers with their nouns and units."""


def count(number: int, noun: str, plural: str = "") -> str:
    """Return ``1 cell``, ``2,638 cells``; the plural takes an s unless it is given."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def sizes(needed: float, there: float) -> tuple[str, str]:
    """Return two different numbers of bytes in GB or MB, with the digits that tell them apart."""
    unit, name = (1e9, "GB") if needed >= 1e8 else (1e6, "MB")
    texts = ("", "")
    for digits in range(1, 10):
        texts = f"{needed / unit:,.{digits}f} {name}", f"{there / unit:,.{digits}f} {name}"
        if len(set(texts)) > 1:
            break
    return texts
