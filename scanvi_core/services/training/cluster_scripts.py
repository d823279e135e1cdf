"""Files that carry a training run to other computers: Slurm, or one by ssh.

Both scripts start ``torchrun ... -m scanvi_core train RUN``; ``torchrun`` is called by its module,
``python -m torch.distributed.run``, so that it belongs to the Python that has this program. How
the run goes is read from the run folder, on a shared disk or copied back by the ssh script.
"""

import hashlib
import re
import shlex
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath

from scanvi_core.errors import SettingInvalid
from scanvi_core.project import runs
from scanvi_core.project.run_paths import RunPaths
from scanvi_core.services.formatting import count
from scanvi_core.services.training import cluster_templates as texts
from scanvi_core.services.training.needs import Needs
from scanvi_core.version import __version__

CPUS_PER_PROCESS = 4  # one computes; with a GPU, the others read and copy
FOLLOW_EVERY_S = 5
_PLACE = re.compile("@([A-Z_]+)@")
_INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,31}", re.ASCII)
_END_OF_LINES = "THERE"  # of what the ssh script sends


@dataclass(frozen=True, slots=True)
class Machines:
    """The computers that train a run elsewhere.

    Parameters
    ----------
    nodes, processes
        Number of computers, and of training processes on each (with GPUs: one per GPU).
    gpus
        Whether the processes take GPUs.
    seen_at
        Path of the project folder on the other computers; None where the cluster sees it under
        the same path, and where the computer reached by ssh does not see it at all.
    python
        The Python there that has this program: a full path, or a name found there.
    store
        The collection of the same cells that they read, as they see it; None: the data set.
    setup
        Lines for the shell there before anything else, such as ``module load python/3.11``.
    interface
        The network by which several computers reach each other, such as ``ib0``; None: any.

    Raises
    ------
    SettingInvalid
        If a number is below 1, or the name or a line cannot be one.
    """

    nodes: int = 1
    processes: int = 1
    gpus: bool = False
    seen_at: str | None = None
    python: str = "python"
    store: str | None = None
    setup: tuple[str, ...] = ()
    interface: str | None = None

    def __post_init__(self) -> None:
        if self.interface is not None and not _INTERFACE.fullmatch(self.interface):
            raise SettingInvalid(
                f"{_spoken(self.interface)[:40]} is no name of a network.",
                "Take one that `ip link` lists there, such as ib0.",
            )
        for line in self.setup:
            if not line.isprintable() or line.strip() == _END_OF_LINES:
                raise SettingInvalid(
                    f"{_spoken(line)[:40]} cannot be a line for the shell.",
                    "Take lines such as: module load python/3.11",
                )
        for what, number in (("computers", self.nodes), ("processes", self.processes)):
            if number < 1:
                raise SettingInvalid(f"{number} {what} cannot train.", "Choose one or more.")


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Which run trains elsewhere, and on what.

    Parameters
    ----------
    project, run
        Their folders as seen from here; the run lies in the project.
    machines
        What trains it.
    earlier
        Folders of runs this one goes on from; the ssh script copies them, too.
    needs
        What it is estimated to need; None: the cluster's own limits hold.

    Raises
    ------
    SettingInvalid
        If the run is not in the project.
    """

    project: Path
    run: Path
    machines: Machines = Machines()
    earlier: tuple[Path, ...] = ()
    needs: Needs | None = None

    def __post_init__(self) -> None:
        for run in (self.run, *self.earlier):
            if not run.is_relative_to(self.project):
                raise SettingInvalid(
                    f"The run {run} is not in the project {self.project}.",
                    "Choose a run of this project.",
                )

    @property
    def there(self) -> PurePosixPath:
        """The project folder as a cluster sees it."""
        return PurePosixPath(self.machines.seen_at or self.project.as_posix())

    @property
    def safe_id(self) -> str:
        """The project's name where few letters are allowed; ids of the app stay as they are."""
        plain = re.fullmatch(r"[A-Za-z0-9][\w-]*", self.project.name, re.ASCII)
        return self.project.name if plain else _digest(self.project.name)

    @property
    def job_name(self) -> str:
        """A name as clusters allow it (RFC 1123): small letters, digits and dashes, below 63."""
        run = re.sub("[^a-z0-9]+", "-", self.run.name.lower()).strip("-")[:20]
        return f"scanvi-{_digest(self.project.name)}-{run or 'run'}".rstrip("-")


def submit_files(elsewhere: Elsewhere) -> dict[str, str]:
    """Return name and text of the files that start a run elsewhere, for its run folder."""
    machines = elsewhere.machines
    files = {
        "README.txt": (texts.README, _words(elsewhere)),
        "submit-slurm.sh": (texts.SLURM, _slurm(elsewhere)),
        "submit-ssh.sh": (texts.SSH, _ssh(elsewhere)),
    }
    run = RunPaths(elsewhere.run)
    common = {
        "ID": _spoken(elsewhere.project.name),
        "RUN": _spoken(elsewhere.run.name),
        "NAME": elsewhere.job_name,
        "STOP": run.stop.name,
        "ALIVE": run.alive.name,
        "PROGRESS": run.progress.name,
        "LOG": run.log.name,
        "MORE": f"{run.log.name} in the folder of the run says more.",
        "DONE": f'"status": "{runs.DONE}"',
        "WAITS": f'"status": "{runs.WAITING}"',
        "CUT_OFF": runs.INTERRUPTED,
        "SETUP": _setup(machines),
        "VERSION": __version__,
        "NODES": str(machines.nodes),
        "PROCESSES": str(machines.processes),
        "CPUS": str(machines.processes * CPUS_PER_PROCESS),
    }
    return {name: _filled(text, common | values) for name, (text, values) in files.items()}


def _words(elsewhere: Elsewhere) -> dict[str, str]:
    machines = elsewhere.machines
    computers = count(machines.nodes, "computer")
    each = count(machines.processes, "process", "processes")
    gpus = ", each with a GPU of its own" if machines.gpus else ""
    where = (
        "The clusters must see the project folder on a shared disk; submit-ssh.sh copies the\n"
        "   cells there and the results back, and may be stopped and started at any time."
    )
    if machines.seen_at is not None:
        where = "They find the project folder on the shared disk, so that nothing is copied."
    return {
        "PYTHON": _spoken(machines.python),
        "WHERE": f"{where}\n   Where they look for it: {_spoken(str(elsewhere.there))}",
        "SIZE": f"{computers} with {each}{gpus} (submit-ssh.sh: one computer)",
    }


def _slurm(elsewhere: Elsewhere) -> dict[str, str]:
    machines = elsewhere.machines
    gpus = f"#SBATCH --gpus-per-node={machines.processes}" if machines.gpus else "# No GPUs"
    limits = ("##SBATCH --time=08:00:00", "##SBATCH --mem=32G")
    if elsewhere.needs is not None:
        asked = elsewhere.needs
        limits = (f"#SBATCH --time={asked.time}", f"#SBATCH --mem={asked.memory_gb}G")
    return {
        "LIMITS": "\n".join(limits),
        "GPUS": gpus,
        "PYTHON": shlex.quote(machines.python),
        "RUN_THERE": shlex.quote(str(elsewhere.there / _within(elsewhere, elsewhere.run))),
    }


def _ssh(elsewhere: Elsewhere) -> dict[str, str]:
    machines = elsewhere.machines
    shared, run = machines.seen_at is not None, _within(elsewhere, elsewhere.run)
    # A copy goes to a path of plain letters: not every rsync quotes those of the other side.
    own_copy = PurePosixPath("scanvi", "projects", elsewhere.safe_id)
    project = elsewhere.there if shared else own_copy
    quoted = shlex.quote(str(project / run))
    needed = ["dataset", "settings.json", *(_within(elsewhere, run) for run in elsewhere.earlier)]
    return {
        "PROJECT": shlex.quote(elsewhere.project.as_posix()),
        "RUN_HERE": shlex.quote(run),
        "SHARES_DISK": "yes" if shared else "no",
        "PROJECT_THERE": shlex.quote(str(project)),
        "NEEDED": shlex.join(needed),
        "MKDIR": "" if shared else f"mkdir -p {quoted}\n",
        "RUN_THERE": quoted,
        "NO_STOP": "" if shared else f" {RunPaths(elsewhere.run).stop.name}",
        "PYTHON": shlex.quote(machines.python),
        "PAUSE": str(FOLLOW_EVERY_S),
        "TOOLS": "flock setsid nohup" if shared else "flock setsid nohup rsync",
    }


def _setup(machines: Machines) -> str:
    """Return the lines that come first there; such lines may use what is not set."""
    lines = ["set +u", *machines.setup, "set -u"] if machines.setup else []
    if machines.interface is not None:
        names = (f"{backend}_SOCKET_IFNAME={machines.interface}" for backend in ("GLOO", "NCCL"))
        lines.append(f"export {' '.join(names)}")
    return "\n".join(lines) or "# Nothing comes first"


def _within(elsewhere: Elsewhere, folder: PurePath) -> str:
    return folder.relative_to(elsewhere.project).as_posix()


def _filled(text: str, values: dict[str, str]) -> str:
    return _PLACE.sub(lambda place: values[place[1]], text)  # once: a path may look like a place


def _spoken(text: str) -> str:
    """Return a text for a comment or a sentence: one line, whatever was in it."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
