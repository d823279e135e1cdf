"""Take in a user's file through a child process, so that no file can hurt this one."""

import secrets
import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from scanvi_core.data.guard.child_process import free_memory_mb, pass_on, run_child
from scanvi_core.data.guard.signatures import HDF5_MAGIC
from scanvi_core.data.guard.subprocess_limits import Talk
from scanvi_core.errors import (
    ChoiceNeeded,
    FileRefused,
    ImportStopped,
    reason_of,
)
from scanvi_core.hints import CHECK_NAME

MIN_TIMEOUT_S = 60.0  # of processor time: damaged files can send HDF5 into an endless loop
SECONDS_PER_MB = 0.5
MIN_TIMEOUT_CONVERTED_S = 300.0  # no such endless loops there, but more work
SECONDS_PER_MB_CONVERTED = 5.0  # packed text takes longest: 1 MB of it may be 10 MB of numbers


def import_file(
    path: Path | str,
    folder: Path | str,
    *,
    matrix: str | None = None,
    answers: Mapping[str, str] | None = None,
    origin: Mapping[str, Any] | None = None,
    memory_mb: float | None = None,
    timeout_s: float | None = None,
    report: Callable[[float, str], None] = lambda *_: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Check and mend a file and write the project's own copy of it.

    Parameters
    ----------
    path
        A file or folder of any kind that :mod:`scanvi_core.data.formats` knows, recognized by
        content, never changed. What is no .h5ad is written as one into ``source`` beside
        `folder`, and read from there.
    folder
        Where the copy goes. An earlier copy there is replaced once the new one is complete.
    matrix
        ``X``, ``raw.X`` or ``layers/NAME``; None finds the counts.
    answers
        Answers to questions about the file, by `Question.key`.
    origin
        What the file was made from, where the program itself made it: `manifest.Origin`.
    memory_mb
        Memory that may be used; None takes most of what is free.
    timeout_s
        Seconds of processor time it may take; None allows for the size of the file.
    report
        Told how far it is, from 0 to 1, and in words.
    should_stop
        Asked ten times a second; when true the child is ended and nothing of it is kept.

    Returns
    -------
    dict
        The manifest: ``format, name, n_obs, n_vars, counts_source, matrices, repairs, warnings,
        source, labels_candidates, batch_candidates, obs_columns, var_columns, obsm,
        symbol_column, n_mt_genes, needed_mb, counts_sha256``; ``origin`` (name, path, kind, notes,
        answers, sha256) when the file was of another kind than .h5ad.

    Raises
    ------
    ChoiceNeeded
        If a question about the file is not answered; it carries the question.
    InputError
        `FileRefused`, `CountsNotFound` or `ColumnMissing`, with a sentence and a hint.
    ImportStopped
        If it was stopped.
    ProjectError
        If the copy cannot be written, for example on a full disk.
    """
    path, folder = _regular(path), Path(folder)
    sources = folder.with_name("source")
    there = set(sources.glob("*")) | {path}
    chosen = {
        "sources": str(sources),
        "answers": dict(answers or {}),
        "origin": None if origin is None else dict(origin),
    }
    fresh = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.new")
    fresh.parent.mkdir(parents=True, exist_ok=True)
    try:
        manifest = _ask(
            _request("import", path, matrix, memory_mb, timeout_s)
            | chosen
            | {"folder": str(fresh)},
            Talk(partial(pass_on, report), should_stop),
        )
        _put_in_place(fresh, folder)
    except ImportStopped:
        for half in set(sources.glob("*")) - there:  # an .h5ad that was being written
            half.unlink() if half.is_file() else shutil.rmtree(half, ignore_errors=True)
        raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return manifest


def inspect_file(
    path: Path | str,
    *,
    matrix: str | None = None,
    answers: Mapping[str, str] | None = None,
    memory_mb: float | None = None,
    timeout_s: float | None = None,
) -> dict[str, Any]:
    """Return what :func:`import_file` would find, without writing anything.

    The manifest lacks what needs the counts in memory: notices about empty cells, hashes.
    """
    request = _request("inspect", _regular(path), matrix, memory_mb, timeout_s)
    return _ask(request | {"answers": dict(answers or {})})


def read_history(path: Path | str) -> dict[str, list[str]]:
    """Return the label history that an exported file carries.

    Returns
    -------
    dict
        ``names`` of its cells and ``lines``, one JSON text per step.

    Raises
    ------
    FileRefused
        If it is no .h5ad file or carries no history.
    """
    return _ask(_request("history", _regular(path), None, None, None))


def _request(
    task: str,
    path: Path,
    matrix: str | None,
    memory_mb: float | None,
    timeout_s: float | None,
) -> dict[str, Any]:
    return {
        "task": task,
        "path": str(path),
        "matrix": matrix,
        "memory_mb": free_memory_mb() if memory_mb is None else memory_mb,
        "timeout_s": _allowance(path) if timeout_s is None else timeout_s,
    }


def _ask(request: dict[str, Any], talk: Talk | None = None) -> dict[str, Any]:
    reply = dict(run_child(request, talk))
    if "question" in reply:
        message, hint = reply["error"]
        raise ChoiceNeeded(message, hint, reply["question"])
    return reply


def _allowance(path: Path) -> float:
    """Return the seconds that reading may take by default."""
    least, per_mb = MIN_TIMEOUT_CONVERTED_S, SECONDS_PER_MB_CONVERTED
    try:
        files = path.rglob("*") if path.is_dir() else (path,)
        n_bytes = sum(file.lstat().st_size for file in files)
        if path.is_file():
            with path.open("rb") as handle:
                head = handle.read(len(HDF5_MAGIC))
            if head == HDF5_MAGIC:
                least, per_mb = MIN_TIMEOUT_S, SECONDS_PER_MB
    except OSError:  # what cannot be read is for the child to refuse, in words
        return MIN_TIMEOUT_S
    return least + per_mb * n_bytes / 1e6


def _regular(path: Path | str) -> Path:
    """Return the full path of a file or folder that is there; links of its owner are followed."""
    try:
        return Path(path).expanduser().resolve(strict=True)
    except FileNotFoundError:
        raise FileRefused(f"There is no file {Path(path).name}.", CHECK_NAME) from None
    except (OSError, RuntimeError, ValueError) as error:  # no permission, a loop of links
        raise FileRefused(
            f"{Path(path).name[:80]!r} cannot be reached: {reason_of(error)}.",
            "Check it and its folder.",
        ) from error


def _put_in_place(fresh: Path, folder: Path) -> None:
    old = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.old")
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
