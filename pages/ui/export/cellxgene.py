"""The form for a file that goes to CELLxGENE Discover: what it asks for, and what is missing."""

from dataclasses import replace

import pandas as pd
import streamlit as st

from pages.ui.text import md
from scanvi_core.services.export.cellxgene import form
from scanvi_core.services.export.cellxgene.fields import FIELDS, TISSUE_TYPES, Field
from scanvi_core.services.export.cellxgene.form import Submission
from scanvi_core.services.formatting import count
from scanvi_core.services.workspace import Workspace

FOR_ALL = "One value for all cells"
EXAMPLES = {
    "assay_ontology_term_id": "10x 3' v3",
    "tissue_ontology_term_id": "blood",
    "disease_ontology_term_id": "normal",
    "sex_ontology_term_id": "female",
    "donor_id": "donor 1",
    "self_reported_ethnicity_ontology_term_id": "unknown",
    "development_stage_ontology_term_id": "unknown",
    "suspension_type": "cell",
}


def draw(opened: Workspace, types: list[str]) -> bool:
    """Draw the form; what is said in it is kept at once. Return whether nothing is missing."""
    if not form.available():
        st.info(
            "This needs the ontologies that CELLxGENE uses. Install them with "
            "`pip install 'scanvi-app[cellxgene]'` and start the app again.",
            icon=":material/info:",
        )
        return False
    before = form.draft(opened)
    st.caption(
        f"{form.versions()}. This writes a new file with your counts in raw.X, "
        "normalized values in X and the answers below; your own file stays as it is."
    )
    made = _fields(opened, _general(before))
    made = _cell_types(made, types)
    _look_up(made)
    if made != before:
        form.save(opened, made)
        st.rerun()
    return _missing(opened, made)


def _general(made: Submission) -> Submission:
    title = st.text_input("Title of the data set", made.title, key="cxg-title", max_chars=200)
    left, middle, right = st.columns(3, vertical_alignment="bottom")
    organisms = form.organisms()
    organism = left.selectbox(
        "Organism", list(organisms), list(organisms).index(made.organism),
        format_func=organisms.__getitem__, key="cxg-organism",
    )  # fmt: skip
    kind = middle.selectbox(
        "The cells come from", TISSUE_TYPES, TISSUE_TYPES.index(made.kind), key="cxg-kind"
    )
    primary = right.checkbox(
        "First time these cells are submitted", made.primary, key="cxg-primary",
        help="Off when they were part of a data set that is already on CELLxGENE.",
    )  # fmt: skip
    return replace(made, title=title, organism=organism, kind=kind, primary=primary)


def _fields(opened: Workspace, made: Submission) -> Submission:
    st.markdown("**About the cells**: a column of your file, or one value for all.")
    places = st.columns(2, gap="medium")
    for at, item in enumerate(FIELDS):
        with places[at % 2].container(border=True):
            made = _field(opened, made, item)
    return made


def _field(opened: Workspace, made: Submission, item: Field) -> Submission:
    columns = ["", *form.columns(opened)]
    chosen = made.columns.get(item.key, "")
    column = st.selectbox(
        item.label, columns, columns.index(chosen) if chosen in columns else 0,
        format_func=lambda name: name or FOR_ALL, key=f"cxg-{item.key}", help=item.help,
    )  # fmt: skip
    made = replace(made, columns={**made.columns, item.key: column})
    values = form.table(opened, made, item)
    scope = made.scope(item)
    if scope is None and column:
        st.caption(f"{count(len(values), 'value')}, written as they are.")
        return made
    typed = _terms_of_column(values, item, column) if column else _term_for_all(values, item)
    if not typed:
        return made
    terms = {
        value: text if scope is None else form.understood(text, scope)
        for value, text in typed.items()
    }
    return replace(
        made, chosen={**made.chosen, item.key: {**made.chosen.get(item.key, {}), **terms}}
    )


def _terms_of_column(values: pd.DataFrame, item: Field, column: str) -> dict[str, str]:
    """Ask for the term of each value of a column; return those that were edited."""
    open_ = int((values["term"] == "").sum())
    words = f"{count(len(values), 'value')}, {open_} without a term" if open_ else "All found"
    with st.expander(words, expanded=bool(open_)):
        return _edited(values, f"cxg-{item.key}-{column}", "value")


def _term_for_all(values: pd.DataFrame, item: Field) -> dict[str, str]:
    """Ask for the one term of all cells; return it where it was edited."""
    term, meaning = values["term"].iloc[0], values["meaning"].iloc[0]
    typed = st.text_input(
        "Value", term, placeholder=f"such as {EXAMPLES[item.key]}",
        key=f"cxg-value-{item.key}-{hash(term)}", label_visibility="collapsed",
    )  # fmt: skip
    if meaning:
        st.caption(md(meaning))
    return {} if typed == term else {"": typed}


def _cell_types(made: Submission, types: list[str]) -> Submission:
    st.markdown(
        "**Cell types**: the term of the Cell Ontology for each of your names. Types without a "
        "term are written as unknown; your names stay in the file as well."
    )
    table = form.type_table(made, types)
    terms = _edited(table, "cxg-types", "type")
    chosen_terms = {name: form.understood_type(text) for name, text in terms.items()}
    return replace(made, cell_types={**made.cell_types, **chosen_terms}) if chosen_terms else made


def _edited(table: pd.DataFrame, key: str, first: str) -> dict[str, str]:
    """Draw a table of terms that can be edited; return what was changed in it."""
    edited = st.data_editor(
        table, hide_index=True, key=f"{key}-{hash(tuple(table['term']))}", placeholder="",
        disabled=[first, "meaning"],
        column_config={
            "term": st.column_config.TextColumn(
                "term (write an id or a name)", help="An id such as CL:0000084, or its name."),
            "meaning": st.column_config.TextColumn("is"),
        },
    )  # fmt: skip
    new = edited["term"].fillna("")
    changed = new != table["term"]
    return dict(zip(table[first][changed], new[changed], strict=True))


def _look_up(made: Submission) -> None:
    with st.expander("Look up a term", icon=":material/search:"):
        left, right = st.columns([1, 2])
        names = {"Cell type": None} | {item.label: item for item in FIELDS if item.scope}
        what = left.selectbox("For", list(names), key="cxg-look-what")
        text = right.text_input("Words", key="cxg-look", placeholder="regulatory T")
        if text:
            found = form.look_up(text, made, names[what])
            st.dataframe(found, hide_index=True) if len(found) else st.caption("Nothing found.")


def _missing(opened: Workspace, made: Submission) -> bool:
    sentences = form.missing(opened, made)
    if sentences:
        st.warning(
            "Still missing for CELLxGENE:\n\n" + "\n".join(f"- {md(line)}" for line in sentences),
            icon=":material/checklist:",
        )
    else:
        st.success("Nothing CELLxGENE asks for is missing.", icon=":material/check:")
    return not sentences
