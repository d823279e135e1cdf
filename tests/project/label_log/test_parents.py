import pytest

from scanvi_core.errors import SettingInvalid
from scanvi_core.project.label_log import events


def test_what_is_below_a_label_follows_its_rename_merge_and_end(filled):
    above = {"B": ("lymphocyte",), "T": ("lymphocyte", "killer"), "lymphocyte": ("leukocyte",)}
    filled.append(events.parents(above))
    before = filled.labels().parents
    assert before == above and "lymphocyte" in filled.labels().active  # it stands under another
    filled.append(events.rename("lymphocyte", "LY"))
    assert filled.labels().parents["T"] == ("LY", "killer")
    filled.append(events.delete("LY"))
    assert filled.labels().parents == {"B": ("leukocyte",), "T": ("leukocyte", "killer")}
    filled.undo()
    filled.append(events.merge("LY", into="B"))
    assert filled.labels().parents == {"T": ("B", "killer")}
    for _ in range(2):
        filled.undo()
    assert filled.labels().parents == before


def test_a_label_that_would_stand_under_itself_is_refused(filled):
    with pytest.raises(SettingInvalid, match="is part of"):
        filled.append(events.parents({"B": ("T",), "T": ("B",)}))
    filled.append(events.parents({"T": ("lymphoid",)}))
    filled.append(events.rename("T", "lymphoid"))
    assert filled.labels().parents == {}
