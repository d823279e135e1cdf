"""The settings that pages and commands offer, with their defaults and a line of help each.

Also the limits that hold in several places, or that who runs a server may want to change. What
belongs to one method alone is a constant of the module that holds the method, with its reason.

The constructor of :class:`scanvi_core.SCANVI` keeps the defaults of its published signature; the
values here are those the app and the command line train with.
"""

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from scanvi_core.errors import SettingInvalid

DISPERSIONS = ("gene", "gene-batch", "gene-label", "gene-cell")
LIKELIHOODS = ("nb", "zinb")
PRESETS = ("quick", "standard", "thorough")
DEVICES = ("auto", "cpu", "cuda", "mps")

# Optimizer steps per preset: so many for every 128 cells, the fewest and the most. On many cells
# their number decides how good the model gets; a few hundred cells, seen too often, are learned by
# heart (1,000 cells, 3 labels per type: 600 steps were worse than 300).
PRESET_STEPS = {"quick": (0, 300, 300), "standard": (55, 300, 1200), "thorough": (110, 600, 2400)}
STEP_CELLS = 128
RETRAIN_STEPS = 90
RETRAIN_LEARNING_RATE = 1e-3
DISTILLATION = 0.3  # weight of the soft labels of all cells against those of the labeled ones

MIN_CELLS = 20
MIN_GENES = 10
MIN_LABELS = 2
MAX_TYPES = 5_000  # as many as atlases name; more are no types of cells
RARE_CELLS = 3  # types with fewer labeled cells are trained on, but flagged and not scored
MIN_BATCH_CELLS = 20  # smaller batches are pooled when variable genes are chosen
PREVIEW_CELLS = 800  # cells in the map drawn during training
PREVIEW_FIRST_S = 1.0
PREVIEW_EVERY_S = 4.0
UMAP_NEIGHBORS = 15
CACHE_BYTES, CACHE_CELL_BYTES = 2**28, 200  # of answers about an open project: the larger one
DRAWN_CELLS = 1_000_000  # on a map; of more a sample is drawn, with all unsure cells that fit
EXAMPLE_LABELED = 0.4  # part of the example's labels that is shown
HOLDOUT_FRACTION = 0.15
LOW_CONFIDENCE = 0.8

# A run that other processes train
HEARTBEAT_S = 10.0  # between their signs of life
SILENT_S = 120.0  # without one, a run on another machine counts as cut off
MOST_PROCESSES = 64  # on one computer

# A label history from elsewhere: far more than an honest one needs, held against the data set
HISTORY_EVENTS = 100_000
HISTORY_BYTES, HISTORY_BYTES_PER_CELL = 16 * 2**20, 1_000
HISTORY_CHANGES, HISTORY_CHANGES_PER_CELL = 10_000_000, 1_000  # cells changed by all its steps
HISTORY_LOGS_BYTES = 8 * HISTORY_BYTES  # of the logs that one took over, together, unpacked
HISTORY_LOG_CHANGES = 10  # per cell: what each of these counts for
HISTORY_MEMORY = 8 * HISTORY_BYTES  # of all it says, once read; lassos, the most, take 7
HISTORY_MEMORY_PER_CELL = 3 * HISTORY_BYTES_PER_CELL
HISTORY_RATIO, HISTORY_RATIO_FROM_BYTES = 100, 2**20  # text to packed text; honest ones reach 30

# A link to look at a project, and what people say who came by one
LINK_DAYS = 30  # until it ends, unless its owner says otherwise:
LINK_DAYS_CHOICES = (7, 30, 90)
MOST_LINKS = 20  # of a project, at once
MOST_VISITORS = 100  # names noted for each link
COMMENT_LENGTH = 1_000  # characters
VISITOR_NAME_LENGTH = 60  # of what visitors call themselves
MOST_REMARKS, MOST_REMARKS_EACH = 2_000, 200  # comments, proposals, votes: of a project; a person
REMARKS_BYTES = 16 * 2**20  # of their file: more than so many can take

# What one client of a server may ask for: so many at once, and one more every so many seconds
TURNS = {
    "sign-in": (60, 1.0),  # two for each; a whole institute may come from one address
    "upload": (200, 1.0),  # one per file
    "download": (120, 1.0),
    "project": (30, 20.0),  # opened, unpacked, copied or saved as one file
    "remark": (20, 3.0),  # comments, proposals and votes
}

# Counts recovered from normalized values
RECOVERY_SMALLEST = 30  # a cell's smallest value is taken as 1, 2, ... up to this many counts
RECOVERY_CHANCE = 1e-4  # that a cell which is no counts fits; above it the cell is not proven
RECOVERY_FACTOR = 1e-6  # chance that all counts of a cell share a factor; above it: not excluded
RECOVERY_ASSUMED = 0.05  # refused when a larger share of the cells may hide a common factor
RECOVERY_LEFT_OUT = 0.05  # refused when a larger share of the cells cannot be recovered
RECOVERY_NOISE = 0.6  # cells that differ from their likes by less of Poisson noise are smoothed
RECOVERY_TOTALS = 0.02  # how far a column of totals may be off (genes filtered in between)


def history_bytes(n_obs: int) -> int:
    """Return how much text a label history of `n_obs` cells may have."""
    return HISTORY_BYTES + HISTORY_BYTES_PER_CELL * n_obs


def history_memory(n_obs: int) -> int:
    """Return how much memory what a label history of `n_obs` cells says may take."""
    return HISTORY_MEMORY + HISTORY_MEMORY_PER_CELL * n_obs


def _setting(default: Any, label: str, help_: str, **bounds: Any) -> Any:
    """Declare a dataclass field whose label, help, choices and bounds the pages show."""
    return field(default=default, metadata={"label": label, "help": help_, **bounds})


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """How the SCANVI network is built."""

    dispersion: str = _setting(
        "gene",
        "Noise of a gene (dispersion)",
        "How the noise of a gene may vary: one value per gene suits most data.",
        choices=DISPERSIONS,
    )
    gene_likelihood: str = _setting(
        "nb",
        "Counts follow (likelihood)",
        "nb fits UMI counts; zinb adds extra zeros, for plate-based reads.",
        choices=LIKELIHOODS,
    )
    n_latent: int = _setting(
        20, "Latent dimensions", "Size of the cell map the model learns.", low=2, high=100
    )
    n_hidden: int = _setting(128, "Hidden units", "Width of the networks.", low=8, high=1024)
    n_layers: int = _setting(1, "Hidden layers", "Depth of the networks.", low=1, high=4)
    dropout_rate: float = _setting(
        0.2, "Dropout", "Share of hidden units silenced while training.", low=0.0, high=0.8
    )
    input_dropout_rate: float = _setting(
        0.3,
        "Gene dropout",
        "Share of genes hidden from the encoder while training; helps with few labels.",
        low=0.0,
        high=0.9,
    )
    use_layer_norm: bool = _setting(
        False, "Layer norm", "Layer norm in place of batch norm; needed for several processes."
    )
    use_observed_lib_size: bool = _setting(
        True,
        "Observed library size",
        "Take each cell's total as its library size; off: the model infers it.",
    )

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How the network is trained."""

    preset: str = _setting(
        "standard",
        "How thorough",
        "quick for a first look, thorough when it matters.",
        choices=PRESETS,
    )
    max_epochs: int | None = _setting(
        None, "Epochs", "Passes over the cells; empty: the preset decides.", low=1, high=10_000
    )
    n_top_genes: int = _setting(
        2_000, "Variable genes", "Most variable genes the model reads.", low=MIN_GENES, high=20_000
    )
    batch_size: int = _setting(128, "Cells per step", "Cells per step.", low=8, high=8_192)
    labeled_batch_size: int = _setting(
        64, "Labeled cells per step", "Labeled cells per step.", low=4, high=4_096
    )
    balance_labels: bool = _setting(
        False,
        "Balance the types",
        "Each type equally often in the labeled part of a step; off: as often as it is labeled.",
    )
    learning_rate: float = _setting(
        4e-3, "Learning rate", "Largest step of the optimizer.", low=1e-6, high=0.1
    )
    weight_decay: float = _setting(
        1e-4, "Weight decay", "Pull of the weights towards zero.", low=0.0, high=0.1
    )
    classification_ratio: float = _setting(
        200.0,
        "Weight of the labels",
        "Weight of the labels against the counts.",
        low=0.0,
        high=1e5,
    )
    kl_warmup: float = _setting(
        0.5,
        "Warm-up of the prior",
        "Share of the steps over which the prior is phased in.",
        low=0.0,
        high=1.0,
    )
    validation_fraction: float = _setting(
        0.1,
        "Watched share of labels",
        "Share of each well-filled type watched for the best epoch and for calibration.",
        low=0.0,
        high=0.5,
    )
    seed: int = _setting(0, "Seed", "Start of every random draw.", low=0, high=2**31 - 1)
    device: str = _setting(
        "auto", "Device", "auto takes CUDA, then MPS, then the CPU.", choices=DEVICES
    )

    def __post_init__(self) -> None:
        check_bounds(self)

    def n_steps(self, n_obs: int) -> int:
        """Return the planned number of optimizer steps for `n_obs` training cells."""
        if self.max_epochs is not None:
            return self.max_epochs * self.steps_per_epoch(n_obs)
        passes, fewest, most = PRESET_STEPS[self.preset]
        return min(most, max(fewest, passes * n_obs // STEP_CELLS))

    def steps_per_epoch(self, n_obs: int) -> int:
        """Return the number of minibatches in one pass; a lone last cell joins its neighbors."""
        full, rest = divmod(n_obs, self.batch_size)
        return max(1, full + (rest > 1))


def check_bounds(config: Any) -> None:
    """Raise `SettingInvalid` when a field is outside its declared choices or bounds."""
    for item in fields(config):
        value, meta = getattr(config, item.name), item.metadata
        if "choices" in meta and value not in meta["choices"]:
            raise SettingInvalid(
                f"{item.name} is {value!r}.", f"Choose one of {', '.join(meta['choices'])}."
            )
        if value is not None and "low" in meta and not meta["low"] <= value <= meta["high"]:
            raise SettingInvalid(
                f"{item.name} is {value}.", f"Choose a value from {meta['low']} to {meta['high']}."
            )


__all__ = ["ModelConfig", "TrainConfig", "asdict", "check_bounds", "replace"]
