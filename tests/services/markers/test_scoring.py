"""From no labels to first names by marker genes: scored, kept, offered, and never a label."""

from dataclasses import replace

import numpy as np
import pytest

from scanvi_core.errors import InputError
from scanvi_core.project import opinions
from scanvi_core.services import jobs
from scanvi_core.services.explore import colors
from scanvi_core.services.labels import edit
from scanvi_core.services.markers import levels, scoring, tables
from scanvi_core.services.opinions import names
from scanvi_core.services.review import answers, first_cards, queue
from scanvi_core.services.workspace import workspace

B = "B cell"
TRUE_B = "CD19+ B"


@pytest.fixture
def opened(project):
    return workspace(project)


def asked(table):
    return scoring.Question(table.name, table.readings[0].types, table.about)


def scored(opened, table):
    question = asked(table)
    assert jobs.wait(scoring.start(opened, question), 120).error is None
    return question


@pytest.fixture
def question(opened):
    return scored(opened, tables.built_in("blood", tables.HUMAN))


def test_what_markers_say_is_mostly_right_and_no_label(opened, question):
    found = scoring.answer(opened, question)
    truth = opened.dataset.column("expert_label").astype(str).to_numpy()
    said = found.labels == found.label_names.index(B)
    assert (truth[said] == TRUE_B).mean() > 0.8 and said[truth == TRUE_B].mean() > 0.5
    assert np.isnan(found.scores[found.labels < 0]).all()
    assert (found.scores[found.labels >= 0] >= 0.5).all()
    assert not opened.labels().seq and not opinions.listed(opened.project)
    summary = scoring.summary(found).set_index("type")
    assert summary.loc[B, "cells"] == said.sum() and 0.5 <= summary.loc[B, "strength"] <= 1


def test_an_opinion_in_use_is_offered_for_a_card_and_its_part_with_one_key(opened, question):
    kept = scoring.use(opened, question)
    assert edit.is_by_hand(opened) and not (opened.labels().codes >= 0).any()
    item = next(i for i in queue.queue(opened) if i.candidates and i.candidates[0].name == B)
    assert item.candidates[0].whose == kept.name and 0.5 <= item.candidates[0].probability <= 1
    assert queue.card(opened, item.token) is item
    rows = first_cards.of_the_part(opened, item.rows, B)
    assert set(item.rows) < set(rows)
    answers.choose_part(opened, item, rows, opened.labels().seq)
    state = opened.labels()
    assert {state.names[code] for code in state.codes[rows]} == {B}
    assert np.flatnonzero(state.codes >= 0).tolist() == rows.tolist()
    assert queue.review_state(opened).is_decided(item)
    truth = opened.dataset.column("expert_label").astype(str).to_numpy()
    assert (truth[rows] == TRUE_B).mean() > 0.8
    answers.choose_part(opened, item, rows)  # the key pressed twice
    assert opened.labels().seq == state.seq


def test_cells_that_have_a_name_keep_it(opened, question):
    scoring.use(opened, question)
    item = next(i for i in queue.queue(opened) if i.candidates and i.candidates[0].name == B)
    rows = first_cards.of_the_part(opened, item.rows, B)
    other = np.setdiff1d(rows, item.rows)[:1]
    edit.name_cells(opened, other, "Mine", "lasso")
    assert set(rows) - set(first_cards.of_the_part(opened, item.rows, B)) == set(other)


def test_the_markers_an_offer_rests_on_are_higher_in_its_cells(opened, question):
    scoring.use(opened, question)
    item = next(i for i in queue.queue(opened) if i.candidates and i.candidates[0].name == B)
    table = levels.of_type(opened, item.rows, B).set_index("gene")
    assert table.loc["CD79A", "these cells"] > table.loc["CD79A", "all others"] + 1
    whole = opened.dataset.gene_at(int(np.flatnonzero(opened.dataset.symbols == "CD79A")[0]))
    np.testing.assert_allclose(
        table.loc["CD79A", "these cells"], whole[item.rows].mean(), rtol=1e-5
    )
    assert levels.of_type(opened, item.rows, "no such type").empty


def test_the_same_table_again_takes_the_place_of_the_first(opened, question):
    first, second = scoring.use(opened, question), scoring.use(opened, question)
    assert [one.id for one in scoring.in_use(opened)] == [second.id] != [first.id]
    assert any(item.candidates for item in queue.queue(opened))
    names.remove(opened, second)
    assert not scoring.in_use(opened)
    assert not any(item.candidates for item in queue.queue(opened))


def test_labels_that_are_there_stay_when_an_opinion_is_used(opened, question):
    edit.use_column(opened, "cell_type", set())
    before = opened.labels()
    scoring.use(opened, question)
    assert opened.labels().seq == before.seq


def test_a_table_without_genes_here_is_refused_in_words(opened):
    table = tables.from_text(opened, "A: ENSG00000000003, ENSG00000000005\n")
    with pytest.raises(InputError, match="two of the marker genes"):
        scoring.start(opened, asked(table))
    with pytest.raises(InputError, match="Score them first"):
        scoring.use(opened, asked(table))


def test_a_kept_opinion_colors_maps(opened, question):
    kept = scoring.use(opened, question)
    what = colors.OPINION + kept.name
    assert what in colors.color_options(opened)
    coloring = colors.coloring(opened, what)
    assert (coloring.codes == kept.labels).all() and coloring.names == kept.label_names
    names.remove(opened, kept)
    assert what not in colors.color_options(opened)


@pytest.mark.parametrize("genes", [None, "{", "[1]", '{"B cell": 3}'])
def test_an_opinion_whose_markers_are_not_what_was_written_is_offered_without_them(
    opened, question, genes
):
    found = scoring.answer(opened, question)
    about = {"table": "x"} | ({} if genes is None else {scoring.GENES: genes})
    opinions.keep(opened.project, replace(found, about=about))
    item = next(i for i in queue.queue(opened) if i.candidates and i.candidates[0].name == B)
    assert levels.of_type(opened, item.rows, B).empty
