"""Genes that could not be chosen in the usual way: who uses them reads so, wherever they look."""

from dataclasses import replace

import pytest

from scanvi_core.config import TrainConfig
from scanvi_core.data.genes import choose
from scanvi_core.errors import SettingInvalid
from scanvi_core.services.annotate.summary import summary_of
from scanvi_core.services.projects import data_report
from scanvi_core.services.report import model as report_model
from scanvi_core.services.runs import results
from scanvi_core.services.training import train_plan
from scanvi_core.services.workspace import workspace

N_TOP = 60


@pytest.fixture
def fails(monkeypatch):
    """Let ways to choose genes fail, as on data that have no fit."""
    run = choose.run_child

    def begin(*flavors):
        def asked(request):
            if request.get("flavor") in flavors:
                raise SettingInvalid("no fit")
            return run(request)

        monkeypatch.setattr(choose, "run_child", asked)

    return begin


@pytest.mark.parametrize(
    ("flavors", "words"),
    [
        (("seurat_v3",), "by their dispersion"),
        (("seurat_v3", "seurat"), "by the variance of their logarithmized counts"),
    ],
)
def test_it_is_told_on_check_data_and_train_by_annotate_and_in_the_report(
    labeled, fails, flavors, words, request_brief, train_now, tmp_path, monkeypatch
):
    opened = workspace(labeled)
    request = replace(request_brief, train=replace(request_brief.train, n_top_genes=N_TOP))
    monkeypatch.setattr(data_report, "TrainConfig", lambda: request.train)
    assert not [note for note in train_plan.plan(opened, request).notes if "genes" in note]
    fails(*flavors)
    run_id = train_now(labeled, request)
    said = [
        train_plan.plan(opened, request).notes,
        results.current(opened).summary["notes"],
        data_report.report(opened).warnings,
        summary_of(opened, run_id, tmp_path / "x.h5ad", [])["warnings"],
        [str(part) for part in report_model.model(opened).parts],
    ]
    for place in said:
        assert [line for line in place if "Variable genes were chosen" in line and words in line]


def test_genes_chosen_as_usual_are_not_spoken_of(labeled, request_brief, train_now):
    opened = workspace(labeled)
    request = replace(request_brief, train=replace(request_brief.train, n_top_genes=N_TOP))
    train_now(labeled, request)
    folder = opened.dataset.folder
    assert list(folder.glob("variable_genes_*.npy"))
    assert not list(folder.glob("variable_genes_*.txt"))
    assert not [note for note in results.current(opened).summary["notes"] if "Variable" in note]
    assert TrainConfig().n_top_genes != N_TOP
