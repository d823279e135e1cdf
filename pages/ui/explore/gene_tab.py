"""The genes of Explore: levels and spread per type, markers, one group against another."""

from collections.abc import Callable

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.ui.explore import gene_charts, gene_search
from pages.ui.frame import download, jobs, state
from pages.ui.frame.actions import do
from pages.ui.text import md
from scanvi_core.services.explore import (
    colors,
    gene_groups,
    gene_tests,
    selection,
    telling_genes,
)
from scanvi_core.services.explore.gene_groups import Groups
from scanvi_core.services.explore.gene_tests import MODEL, TEST, GeneTest
from scanvi_core.services.export import figures
from scanvi_core.services.formatting import count
from scanvi_core.services.workspace import Workspace

DOTS, VIOLIN, MARKERS, COMPARE = (
    "Dot plot", "Spread of one gene", "Markers of each type", "One group against another",
)  # fmt: skip
ADDED = "genes of markers"  # that stand in the dot plot
SIDES = ("seen in group", "seen in others")


def draw(opened: Workspace) -> None:
    """Draw the choice of groups and of what to see."""
    left, right = st.columns([5, 2], gap="medium", vertical_alignment="bottom")
    with left:
        what = st.segmented_control(
            "What to see", [DOTS, VIOLIN, MARKERS, COMPARE], default=DOTS, key="genes-view",
            required=True, label_visibility="collapsed", persist_state="session",
        )  # fmt: skip
    options = gene_groups.options(opened)
    if not options:
        st.info("There are no groups yet: name some cells, or compute clusters on Labels.")
        return
    with right:
        start = colors.LABEL if colors.LABEL in options else options[0]
        by = st.selectbox(
            "Groups of cells", options, options.index(start), key="genes-by",
            persist_state="session",
        )  # fmt: skip
    _VIEWS[what](opened, by)


def _dots(opened: Workspace, by: str) -> None:
    chosen = gene_search.choose(opened)
    if not chosen:
        st.info(
            "Choose genes to see where they are expressed, or add the top markers of every type "
            f"under “{MARKERS}”."
        )
        return
    table = gene_groups.levels(opened, by, chosen)
    is_scaled = st.toggle(
        "Scale each gene from 0 to 1", True, key="genes-scaled", persist_state="session",
        help="0: its lowest mean level among these groups, 1: its highest. Else the colors of all "
        "genes are of one scale, and genes of low level look alike everywhere.",
    )  # fmt: skip
    gene_charts.dots(table, is_scaled=is_scaled, key="genes-dots")
    types = gene_groups.groups(opened, by)
    title = figures.grouped_by(by, int((types.codes >= 0).sum()))
    drawn = figures.dots(table, _places(types), is_scaled=is_scaled, title=title)
    with st.container(horizontal=True):
        download.figure(opened, "dot plot", drawn, key="genes-dots")
        download.table(opened, "levels", lambda: table, key="genes-dots")
    st.caption(
        "Level: mean log(1 + counts per 10,000)"
        + (", scaled from 0 to 1 for each gene" if is_scaled else "")
        + ". Dot size: share of cells with a count."
    )
    with st.expander("The same as a table"):
        shown = table.rename(columns={"mean": "mean level", "share": "share of cells"})
        st.dataframe(shown.round(3), hide_index=True, height=250)


def _violin(opened: Workspace, by: str) -> None:
    chosen = gene_search.choose(opened)
    if not chosen:
        st.info("Choose a gene to see its spread in each group.")
        return
    gene = st.pills(
        "Gene", chosen, default=chosen[-1], key=f"genes-one.{len(chosen)}", required=True,
        label_visibility="collapsed", format_func=md,
    )  # fmt: skip
    groups, values = gene_groups.groups(opened, by), gene_groups.violins(opened, by, gene)
    places = [groups.places[groups.names.index(name)] for name in values]
    gene_charts.violins(values, places, gene, key="genes-violin")
    drawn = figures.spread(values, _places(groups), gene)
    download.figure(opened, f"spread {gene}", drawn, key="genes-violin")
    st.caption(f"At most {gene_groups.VIOLIN_CELLS} cells of each group, drawn at random.")


def _markers(opened: Workspace, by: str) -> None:
    groups = gene_groups.groups(opened, by)
    question = GeneTest(groups)
    table = _answered(
        opened, question, "Find the markers of each group",
        f"Which genes are higher in each group of “{by}” than in all others? "
        "Wilcoxon's test on at most 10,000 cells.",
    )  # fmt: skip
    if table is None:
        return
    _warn(groups.warning)
    names = list(dict.fromkeys(table["group"]))
    left, middle, right = st.columns([3, 1, 2], vertical_alignment="bottom")
    one = left.selectbox("Markers of", names, key="markers-of")
    n = middle.number_input(
        "Genes of each", 1, telling_genes.MOST_PER_GROUP, telling_genes.per_group(len(names)),
        key=f"markers-each.{len(names)}", help="So many genes of every group go to the dot plot.",
    )  # fmt: skip
    told = telling_genes.of_groups(opened, table, int(n))
    _to_dot_plot(opened, right, list(told.genes))
    if told.sentence:
        st.caption(md(told.sentence))
    own = table[table["group"] == one]
    _table(telling_genes.noted(opened, own).drop(columns="group"), set())
    download.table(opened, f"markers {by}", lambda: table, key="markers")


def _to_dot_plot(opened: Workspace, place: DeltaGenerator, genes: list[str]) -> None:
    """Offer to add markers to the dot plot, in place of those that were added before."""
    now, before = gene_search.chosen(opened), state.recall(ADDED, [])
    kept = [gene for gene in now if gene not in before or gene in genes]
    more = list(dict.fromkeys([*kept, *genes]))
    label = f"Add these {count(len(genes), 'gene')} to the dot plot"
    if len(more) > gene_search.MAX_CHOSEN:
        place.caption(f"The dot plot has room for {gene_search.MAX_CHOSEN} genes: choose fewer.")
    if place.button(
        label if more != now else "Added to the dot plot", key="markers-add",
        disabled=more == now or len(more) > gene_search.MAX_CHOSEN,
    ):  # fmt: skip
        state.remember(ADDED, genes)
        do(lambda: state.remember(gene_search.CHOSEN, more))


def _choose_two(opened: Workspace, by: str) -> tuple[str, str, str]:
    """Ask for two groups and how to compare them."""
    tab = state.tab()
    sides = gene_groups.sides(opened, tab, by)
    picked = selection.selection(opened, tab).n
    left, middle, right = st.columns([3, 3, 2], vertical_alignment="bottom")
    first = left.selectbox("Group A", sides[:-1] or sides, key="compare-a")
    second = middle.selectbox("against B", sides, len(sides) - 1, key="compare-b")
    methods = [TEST, MODEL] if opened.current_run() else [TEST]
    method = right.selectbox(
        "By", methods, key="compare-by",
        help="The test is quick and sees the counts. The model removes what comes from "
        "batches, and says which genes are likely different.",
    )  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="center"):
        if picked and st.button(f"Keep the {count(picked, 'picked cell')} as a second group"):
            do(lambda: gene_groups.keep_picked(opened, tab))
        if not picked:
            st.caption("Pick cells on the map to compare them, too.")
    return first, second, method


def _compare(opened: Workspace, by: str) -> None:
    tab = state.tab()
    first, second, method = _choose_two(opened, by)
    if first == second:
        st.info("Choose two different groups.")
        return
    groups = gene_groups.of_two(opened, tab, by, (first, second))
    n_a, n_b = int((groups.codes == 0).sum()), int((groups.codes == 1).sum())
    table = _answered(
        opened, GeneTest(groups, True, method), "Compare A with B",
        f"A: {md(first)}, {count(n_a, 'cell')}. B: {md(second)}, {count(n_b, 'cell')}.",
    )  # fmt: skip
    if table is None:
        return
    _warn(groups.warning)
    conditioned = gene_groups.conditions_on(opened, tab, (first, second))
    st.caption(
        f"Positive: higher in {md(first)} ({n_a:,}); negative: higher in {md(second)} ({n_b:,})."
    )
    _table(table.drop(columns="group"), conditioned)
    whole = table.assign(group=first, against=second, method=method)
    download.table(opened, f"{first} against {second}", lambda: whole, key="compare")


def _places(groups: Groups) -> dict[str, int]:
    return dict(zip(groups.names, groups.places, strict=True))


def _answered(
    opened: Workspace, question: GeneTest, label: str, caption: str
) -> pd.DataFrame | None:
    """Return the kept answer; without one, offer to work it out, or show how far it is."""
    table = gene_tests.answer(opened, question)
    if table is not None:
        if table.empty:
            st.info("No gene differs clearly.")
            return None
        return table
    st.markdown(caption)
    job = jobs.latest(opened.id, gene_tests.GENE_TEST)
    if job is not None:
        jobs.show(job, can_stop=True)
        if not job.status.final:
            return None
    if st.button(label, key="gene-test", type="primary", icon=":material/biotech:"):
        do(lambda: gene_tests.start(opened, question))
    return None


def _warn(sentence: str) -> None:
    if sentence:
        st.warning(md(sentence), icon=":material/warning:")


def _table(table: pd.DataFrame, conditioned: set[str]) -> None:
    """Draw genes with their numbers; say of which the cells were chosen by them."""
    if conditioned:
        note = ["the cells were chosen by it" if g in conditioned else "" for g in table["gene"]]
        table = table.assign(note=note)
    for side in SIDES:
        table = table.assign(**{side: 100 * table[side]})
    share = st.column_config.NumberColumn(format="%.0f %%")
    st.dataframe(
        table, hide_index=True, height=330, key="gene-table",
        column_config={
            "score": st.column_config.NumberColumn(format="%.1f"),
            "log2 change": st.column_config.NumberColumn(
                format="%.2f", help="1: twice as much in the first group."),
            "adjusted p": st.column_config.NumberColumn(
                format="%.1e", help="Corrected for the number of genes (Benjamini, Hochberg)."),
            **dict.fromkeys(SIDES, share),
        },
    )  # fmt: skip


_VIEWS: dict[str, Callable[[Workspace, str], None]] = {
    DOTS: _dots, VIOLIN: _violin, MARKERS: _markers, COMPARE: _compare,
}  # fmt: skip
