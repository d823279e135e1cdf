"""The projects of this computer: go on with one, and rename, copy, put away or move it."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.ui.frame import jobs, state
from pages.ui.frame.actions import do
from pages.ui.open import link_form, share_form
from pages.ui.server import routes
from pages.ui.text import error_text, md
from scanvi_core.errors import ScanviError
from scanvi_core.services.formatting import count
from scanvi_core.services.labels import history
from scanvi_core.services.projects import library
from scanvi_core.services.workspace import workspace

RECENT = 6


def draw(current: str | None) -> None:
    """Draw the list, the newest first; the rest and what was put away folded in."""
    entries = library.listing()
    if entries:
        st.header("Your projects")
    for entry in entries[:RECENT]:
        _line(entry, current)
    if entries[RECENT:]:
        with st.expander(f"{len(entries) - RECENT} more"):
            for entry in entries[RECENT:]:
                _line(entry, current)
    away = library.listing(archived=True)
    if away:
        with st.expander(f"Put away: {len(away)}"):
            for entry in away:
                _line(entry, current)
    _from_elsewhere()


def _line(entry: library.Entry, current: str | None) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        if entry.id == current:
            st.markdown(f"**{md(entry.name)}** (open)", width="content")
        elif st.button(md(entry.name), key=f"recent-{entry.id}", icon=":material/history:"):
            state.set_project(entry.id)
            st.rerun()
        st.caption(md(_status(entry)), width="content")
        if entry.cut_off:
            st.badge(
                "Was not closed properly; everything saved is there",
                color="orange",
                icon=":material/health_and_safety:",
            )
        may_change = share_form.draw(entry.id, entry.name)
        with st.popover("More", key=f"more-{entry.id}"):
            _more(entry, may_change=may_change, is_open=entry.id == current)
        link_form.dialog(entry.id, entry.name)


def _status(entry: library.Entry) -> str:
    """Return when its labels were saved, or what is wrong with a project."""
    if entry.damage:
        return (
            f"Damaged. {entry.damage} Put it away: its settings are then repaired as far as they "
            "can be read."
        )
    if entry.saved_at is None:
        return "no labels yet"
    said = f" · {count(entry.n_said, 'remark')} of colleagues" if entry.n_said else ""
    return f"saved {entry.saved_at:%d %b %Y, %H:%M}{said}"


def _more(entry: library.Entry, *, may_change: bool, is_open: bool) -> None:
    if may_change:
        _rename(entry)
    link_form.button(entry.id)
    if st.button("Make a copy", key=f"copy-{entry.id}", icon=":material/content_copy:"):
        do(lambda: library.duplicate(entry.id))
    label = "Take out again" if entry.archived else "Put away"
    may_put_away = may_change and not is_open
    if may_put_away and st.button(label, key=f"away-{entry.id}", icon=":material/archive:"):
        do(lambda: library.archive(entry.id, away=not entry.archived))
    job = jobs.latest(entry.id, library.SAVE)
    if job is not None:
        jobs.show(job, can_stop=True)
    if (job is None or job.status.final) and st.button(
        "Save as one file", key=f"save-{entry.id}", icon=":material/folder_zip:",
        help="Labels, history, models and data in one file, to go on at another computer.",
    ):  # fmt: skip
        do(lambda: library.start_saving(entry.id))
    packed = library.saved_file(entry.id)
    if packed is not None and (job is None or job.status.final):
        st.link_button("Download it", routes.download_url(entry.id, packed.name))


def _rename(entry: library.Entry) -> None:
    with st.form(f"rename-{entry.id}", border=False):
        name = st.text_input("Name", entry.name)
        if st.form_submit_button("Rename") and name.strip() not in ("", entry.name):
            do(lambda: library.rename(entry.id, name))


def _from_elsewhere() -> None:
    with st.expander("A project from another computer"):
        file = st.file_uploader("A file from “Save as one file”", key="take-in")
        if file is not None and state.recall("taken-in") != file.file_id:
            bar = st.progress(0.0, "Looking at the file")
            try:
                project = library.take_in(file, lambda part, words: _show(bar, part, words))
            except ScanviError as error:
                bar.empty()
                st.error(error_text(error))
                return
            file_id = file.file_id
            state.set_project(project)
            state.remember("taken-in", file_id)
            state.remember("arrived", True)
            st.rerun()


def _show(bar: DeltaGenerator, part: float, words: str) -> None:
    bar.progress(part, md(words))


def draw_origin(project: str) -> None:
    """Say what of the open project is only claimed, where it or its history is from elsewhere."""
    sentences = [history.brought(workspace(project))]
    if state.recall("arrived"):
        sentences.insert(
            0,
            "This project was brought from elsewhere. Its files were checked for damage; whether "
            "what they say is right, nobody checked.",
        )
    said = " ".join(filter(None, sentences))
    if said:
        st.info(md(said), icon=":material/move_to_inbox:")


def draw_health(project: str) -> None:
    """Say what happened to the open project: a crash before, a damaged log, a finished repair."""
    report = state.recall("repaired")
    if report:
        st.success(md(report))
    damage = library.damage(project)
    if damage:
        st.error(f"{md(damage)} What could be read is shown.")
        if st.button("Repair the labels", type="primary", key="repair", icon=":material/healing:"):
            _repair(project)
    elif library.was_recovered(project):
        st.info(
            "The program was not closed properly the last time. Everything it had saved is here.",
            icon=":material/health_and_safety:",
        )


def _repair(project: str) -> None:
    try:
        mended = library.repair(project)
    except ScanviError as error:
        st.error(error_text(error))
        return
    from_itself = mended.source.parent == mended.aside.parent
    where = "the file itself" if from_itself else "a safety copy"
    state.remember(
        "repaired",
        f"Repaired: {count(mended.n_events, 'change')} came back, from {where}. "
        f"The damaged file was kept as {mended.aside.name}.",
    )
    st.rerun()
