"""Opinions kept in a project: what was said comes back, and is refused where it was damaged."""

import numpy as np
import pytest

from scanvi_core.errors import DataDamaged, InputError, SettingInvalid
from scanvi_core.project import opinions
from scanvi_core.project.folder import create_project
from scanvi_core.project.foreign.opinions import take_in
from scanvi_core.project.opinions import Opinion


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setenv("SCANVI_HOME", str(tmp_path))
    return create_project("PBMC")


def _opinion(name="CellTypist (predicted_labels)", own=("B cells", "T cells"), meant="B"):
    labels = np.array([0, 1, -1, 1], np.int32)
    scores = np.array([0.9, np.nan, np.nan, 0.4], np.float32)
    return Opinion(name, tuple(own), labels, scores, "column", {own[0]: meant}, {"column": "x"})


def test_an_opinion_is_found_again_as_it_was_kept(project):
    kept = opinions.keep(project, _opinion())
    (found,) = opinions.listed(project)
    assert found.id == kept.id and found.name == "CellTypist (predicted_labels)"
    np.testing.assert_array_equal(found.labels, [0, 1, -1, 1])
    np.testing.assert_array_equal(found.scores, _opinion().scores)
    assert found.names == {"B cells": "B"}


def test_names_are_mapped_and_mapped_no_more(project):
    kept = opinions.keep(project, _opinion())
    opinions.set_names(project, kept.id, {"T cells": " CD4 T ", "B cells": ""})
    assert opinions.read(project, kept.id).names == {"T cells": "CD4 T"}
    with pytest.raises(InputError, match="does not say 'NK'"):
        opinions.set_names(project, kept.id, {"NK": "NK"})


@pytest.mark.parametrize(
    ("meant", "label"),
    [("Dendritic  cell", "Dendritic cell"), ("CD4²", "CD42"), ("Pre\u0301-B", "Pr\xe9-B")],
)
def test_meant_types_are_spelled_as_labels_and_taken_in_elsewhere(project, meant, label):
    kept = opinions.keep(project, _opinion(meant=meant))
    assert kept.names == {"B cells": label} and kept.label_names[0] == "B cells"
    take_in(project, 4)


@pytest.mark.parametrize(("own", "said"), [(" ", "empty name"), ("Plasma " * 40, "Plasma Plasma")])
def test_own_names_that_are_none_are_refused_and_nothing_is_written(project, own, said):
    with pytest.raises(SettingInvalid, match=said):
        opinions.keep(project, _opinion(own=(own, "T cells")))
    assert not project.opinions.exists() or not list(project.opinions.iterdir())


def test_one_that_was_removed_is_gone_and_others_stay(project):
    first, second = (opinions.keep(project, _opinion(name)) for name in ("a", "b"))
    opinions.remove(project, first.id)
    assert [one.id for one in opinions.listed(project)] == [second.id]
    with pytest.raises(InputError, match="There is no opinion"):
        opinions.remove(project, first.id)
    with pytest.raises(InputError, match="There is no opinion"):
        opinions.read(project, "../runs")


def test_a_code_without_a_name_is_damage(project):
    kept = opinions.keep(project, _opinion())
    np.save(project.opinions / kept.id / "labels.npy", np.array([0, 1, 2, 1], np.int32))
    with pytest.raises(DataDamaged, match="more than 1"):
        opinions.read(project, kept.id)


def test_opinions_stay_in_the_order_in_which_they_were_kept(project):
    names = [f"tool {i}" for i in range(8)]
    for name in names:
        opinions.keep(project, _opinion(name))
    assert [one.name for one in opinions.listed(project)] == names


@pytest.mark.parametrize("damage", ["labels.npy", "scores.npy", opinions.RECORD])
def test_a_damaged_one_hides_no_other(project, damage):
    bad, good = (opinions.keep(project, _opinion(name)) for name in ("bad", "good"))
    (project.opinions / bad.id / damage).write_bytes(b"{")
    assert [one.id for one in opinions.listed(project)] == [good.id]
