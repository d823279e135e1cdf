"""The frozen settings of a run: read as written, tolerant of versions, strict about types."""

import json

import pytest

from scanvi_core.config import ModelConfig, TrainConfig
from scanvi_core.errors import ProjectError
from scanvi_core.project.run_settings import RunSettings
from tests.project.run_settings import settings

FULL = settings(
    warm_from="0001", taught_by="0001", map_from="0002", processes=2, store="/data/cells.zarr",
    batch_key="donor",
    versions={"torch": "2.10"}, unlabeled_categories=("nan",), parents={"B": ("lymphoid",)},
    prior={"T": 0.25},
)  # fmt: skip
OPTIONAL = (
    "warm_from", "taught_by", "map_from", "together", "store", "versions", "batch_key",
    "labels_key", "unlabeled_categories", "parents", "prior", "pack", "renamed",
)  # fmt: skip


def plain(own: RunSettings = FULL) -> dict:
    """Return what the file would hold."""
    return json.loads(json.dumps(own.as_dict()))


def test_settings_come_back_from_the_file_as_they_were():
    assert RunSettings.from_dict(plain()) == FULL


def test_the_file_keeps_the_names_it_always_had():
    assert list(plain()) == [
        "model", "train", "warm_from", "taught_by", "map_from", "pack", "renamed", "together",
        "store", "seed", "threads", "device", "versions", "counts_sha256", "batch_key",
        "labels_key", "unlabeled_categories",
        "labels_seq", "label_order", "code_names", "batch_names", "parents", "prior", "genes",
    ]  # fmt: skip


def test_files_of_other_versions_are_read():
    other = plain()
    for name in OPTIONAL:
        del other[name]
    other["model"] = {"n_latent": 10, "not_yet_known": 1}
    other |= {"not_yet_known": [1]}
    read = RunSettings.from_dict(other)
    assert read == settings(model=ModelConfig(n_latent=10))
    assert (read.processes, read.store, read.batch_key) == (0, None, None)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({name: value}, id=f"{name}-{type(value).__name__}")
        for name, value in (
            ("model", None), ("model", []), ("model", {"n_latent": "20"}),
            ("model", {"n_latent": 20.5}), ("model", {"n_latent": 10**9}),
            ("model", {"use_layer_norm": 1}), ("train", {"learning_rate": float("nan")}),
            ("train", {"device": "tpu"}), ("threads", 0), ("threads", True), ("together", 10**6),
            ("together", None), ("warm_from", 1), ("genes", "CD19"), ("genes", [1]),
            ("genes", None), ("label_order", {"B": 1}), ("parents", {"B": 1}),
            ("prior", {"T": "much"}), ("labels_seq", "1"), ("batch_key", ["donor"]),
        )
    ],
)  # fmt: skip
def test_what_cannot_be_settings_is_refused_in_a_sentence(change):
    with pytest.raises(ProjectError) as told:
        RunSettings.from_dict(plain() | change)
    assert "settings" in told.value.message


@pytest.mark.parametrize("name", [name for name in plain() if name not in OPTIONAL])
def test_what_a_run_cannot_do_without_is_missed(name):
    other = plain()
    del other[name]
    with pytest.raises(ProjectError, match="missing or of another kind"):
        RunSettings.from_dict(other)


@pytest.mark.parametrize("odd", [None, [], "text", 7])
def test_no_settings_at_all_are_refused(odd):
    with pytest.raises(ProjectError):
        RunSettings.from_dict(odd)


def test_the_training_settings_are_read_whole():
    own = settings(train=TrainConfig(max_epochs=3, weight_decay=0, device="cpu"))
    assert RunSettings.from_dict(plain(own)).train == own.train
