"""The picked cells as chips: each a condition with its number of cells, to turn or take away."""

from collections.abc import Callable

import streamlit as st

from pages.ui.explore import rule_form
from pages.ui.frame import state
from pages.ui.text import error_text, md, short
from scanvi_core.errors import ScanviError
from scanvi_core.services.explore import rules, selection
from scanvi_core.services.explore.rules import Group, Rule, Selection
from scanvi_core.services.formatting import count
from scanvi_core.services.workspace import Workspace

LONGEST = 34  # letters of a condition on its chip
NOT, JOIN, TIE, UNTIE, REMOVE = "not", "join", "tie", "untie", "remove"


def draw(opened: Workspace) -> Selection:
    """Draw the chips, the way to add one, and how many cells they pick together."""
    picked = selection.selection(opened, state.tab())
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="chips"):
        counts = iter(picked.counts)
        for g, group in enumerate(picked.rule.groups):
            own = [next(counts) for _ in group.terms]
            if len(own) == 1:
                _chip(opened, picked.rule, (g, 0), own[0])
            else:
                _bracket(opened, picked.rule, g, own)
        with st.popover("Add a condition", icon=":material/add:"):
            rule_form.draw(opened)
        if not picked.rule:
            st.caption("Pick cells on the map, or by gene, label, batch…", width="content")
        else:
            st.markdown(f"**= {count(picked.n, 'cell')}**", width="content")
            if st.button("Pick nothing", key="pick-nothing", type="tertiary"):
                selection.clear(opened, state.tab())
                st.rerun()
    _draw_advice(opened, picked)
    return picked


def _draw_advice(opened: Workspace, picked: Selection) -> None:
    """Say what would help where no cell is left, and what could not be looked up."""
    advice = rules.advice(opened, picked)
    if advice:
        st.caption(f"No cell fulfills all of that. {md(advice)}")
    if picked.notes:
        st.warning(md(" ".join([*picked.notes, "Only cells that fit without that are picked."])))


def _bracket(opened: Workspace, rule: Rule, g: int, counts: list[int | None]) -> None:
    group = rule.groups[g]
    with st.container(
        horizontal=True, border=True, width="content", gap="small", vertical_alignment="center",
        key=f"bracket-{g}",
    ):  # fmt: skip
        if g or group.negated:
            before = f"{group.join} " if g else ""
            st.markdown(f"{before}{'not' if group.negated else ''}", width="content")
        for t, n in enumerate(counts):
            _chip(opened, rule, (g, t), n)


def _chip(opened: Workspace, rule: Rule, at: tuple[int, int], n: int | None) -> None:
    """Draw one condition; a click opens what can be done with it."""
    g, t = at
    group = rule.groups[g]
    term = group.terms[t]
    lone = len(group.terms) == 1
    join = (group.join if g else "") if lone else (term.join if t else "")
    number = "?" if n is None else f"{n:,}"
    words = md(short(rules.words_of(term), LONGEST))
    step = term.kind == "near"
    label = words if step else f"{join} {words} · {number}".strip()
    done = st.menu_button(
        label, _options(group, at, step=step), key=f"chip-{g}-{t}",
        format_func=_WORDS.__getitem__, help=md(rules.words_of(term)),
    )  # fmt: skip
    if done is not None:
        change(opened, lambda: _EDITS[done](rule, g, t))


def _options(group: Group, at: tuple[int, int], *, step: bool) -> list[str]:
    g, t = at
    lone = len(group.terms) == 1
    options = [REMOVE]
    if not step:
        options.insert(0, NOT)
        if t or (lone and g):
            options.insert(1, JOIN)
    if lone and g:
        options.insert(-1, TIE)
    if not lone and t == len(group.terms) - 1:
        options.insert(-1, UNTIE)
    return options


_WORDS = {
    NOT: "Turn into its opposite",
    JOIN: "Swap “and” and “or” before it",
    TIE: "Put into a bracket with the one before",
    UNTIE: "Take out of the bracket",
    REMOVE: "Remove",
}
_EDITS: dict[str, Callable[[Rule, int, int], Rule]] = {
    NOT: Rule.negate,
    JOIN: Rule.rejoin,
    TIE: lambda rule, g, _: rule.tie(g),
    UNTIE: lambda rule, g, _: rule.untie(g),
    REMOVE: Rule.without,
}


def change(opened: Workspace, edit: Callable[[], Rule]) -> None:
    """Pick what a changed rule selects, and draw the page anew."""
    try:
        selection.set_rule(opened, state.tab(), edit())
    except ScanviError as error:
        st.error(error_text(error))
    else:
        st.rerun()
