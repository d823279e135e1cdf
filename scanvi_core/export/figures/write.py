"""The file of a figure, in one of three formats; the same figure gives the same bytes.

Matplotlib keeps its settings for the whole program, so one figure is drawn at a time.
"""

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from scanvi_core.errors import SettingInvalid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SVG, PDF, PNG = FORMATS = "svg", "pdf", "png"
DPI = 300  # of PNG files, and of points that are drawn as a picture
DATES: dict[str, dict[str, Any]] = {SVG: {"Date": None}, PDF: {"CreationDate": None}, PNG: {}}
STYLE: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.size": 7,
    "axes.titlesize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.2,
    "legend.frameon": False,
    "text.parse_math": False,  # a $ in a name is a $
    "svg.fonttype": "none",  # letters stay letters, to be edited
    "pdf.fonttype": 42,
    "svg.hashsalt": "scanvi",
}
LETTERS = "DejaVu Sans"  # comes with matplotlib: Latin, Greek, Cyrillic and many more
MORE_LETTERS = (  # for others, where the computer has them
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans CJK KR", "Noto Sans SC", "Noto Sans JP",
    "Microsoft YaHei", "SimHei", "Yu Gothic", "Malgun Gothic", "PingFang SC", "Hiragino Sans",
    "Apple SD Gothic Neo", "Arial Unicode MS", "WenQuanYi Zen Hei", "Droid Sans Fallback",
    "IPAGothic", "Noto Sans Devanagari", "Noto Sans Thai", "Nirmala UI", "Leelawadee UI",
)  # fmt: skip
_one_at_a_time = threading.Lock()


def figure_file(draw: "Callable[[], Figure]", kind: str) -> bytes:
    """Draw a figure and return it as a file of one of `FORMATS`, as large as what is on it.

    Raises
    ------
    SettingInvalid
        If there is no such format.
    """
    if kind not in FORMATS:
        raise SettingInvalid(f"Figures have no format {kind!r}.", f"Use {', '.join(FORMATS)}.")
    target = io.BytesIO()
    with _style():
        draw().savefig(
            target, format=kind, dpi=DPI, bbox_inches="tight", pad_inches=0.05,
            metadata=DATES[kind],
        )  # fmt: skip
    return target.getvalue()


@contextmanager
def _style() -> Iterator[None]:
    """Draw with these settings alone, whatever the program or its user has set."""
    from matplotlib import font_manager, style

    with _one_at_a_time:
        here = set(font_manager.fontManager.get_font_names())
        letters = [LETTERS, *(name for name in MORE_LETTERS if name in here)]
        with style.context(["default", STYLE | {"font.sans-serif": letters}]):
            yield
