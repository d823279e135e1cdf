"""What the JSON files of a project may hold, by their keys, and its arrays, by their names."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NotRequired, TypedDict

from scanvi_core.arrays import Kind
from scanvi_core.config import MOST_PROCESSES, ModelConfig, TrainConfig
from scanvi_core.typed import between, is_date, matches

MOST_THREADS = 1_024
MOST_CLUSTERS = 10_000
ONE = 1.001  # the largest share, as it was rounded

Name = Annotated[str, matches(r"(?s).{1,200}")]
Date = Annotated[str, is_date]
ProjectId = Annotated[str, matches("[A-Za-z0-9][A-Za-z0-9_-]{15}")]
RunId = Annotated[str, matches("[0-9]{4,9}")]
OpinionId = Annotated[str, matches("[0-9a-f]{8}")]
OpinionSource = Literal["column", "markers"]
Count = Annotated[int, between(0, 2**53)]
Temperature = Annotated[float, between(1e-3, 1e3)]
Share = Annotated[float, between(0, 1e300)]  # of no matter what sum; no NaN


class Holdout(TypedDict):
    """How the labels set aside were chosen last."""

    how: str
    column: str
    values: list[str]


class Limit(TypedDict):
    """A limit of one number for all batches, and those of single batches."""

    every: float | None
    own: dict[str, float]


class Quality(TypedDict):
    """What was chosen about poor cells."""

    batch_key: str | None
    limits: dict[str, Limit]
    leave_out: bool


class Option(TypedDict):
    """One answer to a question about a file."""

    value: str
    label: str
    detail: NotRequired[str]


class Question(TypedDict):
    """A question about a file that waits for its answer, and where the file lies."""

    key: str
    text: str
    options: list[Option]
    guess: NotRequired[str | None]
    why: NotRequired[str]
    preview: NotRequired[list[list[str]]]
    path: str


class PartFile(TypedDict):
    """One of several files that are to be joined."""

    name: Name
    path: str
    reference: bool


class PartFiles(TypedDict):
    """The files that are to be joined, in their order."""

    files: list[PartFile]


class Submission(TypedDict, total=False):
    """What was said about the data for CELLxGENE."""

    title: str
    organism: str
    kind: str
    primary: bool
    columns: dict[str, str]
    chosen: dict[str, dict[str, str]]
    cell_types: dict[str, str]


class Cap(TypedDict, total=False):
    """What was said about the data for the Cell Annotation Platform."""

    title: str
    description: str
    types: dict[str, dict[str, str]]


class Settings(TypedDict, total=False):
    """The settings of a project that this program writes; there may be others."""

    name: Name
    created: Date
    archived: bool
    batch_key: str | None
    labels_key: str | None
    unlabeled: list[str]
    told_apart: list[list[str]]
    holdout: Holdout
    quality: Quality | None
    submission: Submission
    cap: Cap
    current_run: RunId | None
    kept_run: RunId | None
    offered_run: RunId | None
    awaited: RunId | None
    pack_run: RunId | None
    question: Question | None
    answers: dict[str, str]
    added_to: ProjectId | None
    steps_brought: Count


class Shown(TypedDict):
    """What a list of projects shows of each."""

    name: Name
    created: Date


class FrozenSettings(TypedDict, total=False):
    """What a run was begun with."""

    model: ModelConfig
    train: TrainConfig
    warm_from: RunId | None
    taught_by: RunId | None
    map_from: RunId | None
    pack: str | None
    renamed: dict[str, str]
    together: Annotated[int, between(0, MOST_PROCESSES)]
    store: str | None
    seed: Annotated[int, between(0, 2**63 - 1)]
    threads: Annotated[int, between(1, MOST_THREADS)]
    device: str
    versions: dict[str, str]
    counts_sha256: str
    batch_key: str | None
    labels_key: str | None
    unlabeled_categories: list[str]
    labels_seq: Count
    label_order: list[str]
    code_names: list[str]
    batch_names: list[str]
    parents: dict[str, list[str]]
    prior: dict[str, Share]
    genes: list[str]


class RunRecord(TypedDict):
    """``run.json``: `FrozenSettings` and when they were frozen."""

    format: Literal[1]
    id: RunId
    created: Date
    settings: FrozenSettings


class Status(TypedDict):
    """``status``: where a run stands."""

    status: Literal["queued", "waiting", "running", "done", "failed", "stopped", "interrupted"]
    message: NotRequired[str]
    time: NotRequired[Date | Literal[""]]
    process: NotRequired[str]


class Scores(TypedDict):
    """The scores on the labels that were set aside."""

    n: Count
    accuracy: float
    macro_f1: float
    ece: float


class Summary(TypedDict, total=False):
    """``summary.json``: how a run went."""

    number: Count
    warm: bool
    n_genes: Count
    n_cells: Count
    n_labeled: Count
    n_batches: Count
    device: str
    threads: Count
    processes: Count
    epochs: Count
    steps: Count
    stopped: bool
    notes: list[str]
    calibration: str
    temperature: Temperature
    loop_seconds: float
    train_seconds: float
    train_cells_per_s: float
    total_seconds: float
    holdout: Scores | None


class Epoch(TypedDict, total=False):
    """A line of ``metrics.jsonl``."""

    epoch: Count
    n_epochs: Count
    step: Annotated[int, between(1, 2**53)]
    n_steps: Count
    seconds: float
    loss: float
    reconstruction: float
    kl: float
    classification: float
    train_accuracy: float
    validation_accuracy: float | None
    validation_loss: float | None


class Calibration(TypedDict):
    """How the probabilities of a model were calibrated."""

    temperature: Temperature
    n_cells: Count
    note: str


class ModelRecord(TypedDict):
    """``model/annotator.json``."""

    format: Literal[1]
    genes: list[str]
    label_names: list[str]
    batch_names: list[str]
    parents: dict[str, list[str]]
    model: ModelConfig
    train: TrainConfig
    calibration: Calibration
    scanvi_weight: NotRequired[Annotated[float, between(0, 1e3)]]


class OpinionRecord(TypedDict):
    """``opinion.json``: whose opinion it is, and what its names mean here."""

    format: Literal[1]
    id: OpinionId
    name: Name
    source: OpinionSource
    created: Date
    label_names: list[Name]
    names: dict[str, Name]
    about: dict[str, str]


def opinion_kinds(n_names: int | None, n_obs: int | None) -> dict[str, Kind]:
    """Return what the arrays of an opinion must be, by their names."""
    return {
        "labels": Kind(("int32",), (n_obs,), -1, _last(n_names)),
        "scores": Kind(("float32",), (n_obs,), 0, ONE),
    }


def run_kinds(settings: Mapping[str, Any], n_obs: int | None) -> dict[str, Kind]:
    """Return what the arrays of a run must be, by their names.

    Parameters
    ----------
    settings
        Those of the run; what is not in them bounds nothing.
    n_obs
        Number of cells; None: not known.
    """
    types, codes, batches = (
        len(settings[key]) if key in settings else None
        for key in ("label_order", "code_names", "batch_names")
    )
    latent = settings["model"]["n_latent"] if "model" in settings else None
    real, mask = ("float32", "float64"), ("bool",)
    whole, small = ("int32", "int64"), ("int8", "int32", "int64")
    cells = (n_obs,)
    kinds = {
        "y": Kind(whole, cells, -1, _last(codes)),
        "truth": Kind(whole, cells, -1, _last(types)),
        "batch_index": Kind(whole, cells, 0, _last(batches)),
        "label_suggestion": Kind(whole, cells, -1, _last(types)),
        "decision": Kind(whole, cells, -2),
        "card_cluster": Kind(whole, cells, -1),
        "card_distance": Kind(real, cells),
        "card_middles": Kind(("float32",), (None, None)),
        "reason": Kind(small, cells, 0, 3),
        "qc": Kind(small, cells, 0, 6),
    }
    kinds |= {name: Kind(mask, cells) for name in ("holdout", "rows", "novel", "label_issue")}
    scores = ("novelty", "doublet_score", "label_issue_score")
    kinds |= {name: Kind(real, cells, 0, ONE) for name in scores}
    shares = ("probabilities", "probabilities_scanvi", "out_of_fold")
    kinds |= {name: Kind(real, (n_obs, types), 0, ONE) for name in shares}
    kinds |= {name: Kind(real, (n_obs, latent)) for name in ("z1", "z2")}
    kinds |= {name: Kind(real, (n_obs, 2)) for name in ("umap_z1", "umap_z2")}
    return kinds


def derived_kinds(n_obs: int) -> dict[str, Kind]:
    """Return what the arrays that were derived from the counts must be, by their names."""
    return {
        "base_map": Kind(("float32", "float64"), (n_obs, 2)),
        "clusters": Kind(("int32", "int64"), (n_obs,), -1, MOST_CLUSTERS - 1),
        "card_cluster": Kind(("int32", "int64"), (n_obs,), -1),
        "card_distance": Kind(("float32", "float64"), (n_obs,)),
        "doublets": Kind(("float32", "float64"), (n_obs,), 0, ONE),
    }


def _last(n: int | None) -> int | None:
    return None if n is None else n - 1
