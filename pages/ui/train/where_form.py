"""Where a training runs: in the app, in several processes here, or on other computers."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from scanvi_core import config
from scanvi_core.services.runs.train_request import TrainRequest
from scanvi_core.services.training import distributed
from scanvi_core.services.training import start as training_start
from scanvi_core.services.training.cluster_scripts import Machines
from scanvi_core.services.workspace import Workspace

HERE, SEVERAL, ELSEWHERE = "here", "several", "elsewhere"
WORDS = {
    HERE: "Here",
    SEVERAL: "Here, in several processes",
    ELSEWHERE: "On other computers",
}
BUTTONS = {HERE: "Train", SEVERAL: "Train", ELSEWHERE: "Prepare the training"}
LAYER_NORM = (
    "Several processes share each step, which is that of one up to rounding: the model is as "
    "good, not the same to the last cell. The network has layer norm, since batch norm cannot be "
    "shared."
)


@dataclass(frozen=True)
class Where:
    """The place, and what belongs to it."""

    place: str = HERE
    processes: int = 2
    machines: Callable[[], Machines] = Machines  # what was written may not be possible

    @property
    def button(self) -> str:
        """What the button says."""
        return BUTTONS[self.place]

    def start(self, opened: Workspace, request: TrainRequest) -> str:
        """Start the training, or prepare it for other computers; return the job id."""
        if self.place == SEVERAL:
            return distributed.start_here(opened, request, self.processes)
        if self.place == ELSEWHERE:
            return distributed.hand_over(opened, request, self.machines())
        return training_start.start(opened, request)


def draw() -> Where:
    """Ask where to train."""
    place = st.segmented_control(
        "Where", list(WORDS), default=HERE, required=True, key="train.where",
        format_func=WORDS.__getitem__, persist_state="session",
        help="Other computers: a Slurm cluster or one that you reach by ssh.",
    )  # fmt: skip
    if place == SEVERAL:
        processes = st.number_input(
            "Processes", 2, config.MOST_PROCESSES, 2, key="train.processes", width=160,
            help="One for each graphics card, or for every few cores.",
        )  # fmt: skip
        st.caption(LAYER_NORM)
        return Where(SEVERAL, int(processes))
    if place == ELSEWHERE:
        return Where(ELSEWHERE, machines=_machines())
    return Where()


def _machines() -> Callable[[], Machines]:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        nodes = st.number_input("Computers", 1, 1024, 1, key="train.nodes", width=160)
        each = st.number_input("Processes on each", 1, 64, 1, key="train.each", width=160)
        gpus = st.toggle("Each with a graphics card", key="train.gpus")
    left, right = st.columns(2)
    with left:
        seen_at = st.text_input(
            "Folder of the project there", key="train.seen-at", placeholder="the same as here",
            help="Where the other computers find this project's folder on a shared disk.",
        )  # fmt: skip
    with right:
        python = st.text_input(
            "Python there", "python", key="train.python",
            help="The Python that has this program: a full path, or a name found there.",
        )  # fmt: skip
    store = st.text_input(
        "Store of the cells there", key="train.store", placeholder="none: the project's own files",
        help="For atlases: what `python -m scanvi_core gather` made of the same files, in the "
        "same order. It is read in blocks from the shared disk.",
    )  # fmt: skip
    setup = st.text_area(
        "Lines that come first there", key="train.setup", height=80,
        placeholder="module load python/3.11\nsource ~/scanvi/bin/activate",
        help="What the shell there needs before this Python works: a module, an environment.",
    )  # fmt: skip
    interface = st.text_input(
        "Network between them", key="train.interface", placeholder="any", width=240,
        help="The name that `ip link` gives the network by which several computers reach each "
        "other, such as ib0. Fill it in where they do not find each other.",
    )  # fmt: skip
    st.caption(
        f"This prepares a folder with the settings and scripts that start it there. {LAYER_NORM}"
    )
    lines = tuple(line for line in setup.splitlines() if line.strip())
    return lambda: Machines(
        int(nodes), int(each), gpus, seen_at.strip() or None, python.strip(),
        store.strip() or None, lines, interface.strip() or None,
    )  # fmt: skip


def how_to_begin(folder: Path) -> None:
    """Say how other computers begin the run that was prepared in a folder."""
    st.markdown(
        f"**Run {folder.name} is prepared.** Begin it there, in its folder, in one of these ways. "
        "The curves appear here by themselves; you may close the app meanwhile."
    )
    st.code(
        f"cd {distributed.quoted(folder)}\n"
        "sbatch submit-slurm.sh           # a Slurm cluster\n"
        "bash submit-ssh.sh YOU@COMPUTER  # one computer by ssh",
        language="bash",
    )
    st.caption("README.txt there says more.")
