"""Of which batches the held-out cells of a model tell, and of which they do not.

A share that was measured in some batches is none of the others: an added file without labels has
no cell that could be held out. Evaluate, Export, the strip, the report and the methods text say
so with these words.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scanvi_core.project.runs import Run
from scanvi_core.services.diagnostics.held_out import held_out
from scanvi_core.services.formatting import count, listed
from scanvi_core.services.labels import holdout
from scanvi_core.services.projects.joining.joined_files import joined_files
from scanvi_core.services.runs import results
from scanvi_core.services.workspace import NO_BATCH, Batches, Workspace

FEW = 10  # held-out cells of a batch; it is measured by as many
HARDLY = 0.2  # of a batch's share of the open cells: with less of the held-out ones it is left out
SMALL = 0.01  # share of the open cells: batches that hold less together are not spoken of
SHOWN = 3  # names in a sentence


@dataclass(frozen=True, eq=False)
class Gap:
    """Batches with predictions, but without held-out cells to measure these by.

    Attributes
    ----------
    measured, missing
        Names of the batches that held-out cells tell of, and of those in question.
    n_missing
        Held-out cells of each of the missing ones: none, or hardly any.
    cells
        The cells of the missing ones, bool [n_obs].
    """

    measured: tuple[str, ...]
    missing: tuple[str, ...]
    n_missing: tuple[int, ...]
    cells: np.ndarray

    @property
    def none(self) -> bool:
        """Whether the missing ones have no held-out cell at all."""
        return not any(self.n_missing)

    @property
    def of(self) -> str:
        """Return `` of donor_1``, all that the held-out cells are of, to stand behind these."""
        return f" of {named((*self.measured, *(name for name, n in self._few if n)))}"

    @property
    def hardly(self) -> str:
        """Return ``, hardly any of donor_2 (6)``; empty where no held-out cell is of such."""
        few = [f"{quoted(name)} ({n:,})" for name, n in self._few if n]
        return f", hardly any of {joined(few)}" if few else ""

    @property
    def in_short(self) -> str:
        """Return `` in donor_1``, to stand behind how right a model is."""
        n = len(self.measured)
        if self.measured == (NO_BATCH,):
            return f" of {named(self.measured)}"
        return f" in {self.measured[0] if n == 1 else count(n, 'batch', 'batches')}"

    @property
    def only(self) -> str:
        """Say where it was measured."""
        where = "on cells of" if NO_BATCH in self.measured else "in"
        return f"Measured {where} {named(self.measured)} only."

    @property
    def none_of(self) -> str:
        """Say of which batches no cell was held out, or hardly any and how many."""
        if self.none:
            return f"None of these cells was of {named(self.missing)}."
        few = [f"{quoted(name)} ({n:,})" for name, n in self._few]
        return f"Hardly any of these cells was of {joined(few)}."

    def rest(self, n_missing: int, n_open: int) -> str:
        """Say what was not measured: so many of the cells without a label."""
        share = "All" if n_missing == n_open else f"{n_missing:,} of the"
        return (
            f"{share} {count(n_open, 'cell')} without a label are of {named(self.missing)}, of "
            f"which {'no' if self.none else 'hardly any'} cell was held out: how often the model "
            "is right there is not measured."
        )

    @property
    def _few(self) -> tuple[tuple[str, int], ...]:
        return tuple(zip(self.missing, self.n_missing, strict=True))


def named(batches: Sequence[str]) -> str:
    """Return the names of a few batches; of many some, and their number."""
    return joined([quoted(name) for name in batches])


def joined(names: Sequence[str]) -> str:
    """Return a few names of batches as a list; of many some, and their number."""
    if len(names) <= SHOWN:
        return listed(names)
    return f"{len(names):,} batches ({', '.join(names[:SHOWN])} …)"


def quoted(batch: str) -> str:
    """Return a batch as a list names it: in quotes where its name would look like two."""
    if batch == NO_BATCH:
        return "no batch"
    return f"“{batch}”" if "," in batch or " and " in batch else batch


def gap(opened: Workspace, of_run: Run | None = None) -> Gap | None:
    """Return what the held-out cells of a run, else of the model in use, do not tell of.

    None where they tell of all batches with predictions, and where nothing was held out. It
    stays the same whatever is named meanwhile.
    """
    run = of_run or opened.current_run()
    if run is None or not run.summary.get("holdout"):
        return None
    return opened.cache.get(("measured batches", run.id), lambda: _gap(opened, run))


def sentence(opened: Workspace) -> str:
    """Say where the model was measured and where not; empty where there is no gap."""
    found, predictions = gap(opened), results.current(opened)
    if found is None or predictions is None:
        return ""
    open_ = results.filled(opened.labels(), predictions, 0.0)
    n = int(np.count_nonzero(open_ & found.cells))
    return f"{found.only} {found.rest(n, int(np.count_nonzero(open_)))}" if n else ""


def divided(opened: Workspace, run: Run) -> Batches:
    """Return the batches of a run; without a batch column the files that it was joined from."""
    key, files = run.settings.batch_key, joined_files(opened)
    if key or not files:
        return opened.batches(key)
    index = np.repeat(np.arange(len(files)), [file.rows.stop - file.rows.start for file in files])
    return Batches(None, index, tuple(file.name for file in files))


def _gap(opened: Workspace, run: Run) -> Gap | None:
    batches = divided(opened, run)
    n = len(batches.names)
    held = np.bincount(batches.index[held_out(opened, run.id).rows], minlength=n)
    taught = np.array(run.array("y")) >= 0
    open_ = np.bincount(batches.index[~taught & ~np.array(run.array("holdout"))], minlength=n)
    few = held / max(1, held.sum()) < HARDLY * open_ / max(1, open_.sum())
    missing = few & (held < FEW)
    if holdout.how_now(opened, run.settings.labels_seq) in (holdout.HIDDEN, holdout.GROUP):
        # whole donors without a label are harder than those that taught it
        missing &= np.bincount(batches.index[taught], minlength=n) < FEW
    if open_[missing].sum() <= SMALL * open_.sum() or not held[~missing].any():
        return None
    names, cells = np.array(batches.names, dtype=object), missing[batches.index]
    measured = tuple(names[~missing & (held > 0)])
    return Gap(measured, tuple(names[missing]), tuple(map(int, held[missing])), cells)
