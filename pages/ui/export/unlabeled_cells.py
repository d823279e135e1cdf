"""What the cells without a label get in the exported file."""

import streamlit as st

from pages.ui.review import check_the_rest
from pages.ui.text import md
from scanvi_core.services.diagnostics import confidence_worth
from scanvi_core.services.export import filling
from scanvi_core.services.export.filling import NO_PREDICTION, Filling
from scanvi_core.services.formatting import count
from scanvi_core.services.projects.joining.joined_files import joined_files
from scanvi_core.services.runs import results
from scanvi_core.services.workspace import Workspace

MANY_NOVEL = 0.05  # share of the cells filled in
LEAVE, SURE, ALL, OWN = "leave", "sure", "all", "own"
WORDS = {
    LEAVE: "Leave them without a label",
    SURE: "Fill in the predictions that are sure enough: {}",
    ALL: "Fill in every prediction",
    OWN: "Fill in predictions from a confidence I choose",
}


def ask(opened: Workspace) -> float:
    """Ask, and return the confidence from which a prediction fills in a label."""
    sure, every = filling.mostly_right(opened), filling.filling(opened, 0.0)
    known = {LEAVE: filling.filling(opened, NO_PREDICTION), ALL: every}
    known |= {SURE: sure} if sure is not None and sure.n_cells else {}
    promise = filling.promise(opened)
    ways = [way for way in WORDS if way in known or way == OWN]
    chosen = st.radio(
        f"The {count(every.n_cells, 'cell')} without a label", ways,
        index=ways.index(_offered(opened, known)), key="export-filling",
        format_func=lambda way: WORDS[way].format(promise),
        captions=[_caption(opened, known[way]) if way in known else "" for way in ways],
    )  # fmt: skip
    predictions = results.current(opened)
    if sure is None and predictions is not None:
        known_by = md(predictions.summary["calibration"])
        st.caption(f"{known_by} So nobody can say how many of them are right.")
    if any(file.reference for file in joined_files(opened)):
        st.caption("How well the new files fit the references, type by type, is on Evaluate.")
    if every.n_cells:
        check_the_rest.draw(opened)
    if chosen in known:
        level = known[chosen].threshold
    else:
        level = st.slider(
            "Least confidence", 0, 100, 80, 1, format="%d %%", key="export-threshold"
        ) / 100  # fmt: skip
        st.caption(_caption(opened, filling.filling(opened, level)))
    _warn_of_novel(opened, level)
    return level


def _offered(opened: Workspace, known: dict[str, Filling]) -> str:
    """Return the way whose level is the one that is offered."""
    level = filling.default_level(opened)
    return next(way for way in (SURE, LEAVE) if way in known and known[way].threshold == level)


def _warn_of_novel(opened: Workspace, level: float) -> None:
    n, novel = filling.filling(opened, level).n_cells, filling.n_novel(opened, level)
    if novel > MANY_NOVEL * n:
        st.warning(
            f"{filling.novel_sentence(opened, level)} Look at the tab Novel of Review first."
        )


def _caption(opened: Workspace, told: Filling) -> str:
    if not told.n_cells:
        return "Only labels that somebody gave or accepted are written."
    return f"{count(told.n_cells, 'cell')}. {confidence_worth.sentence(opened, told.threshold)}"
