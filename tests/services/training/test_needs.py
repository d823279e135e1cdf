"""What a cluster's queue is asked for grows with the cells, and is more than what it takes."""

from scanvi_core.config import ModelConfig, TrainConfig
from scanvi_core.services.runs.train_request import TrainRequest
from scanvi_core.services.training import estimate
from scanvi_core.services.training.needs import LEAST_S, needs
from scanvi_core.services.workspace import workspace

REQUEST = TrainRequest(ModelConfig(), TrainConfig(preset="thorough"))


def test_little_asks_for_the_least(labeled):
    asked = needs(workspace(labeled), REQUEST, 2)
    assert asked.minutes * 60 == LEAST_S and asked.time == "00:30:00"
    assert asked.memory_gb == 6


def test_what_was_measured_here_counts(labeled, monkeypatch):
    slow = estimate.Pace(step_s=10.0, waiting=1.0)
    monkeypatch.setattr(estimate, "known", lambda *_: slow)
    opened = workspace(labeled)
    steps = REQUEST.train.n_steps(opened.dataset.n_obs)
    assert needs(opened, REQUEST, 2).minutes * 60 > 2 * steps * 10.0
