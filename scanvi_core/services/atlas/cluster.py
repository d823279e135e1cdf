"""A Dask cluster that computes: reaching it, waiting for its workers, and what they must see."""

import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scanvi_core.errors import FileRefused, SettingInvalid
from scanvi_core.plurals import count
from scanvi_core.runtime import Report
from scanvi_core.version import __version__

CONNECT_S = 20.0
WORKERS_S = 120.0  # until the first worker comes; queues of clusters may take longer
LOOK_EVERY_S = 0.5
NEED_DASK = "Install what large data need: pip install -c constraints.txt -e '.[scale]'."
SHARED = (
    "All workers must find the sources and the output under the same full paths, on a shared disk."
)


@contextmanager
def cluster(address: str, report: Report) -> Iterator[int]:
    """Let Dask compute on a cluster; yield how many threads its workers have.

    Raises
    ------
    SettingInvalid
        If no scheduler answers, or no worker comes.
    FileRefused
        If workers end again and again.
    """
    try:
        from distributed import Client, KilledWorker
    except ImportError as error:
        raise SettingInvalid("dask.distributed is not installed.", NEED_DASK) from error
    try:
        client = Client(address, timeout=CONNECT_S)
    except (OSError, ValueError) as error:
        raise SettingInvalid(
            f"No Dask scheduler answers at {address}.",
            "Start one with `dask scheduler`, and workers with `dask worker ADDRESS`.",
        ) from error
    try:
        with client:
            _wait_for_workers(client, address, report)
            yield sum(client.nthreads().values())
    except KilledWorker as error:
        raise FileRefused(
            "A worker ended again and again.", "Give the workers more memory."
        ) from error


def _wait_for_workers(client: Any, address: str, report: Report) -> None:
    until = time.monotonic() + WORKERS_S
    while not client.nthreads():
        left = until - time.monotonic()
        if left <= 0:
            raise SettingInvalid(
                f"The Dask scheduler at {address} has no workers; none came in "
                f"{WORKERS_S:.0f} seconds.",
                f"Start some: dask worker {address}",
            )
        report(0.0, f"Waiting for workers of {address}, up to {left:.0f} s")
        time.sleep(LOOK_EVERY_S)


def check_workers(sources: Sequence[Path], folder: Path) -> None:
    """Find before the work that every worker has this program and sees the files.

    Raises
    ------
    SettingInvalid
        If one has not, or does not.
    """
    from distributed import default_client

    mark = folder / f".seen-{secrets.token_hex(4)}"
    mark.touch()
    try:
        seen = default_client().run(unseen, [*map(str, sources), str(mark)])
    except ImportError as error:
        raise SettingInvalid(
            "The workers do not have this program.",
            f"Install version {__version__} with its extra `scale` where they run.",
        ) from error
    finally:
        mark.unlink(missing_ok=True)
    other = sorted({version for version, _ in seen.values()} - {__version__})
    if other:
        raise SettingInvalid(
            f"Workers have version {', '.join(other)} of this program; here is {__version__}.",
            "Install the same version where they run.",
        )
    blind = {worker: paths for worker, (_, paths) in seen.items() if paths}
    if blind:
        worker, paths = next(iter(blind.items()))
        what = folder if paths[0] == str(mark) else paths[0]
        raise SettingInvalid(
            f"{count(len(blind), 'worker does', 'workers do')} not see {what}, such as {worker}.",
            SHARED,
        )


def unseen(paths: Sequence[str]) -> tuple[str, list[str]]:
    """Return, on a worker, its version of this program and the paths that it does not see."""
    return __version__, [path for path in paths if not Path(path).exists()]
