"""Colors of cell types, safe for color-blind eyes on light and dark pages."""

UNLABELED = "#C8C8C8"

# The first six are Okabe and Ito's (2008) without black and yellow, which vanish on a dark or a
# light page. Each later one was chosen to lie farthest, in OKLab, from all before it and from the
# gray, as seen with normal, protanope and deuteranope eyes (Machado et al. 2009,
# doi:10.1109/TVCG.2009.113), among colors that stand out on white and on near-black.
_TYPES = """
0072B2 E69F00 009E73 D55E00 CC79A7 56B4E9 AA3377 8C564B 1024EC 9C74EC 4C38B0 60C488
604C10 881088 3860EC EC6060 D824C4 B04C10 88384C 10D860 C49CC4 887488 109C38 9C4C9C
4C6074 D860C4 38C410 C4B0B0 749CEC 389C9C B01024 9CB060 60B088 3874D8 88C4D8 7438C4
244C88 882460 C42460 EC3860 248838 3888D8 104CD8 ECB060 C488C4 C424B0 88389C 8860C4
9C9C10 743874 C47488 884C88 74249C 38C4EC B09C74 EC10D8 9C609C 9C1038 606060 B088D8
"""
CATEGORICAL: tuple[str, ...] = tuple(f"#{code}" for code in _TYPES.split())


def type_color(position: int) -> str:
    """Return the color of the type at `position`, as #RRGGBB; negative means unlabeled.

    A position keeps its color for good. Beyond the last of them they come round again.
    """
    return CATEGORICAL[position % len(CATEGORICAL)] if position >= 0 else UNLABELED


def type_colors(n: int) -> tuple[str, ...]:
    """Return the colors of the first `n` types."""
    return tuple(type_color(position) for position in range(n))
