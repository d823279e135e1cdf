"""The names of the types and their terms of the Cell Ontology, each taken by a key."""

from collections.abc import Sequence

import streamlit as st

from pages.ui.frame import state
from pages.ui.text import error_text, md, short
from scanvi_core.errors import ScanviError
from scanvi_core.services.formatting import count
from scanvi_core.services.labels import edit, type_terms
from scanvi_core.services.labels.names import term_lines
from scanvi_core.services.labels.names.term_lines import TermLine
from scanvi_core.services.workspace import Workspace

OPEN, SKIPPED, FAILED = "terms-open", "terms-skipped", "terms-failed"
NAME_WIDTH, MOST_HEIGHT, ROW = 80, 390, 35  # letters; pixels


def draw(opened: Workspace) -> None:
    """Draw how many names have a term and, once asked for, all names with what is offered."""
    made = term_lines.lines(opened)
    if not made:
        return
    is_open = bool(state.recall(OPEN))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Close the list" if is_open else "Match names to the Cell Ontology", key="terms-open",
            icon=":material/account_tree:", on_click=state.remember, args=(OPEN, not is_open),
        )  # fmt: skip
        st.caption(md(term_lines.in_short(made)))
    if is_open:
        with st.container(border=True, key="terms"):
            _match(opened, made)


def _match(opened: Workspace, made: Sequence[TermLine]) -> None:
    upcoming = term_lines.next_line(made, state.recall(SKIPPED, ()))
    question = st.container()
    now = _table(made, upcoming) or upcoming
    with question:
        if now is None:
            st.caption("Every name is decided. Pick a row to decide it anew.")
        else:
            _decide(opened, now, term_lines.exact_ones(made))
    if state.recall(FAILED):
        st.error(state.recall(FAILED))
        state.forget(FAILED)


def _table(made: Sequence[TermLine], upcoming: TermLine | None) -> TermLine | None:
    """Draw all names; return the one whose row was picked."""
    event = st.dataframe(
        term_lines.table(made, upcoming), hide_index=True, on_select="rerun",
        key=f"terms-{hash(tuple((line.name, line.said) for line in made))}",
        column_config={"": st.column_config.TextColumn(width=30)},
        selection_mode="single-row", height=min(MOST_HEIGHT, ROW * (len(made) + 1) + 3),
    )  # fmt: skip
    rows = event["selection"]["rows"]
    return made[rows[0]] if rows else None


def _decide(opened: Workspace, now: TermLine, exact: dict[str, str]) -> None:
    """Draw the question about one name, and a button with a key for each answer."""
    closed = bool(edit.read_only(opened))
    sure = " means" if now.is_exact else ", perhaps" if now.offers else ": nothing found"
    st.markdown(f"**{md(now.name)}** ({count(now.cells, 'cell')}){sure}")
    with st.container(horizontal=True):
        for shortcut, offer in zip("A234", now.offers, strict=False):
            st.button(
                md(short(offer.name, NAME_WIDTH)), shortcut=shortcut, disabled=closed,
                key=f"term-{shortcut}", help=f"{md(offer.name)}, {offer.id}", on_click=_say,
                type="primary" if shortcut == "A" else "secondary",
                args=(opened, {now.name: offer.id}),
            )  # fmt: skip
    with st.container(horizontal=True):
        st.button("None fits", shortcut="U", key="term-none", disabled=closed, on_click=_say,
                  args=(opened, {now.name: type_terms.NONE_FITS}))  # fmt: skip
        st.button("Skip", shortcut="S", key="term-skip", on_click=_skip, args=(now,))
        if exact:
            st.button(
                f"Take all {count(len(exact), 'exact term')}", key="terms-exact", shortcut="E",
                disabled=closed, on_click=_say, args=(opened, exact), icon=":material/done_all:",
            )  # fmt: skip


def _say(opened: Workspace, terms: dict[str, str]) -> None:
    try:
        type_terms.say(opened, terms)
    except ScanviError as error:
        state.remember(FAILED, error_text(error))


def _skip(line: TermLine) -> None:
    state.remember(SKIPPED, (*state.recall(SKIPPED, ()), line.name))
