"""One card of the review queue: evidence, candidates, keys."""

from collections.abc import Callable
from functools import partial

import pandas as pd
import streamlit as st

from pages.ui.cell_map import maps
from pages.ui.explore import naming
from pages.ui.frame import dialogs, state
from pages.ui.frame.name_box import name_box, near_note
from pages.ui.review import card_trail
from pages.ui.text import error_text, md, short
from scanvi_core.errors import ScanviError
from scanvi_core.services.formatting import count, percent
from scanvi_core.services.opinions import reliability
from scanvi_core.services.review import answers, evidence, proposed, why
from scanvi_core.services.review.decision_count import decision_count
from scanvi_core.services.review.evidence import Evidence
from scanvi_core.services.review.proposed import NAME, UNKNOWN, Proposal
from scanvi_core.services.review.queue import CHECK, RANDOM, Candidate, ReviewItem
from scanvi_core.services.viewing import remarks
from scanvi_core.services.workspace import Workspace

ERROR = "review-error"  # the card, what it asked and why it could not be decided
NAME_WIDTH = 22  # characters of a type on a button
MOST_ROWS = 4  # of a small table
MOST_SAID = 2  # by colleagues, of one type
ALL = 99.5  # percent
GENE_WIDTH, BAR_WIDTH = 100, 120  # pixels; all columns of bars are as wide: of one scale


def draw(opened: Workspace, item: ReviewItem, kind: str) -> None:
    """Draw a card of the trail of a kind; it looks the same as long as it is in front."""
    check = item.kind == RANDOM
    shown = evidence.of(opened, item)
    proposal, provisional = proposed.of(opened, item, shown), _provisional(opened, item)
    with st.container(border=True, key="review-card"):
        st.markdown(
            f"**{_title(item)}**. {_question(item, proposal)}"
            + (" :violet-badge[provisional]" if provisional else "")
            + (" :blue-badge[random check]" if check else "")
            + (" :gray-badge[part of a group]" if item.path else "")
        )
        st.markdown(
            md(f"{_verdict(shown, proposal)} {why.sentence(item)}")
        )  # in a low window, too
        draw_words(opened, item)
        _said(opened, proposal)
        _actions(opened, item, kind, proposal)
        n_open = answers.n_open_cells(opened, item)
        more = item.n_alike - len(item.rows)
        alike = (
            f" The answer also teaches {count(more, 'more cell')} much like these."
            if more > 0
            else ""
        )
        st.caption(f"{_effect(shown, proposal, n_open)}{alike}{provisional}")
        left, right = st.columns([2, 3], gap="medium")
        with left:
            maps.highlight(opened, item.rows, key="review-map", height=270)
        with right:
            _genes(shown)
        _around(shown)
    step = answers.last_step(opened)
    if step:
        st.caption(f"Last step: {md(step)}. Ctrl+Z takes it back.")
    dialogs.draw(_dialog_of(item), "Another name", _ask_name, opened, item)


def draw_words(opened: Workspace, item: ReviewItem) -> None:
    """Draw what each opinion says of the cells, a line each; nothing where none speaks."""
    words = reliability.words(opened, item.rows)
    if words:
        st.caption("  \n".join(md(word.sentence) for word in words))


def _said(opened: Workspace, proposal: Proposal) -> None:
    """Draw what colleagues said of the types in question and nobody answered; newest first."""
    for name in proposal.between or (proposal.answer,):
        for said in remarks.said(opened).open_about(remarks.TYPE, name)[:MOST_SAID]:
            words = f"could be called **{md(said.text)}**" if said.is_proposal else md(said.text)
            st.caption(f":material/forum: Colleagues of {md(name)}: {words}")


def _title(item: ReviewItem) -> str:
    if item.kind == CHECK:
        return "A cell drawn at random"
    return count(len(item.rows), "similar cell")


def _verdict(shown: Evidence, proposal: Proposal) -> str:
    """Return what genes and neighbors say; where no type is proposed, so that it is no answer."""
    if proposal.answer not in (NAME, UNKNOWN):
        return shown.verdict
    return f"Among the labeled types, {shown.verdict[0].lower()}{shown.verdict[1:]}"


def _effect(shown: Evidence, proposal: Proposal, n_open: int) -> str:
    """Say what the proposed answer does with the cells of the card that have no label."""
    if not proposal.answer:
        return f"{count(n_open, 'cell')} will have the name you choose."
    if proposal.answer == UNKNOWN:
        return f"Unknown: {count(n_open, 'cell')} will have no type, and no model learns them."
    if proposal.answer == NAME:
        return f"Another name: {md(shown.effect('', n_open))}"
    return f"Naming them {md(proposal.answer)}: {md(shown.effect(proposal.answer, n_open))}"


def _provisional(opened: Workspace, item: ReviewItem) -> str:
    """Say what a provisional card follows; empty for any other, as for one of an earlier model."""
    run, decided = opened.current_run(), decision_count(opened)
    if not item.is_provisional or run is None or item.run_id != run.id:
        return ""
    follows = f"your {count(decided.since, 'decision')}" if decided.since else "your labels"
    return (
        f" *Provisional*: this suggestion follows {follows} since model {decided.model}; "
        "the model itself learns from them when you update it."
    )


def _genes(shown: Evidence) -> None:
    if shown.markers.empty:
        return
    draw_levels(shown.markers, "Mean level in trusted cells and in this group")
    if shown.behind:
        n = count(len(shown.behind), "ribosomal or mitochondrial gene")
        st.caption(f"Left out for these: {n} ({', '.join(map(md, shown.behind))}).")


def draw_levels(table: pd.DataFrame, what: str) -> None:
    """Draw mean levels as bars of one scale: the column ``gene``, and one for each set of cells.

    `what` they are is said below, with the scale.
    """
    levels = [name for name in table.columns if name != "gene"]
    top = float(table[levels].to_numpy().max(initial=0.0)) or 1.0
    bars = {
        name: st.column_config.ProgressColumn(
            short(name, NAME_WIDTH), min_value=0.0, max_value=top, format="%.1f", width=BAR_WIDTH
        )
        for name in levels
    }
    gene = st.column_config.TextColumn(width=GENE_WIDTH)
    st.dataframe(
        table, hide_index=True, column_config={"gene": gene, **bars}, height="content",
        width="content",
    )  # fmt: skip
    st.caption(
        f"{what}: log(1 + counts per 10,000). Every bar is of one scale, full at {top:.1f}."
    )


def _around(shown: Evidence) -> None:
    """Draw who is near, where the cells come from, and how good they are, side by side."""
    near, quality, batches = st.columns(3, gap="medium")
    with near:
        st.caption("Nearest labeled cells")
        st.dataframe(shown.neighbors.head(MOST_ROWS), hide_index=True, height="content")
    with quality:
        st.caption("Quality (medians)")
        numbers = {
            name: st.column_config.NumberColumn(format="localized")
            for name in ("these cells", "all cells")
        }
        st.dataframe(
            shown.quality.round(2), hide_index=True, column_config=numbers, height="content"
        )
    if len(shown.batches) > 1 or shown.batches["all cells"].max() < ALL:
        with batches:
            st.caption("Batches")
            share = st.column_config.ProgressColumn(
                "of these", min_value=0, max_value=100, format="%.0f %%"
            )
            every = st.column_config.NumberColumn("of all cells", format="%.0f %%")
            st.dataframe(
                shown.batches.head(MOST_ROWS)[["batch", "share", "all cells"]], hide_index=True,
                column_config={"share": share, "all cells": every}, height="content",
            )  # fmt: skip


def _move(opened: Workspace, item: ReviewItem, kind: str) -> None:
    st.button("Split", shortcut="T", key="split", on_click=card_trail.split,
              args=(opened, item, kind), disabled=not item.can_split,
              help="Cells of several types? See them as two to four smaller groups.")  # fmt: skip
    st.button("Skip", shortcut="S", key="skip", on_click=card_trail.skip, args=(kind,))
    st.button("Back", shortcut="B", key="back", on_click=card_trail.back, args=(opened, kind),
              disabled=not card_trail.can_go_back(opened, kind),
              help="To the group that was here before: this one undivided, or one you skipped. "
              "A decision is taken back with Undo.")  # fmt: skip


def _question(item: ReviewItem, proposal: Proposal) -> str:
    """Return what is asked of the group: what the primary button answers."""
    alone = len(item.rows) == 1
    if proposal.answer == NAME:
        return f"**What {'is it' if alone else 'are they'}?** Unlike every labeled cell."
    if proposal.answer == UNKNOWN:
        return f"Leave **{'it' if alone else 'them'} without a name**?"
    if not proposal.answer:
        one, other = proposal.between
        rival = "a type nobody has named" if other == NAME else f"**{md(other)}**"
        return f"Undecided between **{md(one)}** and {rival}: {md(proposal.sides)}."
    is_broad = proposal.broad is not None and proposal.answer == proposal.broad.name
    kind = "some kind of " if is_broad else ""
    return f"{'Is it' if alone else 'Are they'} {kind}**{md(proposal.answer)}**?"


def _actions(opened: Workspace, item: ReviewItem, kind: str, proposal: Proposal) -> None:
    """Draw the buttons, the primary one being what the evidence speaks for."""
    seen = opened.labels().seq  # as this card is drawn
    answer = partial(decide, item)
    with st.container(horizontal=True, key="review-actions"):
        _candidates(opened, item, proposal, seen)
    with st.container(horizontal=True):
        st.button("Another name", shortcut="N", key="new-label",
                  type="primary" if proposal.answer == NAME else "secondary",
                  on_click=dialogs.ask, args=(_dialog_of(item),))  # fmt: skip
        st.button("Unknown", shortcut="U", key="unknown", on_click=answer,
                  type="primary" if proposal.answer == UNKNOWN else "secondary",
                  args=(lambda: answers.unknown(opened, item, seen),))  # fmt: skip
        _move(opened, item, kind)
        naming.undo_buttons(opened)
    draw_error(item)


def _candidates(opened: Workspace, item: ReviewItem, proposal: Proposal, seen: int) -> None:
    """Draw a button for each candidate: what is proposed first, or both of an undecided card.

    A says yes to the question, or takes the first of both, and 2 the second.
    """
    offered = [*([proposal.broad] if proposal.broad else []), *item.candidates]
    offers = {other.name: _named(other) for other in offered}
    if proposal.another:
        offers[proposal.another] = md(short(proposal.another, NAME_WIDTH))
    keys_of = {other.name: f"choose-{i}" for i, other in enumerate(item.candidates, start=1)}
    keys_of |= {proposal.broad.name: "choose-broad"} if proposal.broad else {}
    first = item.candidates[0].name
    ahead = proposal.between or (proposal.answer,)
    order = sorted(offers, key=lambda name: ahead.index(name) if name in ahead else len(ahead))
    for shortcut, name in zip(["A", *"23456789"], order, strict=False):
        is_primary = name == proposal.answer
        work = answers.accept if name == first else partial(answers.choose, name=name)
        st.button(
            f"Accept {offers[name]}" if is_primary else offers[name], shortcut=shortcut,
            key="accept" if name == first else keys_of.get(name, "choose-others"),
            on_click=decide, args=(item, partial(work, opened, item, seen=seen)),
            type="primary" if is_primary else "secondary",
            help=_help(proposal, name, is_known=name in keys_of),
        )  # fmt: skip


def _help(proposal: Proposal, name: str, *, is_known: bool) -> str | None:
    if proposal.broad is not None and name == proposal.broad.name:
        return "A broader type: which of its types the cells are stays open"
    return None if is_known else "What other tools say"


def draw_error(item: ReviewItem) -> None:
    """Say why a card could not be decided, until the next decision; which one, if it is gone."""
    token, title, text = state.recall(ERROR, ("", "", ""))
    if not token:
        return
    if token == item.token:
        st.error(text)
    else:  # somebody else decided it, so another card is in front
        st.error(f"**About the group before this one, {title}:** {text}")


def decide(item: ReviewItem, work: Callable[[], None]) -> None:
    """Carry out a decision; what was wrong is shown on the card."""
    state.forget(ERROR)
    try:
        work()
    except ScanviError as error:
        guess = f", {md(item.candidates[0].name)}?" if item.candidates else ""
        named = f"{count(len(item.rows), 'cell')}{guess}"
        state.remember(ERROR, (item.token, named, error_text(error)))


def _named(candidate: Candidate) -> str:
    return f"{md(short(candidate.name, NAME_WIDTH))} {percent(candidate.probability)}"


def _dialog_of(item: ReviewItem) -> str:
    return f"name {item.token}"


def _ask_name(opened: Workspace, item: ReviewItem) -> None:
    known = list(opened.labels().active)
    name = name_box(f"Name of {count(len(item.rows), 'cell')}", known, "review-name")
    near_note(name, known)
    if st.button("Name them", type="primary", key="name-them", disabled=not name):
        try:
            answers.choose(opened, item, str(name))
        except ScanviError as error:
            st.error(error_text(error))
            return
        dialogs.close()
        st.rerun()
