"""Terms of types: what was said stays with the type, and what the name means otherwise."""

import numpy as np
import pytest

from scanvi_core.errors import SettingInvalid
from scanvi_core.project.label_log import events
from scanvi_core.services.export.cellxgene import form
from scanvi_core.services.labels import edit, type_table, type_terms
from scanvi_core.services.labels.names import term_lines
from scanvi_core.services.labels.type_terms import NONE_FITS
from scanvi_core.services.projects import library
from scanvi_core.services.workspace import workspace

MONOCYTE, DENDRITIC, NK = "CL:0001054", "CL:0000451", "CL:0000623"


@pytest.fixture
def opened(labeled):
    return workspace(labeled)


def terms(opened, *names):
    return {name: term.in_words for name, term in type_terms.of_names(opened, names).items()}


def test_a_name_of_the_ontology_has_its_term_without_a_word(opened):
    assert terms(opened, "Dendritic", "CD14+ Monocyte", "CD56+ NK", "cluster 3") == {
        "Dendritic": DENDRITIC, "CD14+ Monocyte": MONOCYTE,
    }  # fmt: skip


def test_what_was_said_is_kept_and_called_close_where_the_name_is_another(opened):
    seq = opened.labels().seq
    type_terms.say(opened, {"CD56+ NK": NK, "Dendritic": NONE_FITS})
    assert terms(opened, "CD56+ NK", "Dendritic") == {"CD56+ NK": f"{NK} (close)"}
    assert opened.labels().seq == seq + 1
    table = type_table.label_table(opened).set_index("type")["term"]
    assert table["CD56+ NK"] == f"{NK} (close)" and table["Dendritic"] == ""
    edit.undo(opened)
    assert terms(opened, "CD56+ NK", "Dendritic") == {"Dendritic": DENDRITIC}


def test_a_renamed_type_keeps_its_term_unless_the_new_name_has_its_own(opened):
    edit.rename(opened, "Dendritic", "odd ones")
    assert terms(opened, "odd ones") == {"odd ones": f"{DENDRITIC} (close)"}
    edit.rename(opened, "odd ones", "NK cells")
    assert terms(opened, "NK cells") == {"NK cells": NK}
    edit.undo(opened)
    assert terms(opened, "odd ones") == {"odd ones": f"{DENDRITIC} (close)"}


def test_a_type_merged_into_another_leaves_it_its_term(opened):
    type_terms.say(opened, {"CD34+": "CL:0000037"})
    edit.rename(opened, "CD34+", "Dendritic")
    assert terms(opened, "CD34+", "Dendritic") == {"Dendritic": DENDRITIC}


def test_parts_of_a_type_have_its_term(opened):
    state = opened.labels()
    rows = np.flatnonzero(state.codes == state.names.index("Dendritic"))
    parts, half = ["Dendritic (a)", "Dendritic (b)"], np.arange(len(rows)) % 2
    opened.store.append(events.split("Dendritic", parts, rows, half, term=DENDRITIC))
    assert set(terms(opened, *parts).values()) == {f"{DENDRITIC} (close)"}


def test_no_term_is_kept_that_is_none(opened):
    with pytest.raises(SettingInvalid, match="no term of the Cell Ontology"):
        type_terms.say(opened, {"CD34+": "stem cell"})
    assert opened.labels().terms == {}


def test_a_project_file_takes_the_terms_along(opened, home):
    type_terms.say(opened, {"CD34+": "CL:0000037"})
    with library.save(opened.project.id).open("rb") as file:
        other = library.take_in(file)
    assert terms(workspace(other), "CD34+") == {"CD34+": "CL:0000037 (close)"}


def test_the_form_for_cellxgene_needs_nothing_typed_twice(opened):
    type_terms.say(opened, {"CD34+": "CL:0000037"})
    made = form.draft(opened)
    assert form.cell_type_term(made, "CD34+") == "CL:0000037"
    assert form.cell_type_term(made, "Dendritic") == DENDRITIC
    said = {
        **made.cell_types,
        "CD56+ NK": NK,
        "Dendritic": "",
        "a group": "CL:0000842",
        "CD34+": "x",
    }
    form.save(opened, form.Submission(title="Mine", cell_types=said))
    assert opened.labels().terms == {
        "CD34+": "CL:0000037", "CD56+ NK": NK, "Dendritic": NONE_FITS,
    }  # fmt: skip
    again = form.draft(opened).cell_types
    assert again["a group"] == "CL:0000842"


def test_terms_said_before_the_log_kept_them_are_read(opened):
    opened.project.update_settings(submission={"title": "", "cell_types": {"CD34+": "CL:0000037"}})
    assert terms(opened, "CD34+") == {"CD34+": "CL:0000037 (close)"}
    form.save(opened, form.draft(opened))
    assert opened.labels().terms == {"CD34+": "CL:0000037"}
    type_terms.say(opened, {"CD34+": "CL:0000038"})
    assert terms(opened, "CD34+") == {"CD34+": "CL:0000038 (close)"}


def test_the_list_offers_terms_and_knows_what_was_decided(opened):
    made = {line.name: line for line in term_lines.lines(opened)}
    assert made["Dendritic"].how == term_lines.EXACT
    assert made["CD56+ NK"].how == term_lines.CLOSE and len(made["CD56+ NK"].offers) > 1
    exact = term_lines.exact_ones(tuple(made.values()))
    assert exact["Dendritic"] == DENDRITIC and "CD56+ NK" not in exact
    names = opened.labels().active
    type_terms.say(opened, exact)
    type_terms.say(opened, {"CD56+ NK": NK, "CD34+": NONE_FITS})
    assert opened.labels().active == names  # nothing is renamed
    made = {line.name: line for line in term_lines.lines(opened)}
    assert made["Dendritic"].how == term_lines.ACCEPTED
    assert made["CD56+ NK"].how == "accepted, close" and made["CD34+"].how == term_lines.NO_TERM
    assert not term_lines.exact_ones(tuple(made.values()))


def test_what_was_skipped_comes_again_after_the_others(opened):
    made = term_lines.lines(opened)
    first = term_lines.next_line(made, ())
    second = term_lines.next_line(made, (first.name,))
    assert first.name != second.name
    assert term_lines.next_line(made, [line.name for line in made]) == first
    assert term_lines.next_line((), ()) is None
