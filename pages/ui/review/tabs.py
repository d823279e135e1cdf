"""The tabs of the review: suggested groups, wrong labels, novel, technical, conflicts, done."""

from collections.abc import Callable

import streamlit as st

from pages.ui.explore import uncertainty
from pages.ui.frame.text import md
from pages.ui.history import merge_logs
from pages.ui.labels import issues
from pages.ui.review import card, card_order
from scanvi_core.services.diagnostics import uncertainty as diagnostics_uncertainty
from scanvi_core.services.diagnostics.uncertainty import Reason
from scanvi_core.services.labels import history
from scanvi_core.services.review import stopping
from scanvi_core.services.review.queue import SUGGESTED, Desk
from scanvi_core.services.runs import results

N_DONE = 50  # decisions shown
Tab = Callable[[Desk], None]


def draw(desk: Desk) -> None:
    """Draw the choice of a tab and what is in it."""
    waiting = _waiting(desk)
    name = st.segmented_control(
        "Show", list(TABS), key="review-tab", default=next(iter(TABS)), required=True,
        label_visibility="collapsed",
        format_func=lambda tab: f"{tab} ({waiting[tab]:,})" if waiting.get(tab) else tab,
    )  # fmt: skip
    TABS[name](desk)


def _waiting(desk: Desk) -> dict[str, int]:
    """Return how many items wait behind each tab."""
    return {
        "Suggested": desk.n_open(SUGGESTED),
        "Label check": len(diagnostics_uncertainty.label_issues(desk.project_id)),
        "Novel": desk.n_open(Reason.NOVEL.label),
        "Technical": desk.n_open(Reason.TECHNICAL.label),
        "Conflicts": len(history.conflicts(desk.project_id)),
    }


def _suggested(desk: Desk) -> None:
    item = card_order.front(desk, SUGGESTED)
    if item is not None:
        card.draw(desk.project_id, item, SUGGESTED)
        return
    if not desk.progress.n_cells:
        st.success("Nothing doubtful is left.")
    else:
        changed = results.changed_labels(desk.project_id)
        st.success(
            "All groups are decided."
            + (" Update the model to see what your decisions change." if changed else "")
        )
    st.markdown(stopping.rest(desk).accuracy())


def _novel(desk: Desk) -> None:
    _doubted(desk, Reason.NOVEL, "No group of cells looks unlike every labelled one.")


def _technical(desk: Desk) -> None:
    _doubted(desk, Reason.TECHNICAL, "No group of cells has a technical fault.")


def _doubted(desk: Desk, reason: Reason, nothing: str) -> None:
    """Draw the card of cells that are doubted for one reason."""
    found = diagnostics_uncertainty.reasons(desk.project_id)
    if found is None:
        uncertainty.summary(desk.project_id)
        return
    item = card_order.front(desk, reason.label)
    if item is None:
        notes = [note for note in found.notes if ("New" in note) == (reason == Reason.NOVEL)]
        st.info(" ".join([*notes] or [nothing]))
        return
    st.caption(diagnostics_uncertainty.NEXT_STEPS[reason])
    card.draw(desk.project_id, item, reason.label)


def _label_check(desk: Desk) -> None:
    """Draw the labels that were brought and look wrong; the chosen ones are kept or changed."""
    if diagnostics_uncertainty.reasons(desk.project_id) is None:
        uncertainty.summary(desk.project_id)
    elif diagnostics_uncertainty.label_issues(desk.project_id):
        issues.section(desk.project_id)
    else:
        st.info("No label that you brought looks wrong.")


def _conflicts(desk: Desk) -> None:
    """Draw the cells that two people named differently."""
    if history.conflicts(desk.project_id):
        merge_logs.draw_differences(desk.project_id)
    else:
        st.info("Nobody named the same cells differently.")


def _done(desk: Desk) -> None:
    """Draw whether more clicks would pay, and the decisions so far."""
    rest = stopping.rest(desk)
    (st.success if rest.can_stop else st.info)(md(rest.advice()))
    st.markdown(md(rest.accuracy()))
    steps = history.table(desk.project_id)
    steps = steps[(steps["why"] == "review") & ~steps["undone"]]
    if steps.empty:
        st.caption("No group was decided yet.")
        return
    when = st.column_config.DatetimeColumn(format="D MMM, HH:mm:ss")
    st.dataframe(
        steps[["when", "what", "cells"]].head(N_DONE),
        hide_index=True,
        column_config={"when": when},
    )


TABS: dict[str, Tab] = {
    "Suggested": _suggested,
    "Label check": _label_check,
    "Novel": _novel,
    "Technical": _technical,
    "Conflicts": _conflicts,
    "Done": _done,
}
