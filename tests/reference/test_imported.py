"""Models of scvi-tools, converted, against what scvi-tools 1.4.2 itself says with them.

benchmarks/reference/make_imported.py trained, saved and converted the examples.
"""

import importlib.util
import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from scanvi_core.errors import FileRefused, SettingInvalid
from scanvi_core.module.generation import normalized_expression
from scanvi_core.module.imported import imported_names, load_scvi_tools
from tests import ROOT

EXAMPLES = Path(__file__).parent / "imported"
SCRIPT = ROOT / "benchmarks" / "reference" / "convert_scvi_tools.py"


@pytest.mark.parametrize("name", ["batch", "latent", "norm"])
def test_converted_model_says_the_same(name):
    module = load_scvi_tools(EXAMPLES / name)
    expected = load_file(EXAMPLES / name / "expected.safetensors")
    x, batch = expected["x"].float(), expected["batch"].long()
    expression = normalized_expression(module, x, batch)
    with torch.no_grad():
        got = {
            "probabilities": module.classify(x),
            "latent": module.get_latents(x)[0],
            "expression": expression,
        }
    for of, value in got.items():
        torch.testing.assert_close(value, expected[of], rtol=0, atol=1e-6)
    # The example can tell right from wrong: the types are told apart.
    assert expected["probabilities"].argmax(1).unique().numel() == 3


def test_settings_and_names_come_along():
    module = load_scvi_tools(EXAMPLES / "latent")
    assert (module.n_input, module.n_batch, module.n_labels) == (12, 2, 3)
    assert not module.training
    assert module.parity
    assert not module.use_observed_lib_size
    names = imported_names(EXAMPLES / "latent")
    assert names.labels == ("A", "Z", "X")
    assert names.batches == ("one", "two")
    assert names.genes[:2] == ("gene0", "gene1")


@pytest.fixture
def copied(tmp_path):
    return Path(shutil.copytree(EXAMPLES / "batch", tmp_path / "model"))


def change(folder, **changes):
    record = json.loads((folder / "model.json").read_text()) | changes
    (folder / "model.json").write_text(json.dumps(record))


SETTINGS = json.loads((EXAMPLES / "batch" / "model.json").read_text())["settings"]


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 1},  # which had nothing to compare with
        {"settings": None},
        {"settings": SETTINGS | {"n_hidden": 9}},
        {"settings": SETTINGS | {"width": 9}},
        {"settings": SETTINGS | {"dispersion": "gene"}},
    ],
    ids=str,
)
def test_record_that_does_not_fit_is_refused(copied, changes):
    change(copied, **changes)
    with pytest.raises(FileRefused) as error:
        load_scvi_tools(copied)
    assert "convert_scvi_tools" in error.value.hint


def test_impossible_setting_is_named(copied):
    change(copied, settings=SETTINGS | {"dispersion": "cell"})
    with pytest.raises(SettingInvalid, match="dispersion"):
        load_scvi_tools(copied)


def test_damaged_or_missing_files_are_refused(copied):
    weights = copied / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(FileRefused):
        load_scvi_tools(copied)
    weights.unlink()
    with pytest.raises(FileRefused):
        load_scvi_tools(copied)
    change(copied, labels=None)
    with pytest.raises(FileRefused, match="genes and labels"):
        imported_names(copied)
    (copied / "model.json").write_text("[")
    with pytest.raises(FileRefused, match="cannot be read: Expecting"):
        imported_names(copied)


def test_a_model_that_says_something_else_here_is_refused(copied):
    """Some part that nobody thought of: here, other libraries for the decoder."""
    weights = load_file(copied / "model.safetensors")
    weights["decoder.px_scale_decoder.0.bias"] += torch.linspace(0, 0.01, 12)
    save_file(weights, copied / "model.safetensors")
    with pytest.raises(
        FileRefused, match="something else here than in scvi-tools: its expression"
    ):
        load_scvi_tools(copied)


@pytest.mark.parametrize("damage", ["missing", "of another model", "not numbers"])
def test_without_numbers_to_compare_a_model_is_refused(copied, damage):
    check = copied / "check.safetensors"
    if damage == "missing":
        check.unlink()
    elif damage == "of another model":
        shutil.copyfile(EXAMPLES / "norm" / "check.safetensors", check)
    else:
        stored = load_file(check)
        stored["latent"][0, 0] = torch.nan
        save_file(stored, check)
    with pytest.raises(FileRefused, match=r"something else here|does not tell what"):
        load_scvi_tools(copied)


@pytest.mark.parametrize(
    "setup", ["size_factor", "extra_categorical_covs", "extra_continuous_covs", "spatial"]
)
def test_converter_refuses_by_name_what_a_model_was_set_up_with(converter, setup):
    """A size factor, as scvi-tools 1.4.2 registers it, has a column and no state."""
    registry = json.loads((EXAMPLES / "size_factor.json").read_text())
    fields, asked = registry["field_registries"], registry["setup_args"]
    column = fields["size_factor"]
    if setup != "size_factor":
        fields["size_factor"] = {"data_registry": {}, "state_registry": {}}
        asked["size_factor_key"] = None
        converter.refuse_what_is_not_carried(registry)
        fields[setup] = column
    with pytest.raises(SystemExit, match=setup):
        converter.refuse_what_is_not_carried(registry)


def test_converter_refuses_what_only_the_call_of_the_set_up_tells(converter):
    registry = json.loads((EXAMPLES / "size_factor.json").read_text())
    registry["field_registries"]["size_factor"] = {"data_registry": {}}
    with pytest.raises(SystemExit, match="size_factor_key='depth'"):
        converter.refuse_what_is_not_carried(registry)


@pytest.fixture
def converter():
    spec = importlib.util.spec_from_file_location("convert_scvi_tools", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def saved(**options):
    return {
        "init_params_": {
            "non_kwargs": {"n_hidden": 8, "n_latent": 3, "datamodule": None},
            "kwargs": {"model_kwargs": options},
        }
    }


@pytest.mark.parametrize(
    "options",
    [
        {"encode_covariates": True},
        {"use_labels_groups": True},
        {"never_heard_of": 1},
        {"gene_likelihood": "poisson"},
        {"use_layer_norm": "both"},
    ],
    ids=str,
)
def test_converter_refuses_what_ours_cannot_do(converter, options):
    state = load_file(EXAMPLES / "batch" / "model.safetensors")
    with pytest.raises(SystemExit, match=f"(?i){'norms|likelihood|' + next(iter(options))}"):
        converter.our_settings(converter.given_settings(saved(**options)), state)


def test_converter_reads_sizes_off_the_weights_and_overrides_of_the_classifier(converter):
    state = load_file(EXAMPLES / "batch" / "model.safetensors")
    options = {
        "encode_covariates": False,
        "use_batch_norm": "none",
        "use_layer_norm": "both",
        "classifier_parameters": {"n_hidden": 5, "logits": True},
    }
    given = converter.given_settings(saved(**options))
    settings = converter.our_settings(given, state)
    assert settings["use_layer_norm"]
    assert settings["classifier_parameters"] == {"n_hidden": 5}
    assert (settings["n_input"], settings["n_batch"], settings["n_labels"]) == (12, 2, 3)
