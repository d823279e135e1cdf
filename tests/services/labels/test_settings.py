"""A setting that matches nothing is an error that names what there is."""

import numpy as np
import pandas as pd
import pytest

from scanvi_core.errors import SettingInvalid
from scanvi_core.services.annotate.command import check_asked
from scanvi_core.services.labels import edit
from scanvi_core.services.workspace import workspace

WHOLE = np.array([-1, 0, 1, 1])


@pytest.mark.parametrize(
    "column",
    [
        WHOLE, WHOLE.astype(float), WHOLE.astype(np.int8), pd.array(WHOLE, dtype="Int64"),
        pd.Categorical(WHOLE), pd.Categorical(WHOLE.astype(float)),
    ],
    ids=["int", "float", "small", "nullable", "category", "category of floats"],
)  # fmt: skip
def test_whole_numbers_have_one_name_whatever_their_type(column):
    assert edit.as_labels(pd.Series(column)).tolist() == ["-1", "0", "1", "1"]


def test_missing_numbers_stay_missing_and_measurements_stay_as_they_are():
    assert edit.as_labels(pd.Series([0.0, np.nan])).isna().tolist() == [False, True]
    assert edit.as_labels(pd.Series([0.5, 1.0])).tolist() == ["0.5", "1.0"]


def test_a_value_that_no_cell_has_is_refused_with_those_there_are(project):
    with pytest.raises(SettingInvalid, match="No cell has the value 'To be annotated'") as error:
        edit.use_column(workspace(project), "cell_type", {"To be annotated"})
    assert "Its values are: '" in error.value.hint


def test_a_parent_of_a_type_that_is_not_there_is_refused(labeled):
    with pytest.raises(SettingInvalid, match="There is no type Nobody"):
        edit.set_parents(workspace(labeled), {"Nobody": ("T",)})
    with pytest.raises(SettingInvalid, match="There is no type Nobody"):
        edit.set_prior(workspace(labeled), {"Nobody": 0.5})


def test_an_answer_to_no_question_is_refused():
    check_asked(["genome"], {"genome": "hg19"})
    with pytest.raises(SettingInvalid, match="Nothing is asked about sample"):
        check_asked(["genome"], {"sample": "a"})
