import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from scanvi_core.config import TrainConfig
from scanvi_core.errors import LabelsUnusable, TrainingError
from scanvi_core.train import loop
from scanvi_core.train.history import Hooks
from scanvi_core.train.step import library_priors
from scanvi_core.train.training import Training

CONFIG = TrainConfig(batch_size=32, labeled_batch_size=16, device="cpu")


def weights(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def same(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


def test_training_lowers_the_loss_and_learns_the_labels(data, make_module):
    module = make_module()
    history = loop.fit(module, data, CONFIG, n_steps=120, hooks=Hooks())
    first, last = history.records[0], history.records[-1]
    assert last.reconstruction < first.reconstruction
    assert last.train_accuracy > 0.95
    assert not module.training


def test_one_record_closes_every_pass(data, make_module):
    history = loop.fit(make_module(), data, CONFIG, n_steps=120, hooks=Hooks())
    assert [r.step for r in history.records[:3]] == [4, 8, 12]  # 129 cells: 32, 32, 32, 33
    assert [r.epoch for r in history.records[:3]] == [1, 2, 3]
    assert history.records[-1].step == 120 and history.records[-1].n_epochs == 30


def test_long_passes_are_recorded_twenty_times_per_run(data, make_module):
    history = loop.fit(
        make_module(), data, replace(CONFIG, batch_size=8), n_steps=40, hooks=Hooks()
    )
    assert [r.step for r in history.records] == list(range(2, 41, 2))


def test_the_seed_decides_the_result_and_the_global_generator_does_not(data, make_module):
    results = []
    for seed, noise in ((0, 1), (0, 2), (1, 1)):
        torch.manual_seed(noise)
        module = make_module()
        loop.fit(module, data, replace(CONFIG, seed=seed), n_steps=6, hooks=Hooks())
        results.append(weights(module))
    assert same(results[0], results[1])
    assert not same(results[0], results[2])


def test_a_stop_takes_effect_at_the_next_minibatch_and_keeps_the_model(data, make_module):
    asked, module = [], make_module()

    def stop():
        asked.append(1)
        return len(asked) == 7

    history = loop.fit(module, data, CONFIG, n_steps=100, hooks=Hooks(should_stop=stop))
    assert history.stopped and history.records[-1].step == 7 == history.kept_step
    assert not module.training


def test_labels_of_validation_cells_are_never_trained_on(data, make_module):
    labeled = np.flatnonzero(data.y >= 0)
    watched = np.zeros(len(data.y), bool)
    watched[labeled[:20]] = True
    wrong = np.where(watched, (data.y + 1) % 3, data.y)
    results = []
    for y in (data.y, wrong):
        module, held = make_module(), replace(data, y=y, validation=watched)
        run = Training(module, held, CONFIG, 8)
        while not run.finished:
            run.train_until_record(lambda: False)
        results.append(weights(module))
    assert same(*results)


def test_the_best_validation_record_of_the_last_fifth_is_kept(data, make_module, monkeypatch):
    early, late = [(0.99, 0.1)] * 7, [(0.8, 0.5), (0.8, 0.4), (0.7, 0.1)]
    scores = iter(early + late)
    monkeypatch.setattr(Training, "_validate", lambda _: next(scores))
    module, seen = make_module(), {}
    hooks = Hooks(on_epoch=lambda record: seen.update({record.step: weights(module)}))
    config = replace(CONFIG, batch_size=128)  # one step per pass
    history = loop.fit(module, data, config, n_steps=10, hooks=hooks)
    assert history.kept_step == 9
    assert same(weights(module), seen[9])


def test_without_validation_the_last_weights_are_kept(data, make_module):
    history = loop.fit(make_module(), data, CONFIG, n_steps=10, hooks=Hooks())
    assert history.kept_step == 10
    assert history.records[-1].validation_accuracy is None


def test_a_loss_that_is_no_number_from_the_start_says_why(data, make_module):
    module = make_module()
    with torch.no_grad():
        module.z_encoder.mean_encoder.bias.fill_(math.nan)
    with pytest.raises(TrainingError, match="learning rate"):
        loop.fit(module, data, CONFIG, n_steps=10, hooks=Hooks())


def test_a_loss_that_becomes_nan_goes_back_to_the_last_good_weights(data, make_module):
    module, kept = make_module(), {}

    def spoil(record):
        if record.step == 8:
            kept.update(weights(module))
            with torch.no_grad():
                module.z_encoder.mean_encoder.bias.fill_(math.nan)

    history = loop.fit(module, data, CONFIG, n_steps=40, hooks=Hooks(on_epoch=spoil))
    assert history.kept_step == 8 and same(weights(module), kept)
    assert "step 10" in history.notes[0]


def test_no_labeled_cell_is_refused(data, make_module):
    with pytest.raises(LabelsUnusable):
        loop.fit(
            make_module(), replace(data, y=np.full(129, -1)), CONFIG, n_steps=2, hooks=Hooks()
        )


def test_the_preview_gets_the_network_in_eval_mode_and_training_goes_on(
    data, make_module, monkeypatch
):
    monkeypatch.setattr(loop, "PREVIEW_FIRST_S", 0.0)
    monkeypatch.setattr(loop, "PREVIEW_EVERY_S", 0.0)
    modes = []
    hooks = Hooks(on_preview=lambda module: modes.append(module.training))
    history = loop.fit(make_module(), data, CONFIG, n_steps=12, hooks=hooks)
    assert modes and not any(modes)
    assert history.records[-1].step == 12


def test_a_latent_library_gets_the_priors_of_its_batches(data, make_module):
    logs = np.log(data.counts.toarray().sum(1))
    mean, var = library_priors(data).numpy()
    for batch in (0, 1):
        own = logs[data.batch_index == batch]
        assert mean[batch] == pytest.approx(own.mean()) and var[batch] == pytest.approx(own.var())
    module = make_module(use_observed_lib_size=False)
    history = loop.fit(module, data, CONFIG, n_steps=4, hooks=Hooks())
    assert math.isfinite(history.records[-1].loss)


def test_cells_known_only_by_group_are_trained_on_and_not_counted_as_right(data, make_module):
    module = make_module(labels_groups=[0, 0, 1])
    y = np.where(data.y == 0, 3, data.y)
    history = loop.fit(module, replace(data, y=y), CONFIG, n_steps=120, hooks=Hooks())
    x = torch.from_numpy(data.counts[data.y == 0].toarray())
    with torch.no_grad():
        group = module.classify(x)[:, :2].sum(1)
    assert float(group.mean()) > 0.8
    assert 0 <= history.records[-1].train_accuracy <= 1


@pytest.mark.parametrize(("n_steps", "trust"), [(20, 1.0), (600, 0.5)])
def test_a_longer_run_trusts_its_teacher_less(data, make_module, n_steps, trust):
    run = Training(make_module(), data, CONFIG, n_steps, lambda alone: alone)
    run.learn_from(np.full((len(data.y), data.n_labels), 1 / data.n_labels, np.float32))
    assert run.stepper.trust == trust
