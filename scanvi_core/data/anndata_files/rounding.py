"""Fractional counts, as ambient correction leaves them: rounded, if their owner agrees."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from scanvi_core.data.counts import choose
from scanvi_core.data.question import Option, Question, answer
from scanvi_core.errors import CountsNotFound

ROUND, LEAVE = "round", "leave"
LARGEST_MEAN = 20.0  # of the values that are not zero; counts of molecules have 2 to 10, TPM more


def choose_or_round(
    reports: Sequence[choose.MatrixReport],
    wanted: str | None,
    answers: Mapping[str, str],
    file: str,
) -> choose.MatrixReport:
    """Return the matrix to train on; without counts, one whose values may be rounded to counts.

    Raises
    ------
    ChoiceNeeded
        If only rounding makes counts, and nobody agreed.
    InputError
        As :func:`scanvi_core.data.counts.choose.choose`.
    """
    try:
        return choose.choose(reports, wanted, recover=True)
    except CountsNotFound:
        some = [report for report in reports if wanted is None or wanted in _names(report)]
        candidate = next(filter(_may_be_rounded, sorted(some, key=choose.preference)), None)
        if candidate is None or any(report.verdict == choose.MIXED for report in some):
            raise
        if _agreed(candidate, answers, file):
            return replace(candidate, verdict=choose.COUNTS, scale=None, rounded=True)
        raise


def _names(report: choose.MatrixReport) -> set[str]:
    return {report.name, report.name.removeprefix("layers/")}


def _may_be_rounded(report: choose.MatrixReport) -> bool:
    """Tell whether values look like counts of molecules from which something was taken away."""
    fractional = report.verdict in {choose.NEARLY, choose.OTHER} and report.whole_share < 1
    if not fractional or report.minimum < 0 or report.dtype == "float16" or report.facts is None:
        return False
    filled = report.facts.n_values.sum()
    return bool(filled and report.facts.totals.sum() / filled <= LARGEST_MEAN)


def _agreed(report: choose.MatrixReport, answers: Mapping[str, str], file: str) -> bool:
    share = 1 - report.whole_share
    text = (
        f"{report.name} {report.reason}. Ambient correction (SoupX, CellBender, DecontX) leaves "
        "such counts. Round them to whole numbers?"
    )
    options = (
        Option(ROUND, "Round them", f"{share:.1%} of the values change, by less than a half each"),
        Option(LEAVE, "Do not use them", "Open the counts from before the correction"),
    )
    return answer(Question("rounding", text, options), answers, file) == ROUND
