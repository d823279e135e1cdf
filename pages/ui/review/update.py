"""Around the card of the review: how far it is, updating the model, and what that changed.

Nothing here moves the card: above it is one row of constant height, all else is below.
"""

import streamlit as st

from pages.ui.cell_map import maps
from pages.ui.frame import jobs, state
from pages.ui.frame.text import error_text, md
from scanvi_core.errors import ScanviError
from scanvi_core.services.formatting import count
from scanvi_core.services.projects import sharing
from scanvi_core.services.review.queue import ReviewState
from scanvi_core.services.runs import provisional, results, train_request
from scanvi_core.services.runs import update as runs_update
from scanvi_core.services.runs.update import Update
from scanvi_core.services.training import start, train_plan
from scanvi_core.services.workspace import Workspace

POLL_S = 0.4
ROW_HEIGHT = 48  # pixels: a button's and a progress bar's alike


def top_row(review: ReviewState) -> None:
    """Draw the progress of the review and, beside it, the button that updates the model."""
    row = st.container(height=ROW_HEIGHT, border=False, key="review-row")
    left, right = row.columns([3, 2], gap="medium")
    with left:
        now = review.progress
        named = f"{now.n_named:,} of {count(now.n_cells, 'doubtful cell')} named"
        clear = f", {now.n_clear:,} more clear by now" if now.n_clear else ""
        st.progress(now.fraction, text=f"{named}{clear}; {count(now.n_groups, 'group')} left")
    with right:
        job = jobs.latest(review.opened.id, train_request.TRAIN)
        if job is not None and not job.status.final:
            jobs.show(job)
        else:
            _offer(review.opened)


def _offer(opened: Workspace) -> None:
    changed = results.changed_labels(opened)
    request = train_plan.update_request(opened)
    label = "Update the model" if request.warm or not changed else "Train again from the start"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            label, key="update-model", icon=":material/refresh:", shortcut="M",
            disabled=not changed, on_click=_start, args=(opened,),
        )  # fmt: skip
        if changed:
            st.markdown(f":orange-badge[{count(changed, 'new label')}]")
        elif runs_update.latest(opened) is not None:
            st.markdown(":green-badge[Updated: see below the card]")


def _start(opened: Workspace) -> None:
    state.forget("update-error")
    try:
        start.start(opened, train_plan.update_request(opened))
    except ScanviError as error:
        state.remember("update-error", error_text(error))


def below(review: ReviewState) -> None:
    """Draw what belongs under the card: errors, what the decisions and the last update changed."""
    opened = review.opened
    job = jobs.latest(opened.id, train_request.TRAIN)
    if job is not None and job.error is not None:
        jobs.show(job)
    if state.recall("update-error"):
        st.error(state.recall("update-error"))
    working = review.made.working
    st.fragment(_provisional_line, run_every=POLL_S if working else None)(opened, working)
    update = runs_update.latest(opened)
    if update is not None:
        _what_changed(opened, update)


def _provisional_line(opened: Workspace, was_working: bool) -> None:
    """Say what the decisions change so far; while that is worked out, look again and again."""
    now = provisional.state(opened)
    if was_working and not now.working:
        st.rerun()
    if now.error is not None:
        st.warning(error_text(ScanviError(*now.error)))
    elif now.newest is not None and now.newest.n_changed:
        n = count(now.newest.n_changed, "other prediction")
        st.caption(f"Your decisions change {n} so far. Provisional, until you update the model.")
    elif now.working:
        st.caption("Working out what your decision changes…")


def _what_changed(opened: Workspace, update: Update) -> None:
    now, before = (f"Model {item.summary['number']}" for item in (update.now, update.before))
    changed = count(int(update.changed["cells"].sum()), "prediction")
    closed = not sharing.may_change(opened.id)
    with st.container(key="update-outcome"):
        sentence, buttons = st.columns([2, 1], gap="medium", vertical_alignment="center")
        sentence.markdown(f"**{now} is in use: {changed} changed.** {md(update.comparison)}")
        with buttons, st.container(horizontal=True, horizontal_alignment="right"):
            st.button(
                f"Keep {now.lower()}", key="keep-model", on_click=runs_update.keep,
                args=(opened,), disabled=closed,
            )  # fmt: skip
            st.button(
                f"Go back to {before.lower()}", key="go-back", on_click=runs_update.go_back,
                args=(opened,), disabled=closed,
            )  # fmt: skip
    shown = st.expander("What changed", key="what-changed", on_change="rerun")
    if not shown.open:  # a closed one sends no map
        return
    with shown:
        table, picture = st.columns([2, 3], gap="medium")
        table.dataframe(update.changed[["cells", "before", "now"]], hide_index=True)
        with picture:
            maps.highlight(opened, update.rows, key="changed-map", height=300)
            st.caption("The cells whose prediction changed, in the color of what they are now.")
