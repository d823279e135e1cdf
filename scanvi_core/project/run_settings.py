"""What a training run was begun with, as ``run.json`` holds it, which may be foreign."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from math import isfinite
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from scanvi_core.config import MOST_PROCESSES, ModelConfig, TrainConfig, asdict, check_bounds
from scanvi_core.errors import ProjectError, SettingInvalid
from scanvi_core.keys import as_now
from scanvi_core.typed import LARGEST

KEYS = {"processes": "together", "label_names": "label_order"}  # where the file says it otherwise
MOST_THREADS = 1_024


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """Everything a run's result depends on, beside the data set and the arrays of the run.

    Attributes
    ----------
    model, train
        How the network is built, and how it is trained.
    warm_from, taught_by, map_from
        Runs from whose weights training begins, whose predictions shape the soft labels of named
        groups, and from whose places the maps begin.
    processes
        How many train it outside the app; 0: the app trains it.
    store
        The collection of the same cells that they read, as they see it; None: the data set.
    seed, threads, device, versions
        What the machine adds.
    counts_sha256
        Of the counts.
    batch_key, labels_key, unlabeled_categories
        Columns of obs, and the values that mean "no label".
    labels_seq
        Number of the last label event that is in it.
    label_names, code_names
        The types, and what each code of the labels means: the types, then their groups.
    batch_names
        What the codes of the batches mean.
    groups, prior
        Of some types, their group and their expected share.
    genes
        That the model reads.
    """

    model: ModelConfig
    train: TrainConfig
    warm_from: str | None = None
    taught_by: str | None = None
    map_from: str | None = None
    processes: int = field(default=0, metadata={"low": 0, "high": MOST_PROCESSES})
    store: str | None = None
    seed: int
    threads: int = field(metadata={"low": 1, "high": MOST_THREADS})
    device: str
    versions: dict[str, str] = field(default_factory=dict)
    counts_sha256: str
    batch_key: str | None = None
    labels_key: str | None = None
    unlabeled_categories: tuple[str, ...] = ()
    labels_seq: int
    label_names: tuple[str, ...]
    code_names: tuple[str, ...]
    batch_names: tuple[str, ...]
    groups: dict[str, str] = field(default_factory=dict)
    prior: dict[str, float] = field(default_factory=dict)
    genes: tuple[str, ...]

    def __post_init__(self) -> None:
        check_bounds(self)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, under the names that ``run.json`` has for them."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        values |= {"model": asdict(self.model), "train": asdict(self.train)}
        return {
            KEYS.get(name, name): list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
        }

    @classmethod
    def from_dict(cls, plain: Any) -> "RunSettings":
        """Return the settings that `as_dict` wrote, also in another version of the program.

        Unknown names are left out; what may be missing has its default.

        Raises
        ------
        ProjectError
            If something is missing or cannot be what it stands for.
        """
        values = _known(cls, plain, "run.json")
        model, train = values.get("model"), values.get("train")
        values["model"] = _built(ModelConfig, _known(ModelConfig, model, "model"), "model")
        values["train"] = _built(TrainConfig, _known(TrainConfig, train, "train"), "train")
        return _built(cls, values, "run.json")


Settings = TypeVar("Settings", RunSettings, ModelConfig, TrainConfig)


def _known(kind: type[Settings], plain: Any, where: str) -> dict[str, Any]:
    """Return the values of the fields of a dataclass, by name."""
    if not isinstance(plain, Mapping):
        raise _damaged(where)
    plain = as_now(plain)
    names = {item.name: KEYS.get(item.name, item.name) for item in fields(kind)}
    return {name: plain[key] for name, key in names.items() if key in plain}


def _built(kind: type[Settings], values: dict[str, Any], where: str) -> Settings:
    """Return a dataclass of plain values, each of the type its field has."""
    hints = get_type_hints(kind)
    for item in fields(kind):
        if item.name not in values:
            if item.default is item.default_factory is MISSING:
                raise _damaged(f"{item.name} of {where}")
            continue
        if get_origin(hints[item.name]) is tuple and isinstance(values[item.name], list):
            values[item.name] = tuple(values[item.name])
        if not _fits(values[item.name], hints[item.name]):
            raise _damaged(f"{item.name} of {where}")
    try:
        return kind(**values)
    except SettingInvalid as error:
        raise ProjectError(
            f"The run has settings that cannot work: {error.message}", error.hint
        ) from error


def _fits(value: Any, hint: Any) -> bool:
    """Tell whether a value out of JSON is of a type that a setting may have."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is tuple:
        return isinstance(value, tuple) and set(map(type, value)) <= {parts[0]}
    if origin is dict:
        return isinstance(value, dict) and all(_fits(own, parts[1]) for own in value.values())
    if parts:  # one of several, such as a text or nothing
        return any(_fits(value, part) for part in parts)
    if hint is float:
        return type(value) in (int, float) and abs(value) <= LARGEST and isfinite(value)
    return type(value) is hint


def _damaged(what: str) -> ProjectError:
    return ProjectError(
        f"The settings of a run cannot be read: {what} is missing or of another kind.",
        "Train again, or restore the project folder from a backup.",
    )
