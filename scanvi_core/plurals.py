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


def bytes_in_words(n_bytes: int) -> str:
    """Return ``870 bytes``, ``12 kB``, ``5.2 MB`` or ``1.3 GB``."""
    for unit, name in ((1e9, "GB"), (1e6, "MB")):
        if n_bytes >= unit:
            return f"{n_bytes / unit:,.1f} {name}"
    return f"{n_bytes / 1e3:,.0f} kB" if n_bytes >= 1e3 else count(n_bytes, "byte")
