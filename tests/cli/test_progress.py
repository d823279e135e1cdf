"""How far a command is: one bar that never goes back, or a line a minute."""

import io
import re
import time
from types import SimpleNamespace

import pytest

from scanvi_core import cli
from scanvi_core.cli import output
from scanvi_core.config import ModelConfig, TrainConfig
from scanvi_core.project.folder import create_project
from scanvi_core.services.annotate import progress as parts
from scanvi_core.services.annotate.command import annotate
from scanvi_core.services.annotate.request import AnnotateRequest
from scanvi_core.services.foreground import ForegroundJob
from scanvi_core.services.labels import edit
from scanvi_core.services.projects.open_file import import_into
from scanvi_core.services.runs.frozen_run import Outside
from scanvi_core.services.runs.train_request import TrainRequest
from scanvi_core.services.training import in_process, worker


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def seen(cells, tmp_path, flat_map):
    """What a whole annotation tells of how far it is."""
    cells.write_h5ad(tmp_path / "in.h5ad")
    told = []
    request = AnnotateRequest(
        (tmp_path / "in.h5ad",), tmp_path / "out.h5ad", "cell_type",
        training=TrainRequest(train=TrainConfig(max_epochs=2)),
    )  # fmt: skip
    annotate(request, lambda *what: told.append(what))
    return told


def test_one_bar_over_all_parts_never_goes_back(seen):
    fractions = [fraction for fraction, _ in seen]
    assert fractions == sorted(fractions)
    assert fractions[0] == 0 and fractions[-1] > 0.95
    words = " ".join(message for _, message in seen)
    order = ["Reading the file", "Choosing genes", "Training, epoch", "Predicting", "Drawing",
             "Judging", "Copying your file"]  # fmt: skip
    assert [words.index(one) for one in order] == sorted(words.index(one) for one in order)
    assert len({round(fraction, 2) for fraction in fractions}) > 10


def clock(now):
    """What a module takes for `time`; that of others stays, whose event loops would wait on it."""
    return SimpleNamespace(monotonic=lambda: now[0], strftime=time.strftime)


def test_the_time_left_is_of_everything_and_goes_by_how_it_goes(monkeypatch):
    now, told = [100.0], []
    monkeypatch.setattr(parts, "time", clock(now))
    bar = parts.Progress(lambda *what: told.append(what))
    bar.plan({parts.TRAINING: 50.0, parts.DOUBTS: 50.0})
    now[0] += 50.0  # twice as long as planned
    bar.within((parts.TRAINING, 1.0))(0.5, "Training")
    assert told[-1][1] == "Training, about 2 min left"
    bar.within((parts.TRAINING, 1.0))(0.2, "Training")
    assert told[-1][0] == told[-2][0]


def test_doublets_and_maps_are_planned_for_as_many_cells_as_get_them():
    limits = {parts.MAPS: 1_000, parts.DOUBTS: 1_000}
    below, above = (parts.planned(n, limits, 9.0, 1) for n in (1_000, 1_001))
    assert above[parts.MAPS] == below[parts.MAPS] and above[parts.TRAINING] == 9.0
    assert below[parts.DOUBTS] - above[parts.DOUBTS] > 0.3
    assert above[parts.GENES] > below[parts.GENES]


def test_a_bar_on_a_terminal_does_not_go_back(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    bar = output.Bar()
    bar.report(0.5, "a")
    bar.report(0.2, "b")
    assert re.findall(r"(\d+)%", screen.getvalue()) == ["50", "50"]
    bar.end()
    bar.report(0.1, "the next command")
    assert "10%" in screen.getvalue()


def test_without_a_terminal_there_is_a_line_a_minute(monkeypatch, capsys):
    now = [-900.0]
    monkeypatch.setattr(output, "time", clock(now))
    bar = output.Bar()  # made when it is imported, long before the work begins
    for second in range(0, 150, 10):
        now[0] = float(second)
        bar.report(second / 150, f"at {second}")
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("at ")[1] for line in lines] == ["60", "120"]


def test_a_prepared_run_says_how_far_it_is(prepared_run, monkeypatch):
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setattr(worker, "ASKED_TO_END", ())  # the signals of these tests stay as they are
    assert cli.main(["train", str(prepared_run)]) == 0
    shown = screen.getvalue()
    assert "Training, epoch 2 of 2" in shown and "Predicting all cells" in shown
    percents = [int(text) for text in re.findall(r"(\d+)%", shown)]
    assert percents == sorted(percents) and percents[-1] > 80


@pytest.fixture
def prepared_run(cells, tmp_path, flat_map, monkeypatch):
    """The folder of a run that is prepared for other processes."""
    monkeypatch.setenv("SCANVI_HOME", str(tmp_path))
    cells.write_h5ad(tmp_path / "in.h5ad")
    opened = import_into(create_project("cells"), tmp_path / "in.h5ad")
    edit.use_column(opened, "cell_type", set())
    request = TrainRequest(ModelConfig(use_layer_norm=True), TrainConfig(max_epochs=2))
    job = ForegroundJob(opened.id, lambda *_: None)
    return in_process.begin(opened, request, job, Outside(processes=1)).root
