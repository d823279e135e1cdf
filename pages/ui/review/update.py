"""Around the card of the review: what the last update brought, how far it is, updating again.

What an update brought is said on top, once it is there; nothing else moves the card.
"""

from collections.abc import Callable

import streamlit as st

from pages.ui.cell_map import charts, maps
from pages.ui.frame import dialogs, download, jobs, state
from pages.ui.text import error_text, md
from pages.ui.train import live
from scanvi_core.errors import ScanviError
from scanvi_core.services.export import figures
from scanvi_core.services.formatting import count
from scanvi_core.services.jobs import JobStatus
from scanvi_core.services.projects import sharing
from scanvi_core.services.review import prequential
from scanvi_core.services.review.decision_count import decision_count
from scanvi_core.services.review.queue import ReviewState
from scanvi_core.services.runs import model_in_use, provisional, results, train_request
from scanvi_core.services.runs.model_in_use import Update
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
        with st.container(gap=None):
            st.markdown(f"{_decided(review.opened)}. {now.sentence}", help=now.meaning)
            st.progress(now.fraction)
    with right:
        job = jobs.latest(review.opened.id, train_request.TRAIN)
        if job is not None and not job.status.final:
            jobs.show(job, can_stop=True)
        else:
            _offer(review.opened)


def _decided(opened: Workspace) -> str:
    """Say what came since the model in use was trained."""
    decided, changed = decision_count(opened), results.changed_labels(opened)
    if changed and not decided.since:  # on another page
        return f"{count(changed, 'changed label')} since model {decided.model}"
    return decided.sentence


def _offer(opened: Workspace) -> None:
    changed = results.changed_labels(opened)
    request = train_plan.update_request(opened)
    label = "Update the model" if request.warm or not changed else "Train again from the start"
    st.button(
        label, key="update-model", icon=":material/refresh:", shortcut="M",
        disabled=not changed, on_click=_start, args=(opened,),
        help=f"The model learns {count(changed, 'label')} that changed since its training."
        if changed else "Decide on a group first: the model has learned all labels there are.",
    )  # fmt: skip


def _start(opened: Workspace) -> None:
    state.forget("update-error")
    try:
        start.start(opened, train_plan.update_request(opened))
    except ScanviError as error:
        state.remember("update-error", error_text(error))


def above(opened: Workspace) -> None:
    """Draw what the last update brought, until the user has said what to do about it."""
    if not offered(opened) and (update := model_in_use.latest(opened)) is not None:
        _brought(opened, update)


def below(review: ReviewState) -> None:
    """Draw what belongs under the card: errors, what the decisions and the last update changed."""
    opened = review.opened
    job = jobs.latest(opened.id, train_request.TRAIN)
    if job is not None and job.error is not None:
        jobs.show(job)
    if job is not None and job.status is JobStatus.STOPPED and job.result is None:
        live.canceled(opened)
    if state.recall("update-error"):
        st.error(state.recall("update-error"))
    working = review.made.working
    st.fragment(_provisional_line, run_every=POLL_S if working else None)(opened, working)
    update = model_in_use.latest(opened)
    if update is not None:
        _what_changed(opened, update)
    _taught(opened)


def _provisional_line(opened: Workspace, was_working: bool) -> None:
    """Say what the decisions change so far; while that is worked out, look again and again."""
    now = provisional.state(opened)
    if was_working and not now.working:
        dialogs.redraw()
    if now.error is not None:
        st.warning(error_text(ScanviError(*now.error)))
    elif now.newest is not None and now.newest.n_changed:
        n = count(now.newest.n_changed, "other prediction")
        st.caption(f"Your decisions change {n} so far. Provisional, until you update the model.")
    elif now.working:
        st.caption("Working out what your decision changes…")


def _brought(opened: Workspace, update: Update) -> None:
    now, before = (f"Model {item.summary['number']}" for item in (update.now, update.before))
    changed = count(int(update.changed["cells"].sum()), "prediction")
    _line(
        opened,
        f"**{now} is in use: {changed} changed.** {md(update.comparison)}",
        (f"Keep {now.lower()}", "keep-model", model_in_use.keep),
        (f"Go back to {before.lower()}", "go-back", model_in_use.go_back),
    )


def offered(opened: Workspace) -> bool:
    """Draw that the newest model got worse and is not in use, if so; tell whether it is."""
    offer = model_in_use.offered(opened)
    if offer is None:
        return False
    now, new = f"model {offer.in_use}", f"model {offer.number}"
    _line(
        opened,
        f":orange[:material/warning:] **{new.capitalize()} got worse, so {now} stays in use.** "
        f"{md(offer.comparison)} Your labels stay; more decisions may help.",
        (f"Stay with {now}", "leave-offered", model_in_use.leave_offered),
        (f"Use {new} all the same", "take-offered", model_in_use.take_offered),
    )
    return True


Choice = tuple[str, str, Callable[[Workspace], None]]  # label, key, what it does


def _line(opened: Workspace, sentence: str, *choices: Choice) -> None:
    """Draw a sentence and, beside it, the buttons that answer it."""
    closed = not sharing.may_change(opened.id)
    with st.container(key="update-outcome", border=True):
        left, right = st.columns([2, 1], gap="medium", vertical_alignment="center")
        left.markdown(sentence)
        with right, st.container(horizontal=True, horizontal_alignment="right"):
            for label, key, act in choices:
                st.button(label, key=key, on_click=act, args=(opened,), disabled=closed)


def _what_changed(opened: Workspace, update: Update) -> None:
    shown = st.expander("What the update changed", key="what-changed", on_change="rerun")
    if not shown.open:  # a closed one sends no map
        return
    with shown:
        table, picture = st.columns([2, 3], gap="medium")
        table.dataframe(update.changed[["cells", "before", "now"]], hide_index=True)
        with picture:
            maps.highlight(opened, update.rows, key="changed-map", height=300)
            st.caption("The cells whose prediction changed, in the color of what they are now.")


def _taught(opened: Workspace) -> None:
    """Draw what the decisions taught; only an open one looks at every decision."""
    shown = st.expander("What your decisions taught", key="taught", on_change="rerun")
    if not shown.open:
        return
    with shown:
        learned = prequential.taught(opened)
        if learned is None:
            st.caption(
                "Decide on a card. Then this shows how often the model had been right about it."
            )
            return
        st.markdown(md(learned.sentence))
        charts.taught(learned.curve, key="taught-curve")
        drawn = figures.taught(learned.curve)
        download.figure(opened, "what decisions taught", drawn, key="taught-curve")
        for sentence in learned.updates:
            st.markdown(md(sentence))
        st.caption(
            "Each decision is compared with the newest model that had not learned from it. "
            "Cards ask for doubtful cells: of all cells, more are right."
        )
