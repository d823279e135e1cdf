"""What a training run was begun with, as ``run.json`` holds it, which may be foreign."""

from dataclasses import dataclass, field, fields
from typing import Any, get_origin, get_type_hints

from scanvi_core.config import MOST_PROCESSES, ModelConfig, TrainConfig, asdict, check_bounds
from scanvi_core.errors import ProjectError, SettingInvalid
from scanvi_core.project.records import MOST_THREADS, FrozenSettings
from scanvi_core.type_tree import TypeTree, of_one
from scanvi_core.typed import Mistyped, taken

KEYS = {"processes": "together", "label_names": "label_order"}  # where the file says it otherwise


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
    pack
        Name of the pack whose model the run is, made for these genes; None: it is trained here.
    renamed
        What types of the run that teaches are called now, where that changed.
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
        The types, and what each code of the labels means: the types, then the broader ones.
    batch_names
        What the codes of the batches mean.
    parents, prior
        Of some types, the broader ones right above them, and their expected share.
    genes
        That the model reads.
    """

    model: ModelConfig
    train: TrainConfig
    warm_from: str | None = None
    taught_by: str | None = None
    map_from: str | None = None
    pack: str | None = None
    renamed: dict[str, str] = field(default_factory=dict)
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
    parents: dict[str, tuple[str, ...]] = field(default_factory=dict)
    prior: dict[str, float] = field(default_factory=dict)
    genes: tuple[str, ...]

    def __post_init__(self) -> None:
        check_bounds(self)

    @property
    def tree(self) -> TypeTree:
        """The types of the model, and what they stand under."""
        return TypeTree(self.label_names, self.parents)

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
        try:
            record = taken(plain, FrozenSettings, "run.json")
            values: dict[str, Any] = {
                item.name: record[KEYS.get(item.name, item.name)]
                for item in fields(cls)
                if KEYS.get(item.name, item.name) in record
            }
            values |= {
                "model": ModelConfig(**record["model"]),
                "train": TrainConfig(**record["train"]),
            }
            hints = get_type_hints(cls)
            for name in values:
                if get_origin(hints[name]) is tuple:
                    values[name] = tuple(values[name])
            values["parents"] = of_one(values.get("parents", {}))
            return cls(**values)
        except (Mistyped, KeyError, TypeError) as error:
            raise ProjectError(
                "The settings of a run cannot be read: something is missing or of another kind.",
                "Train again, or restore the project folder from a backup.",
            ) from error
        except SettingInvalid as error:
            raise ProjectError(
                f"The run has settings that cannot work: {error.message}", error.hint
            ) from error
