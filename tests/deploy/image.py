"""The image and the services as their files describe them, read without a Docker engine."""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from tests import ROOT

FOLDER = ROOT / ".docker"
START_S = 60
_VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile in order, as word and rest."""
    text = re.sub(r"^\s*#.*\n", "", (FOLDER / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = filter(None, (line.strip() for line in text.replace("\\\n", " ").splitlines()))
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


def of(word: str) -> list[str]:
    """Return what follows one kind of instruction."""
    return [rest for name, rest in instructions() if name == word]


def environment() -> dict[str, str]:
    """Return what the image sets."""
    return dict(pair.split("=", 1) for rest in of("ENV") for pair in shlex.split(rest))


def command(kind: str = "CMD") -> list[str]:
    """Return a command of the image, with this Python in place of its own."""
    words: list[str] = json.loads(of(kind)[-1].partition("CMD ")[2] or of(kind)[-1])
    return [sys.executable if word == "python" else word for word in words]


def compose(values: Mapping[str, str]) -> dict[str, Any]:
    """Return compose.yaml with its variables filled in; one that is missing is a KeyError."""

    def value(match: re.Match[str]) -> str:
        name, kind, rest = match.groups()
        if kind == "-":
            return values.get(name) or rest
        if kind == "?" and not values.get(name):
            raise KeyError(f"{name}: {rest}")
        return values[name]

    def fill(part: Any) -> Any:  # after reading, as compose does: a value is never syntax
        if isinstance(part, dict):
            return {key: fill(inner) for key, inner in part.items()}
        if isinstance(part, list):
            return [fill(inner) for inner in part]
        return _VARIABLE.sub(value, part) if isinstance(part, str) else part

    filled: dict[str, Any] = fill(yaml.safe_load(compose_text()))
    return filled


def compose_text() -> str:
    """Return compose.yaml as it is."""
    return (FOLDER / "compose.yaml").read_text()


def is_ignored(path: str) -> bool:
    """Tell whether .dockerignore keeps a path out of the build; the last rule wins."""
    ignored = False
    lines = (line.strip() for line in (ROOT / ".dockerignore").read_text().splitlines())
    for rule in (line for line in lines if line and not line.startswith("#")):
        pattern = rule.removeprefix("!")
        whole = PurePosixPath(path)
        if any(_fits(str(place), pattern) for place in (whole, *whole.parents[:-1])):
            ignored = not rule.startswith("!")
    return ignored


def _fits(path: str, pattern: str) -> bool:
    if pattern.startswith("**/"):
        return fnmatch(path.rpartition("/")[2], pattern[3:])
    return path.count("/") == pattern.count("/") and fnmatch(path, pattern)


def tracked() -> list[str]:
    """Return the files of the repository, new ones included."""
    names = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(names, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:  # no repository: an unpacked archive
        return [str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.is_file()]
    return sorted({name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()})


def unpack(folder: Path) -> Path:
    """Copy what the image would hold, as its COPY lines say; return its working folder."""
    inside = [name for name in tracked() if not is_ignored(name)]
    for rest in of("COPY"):
        *sources, target = rest.split()
        for source in sources:
            for name in inside:
                below = name.removeprefix(f"{source}/")
                if name == source or below != name:
                    last = PurePosixPath(name).name if name == source else below
                    place = folder / target / last
                    place.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(ROOT / name, place)
    return folder


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Running:
    """A server that was started."""

    process: subprocess.Popen[bytes]
    log: Path

    def wait_for(self, url: str) -> None:
        """Wait until an address answers anything at all."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                urllib.request.urlopen(url, timeout=1).close()
            except urllib.error.HTTPError:
                return
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise AssertionError(f"no answer from {url}:\n{self.log.read_text()[-3000:]}")

    def stop(self) -> int:
        """Stop it as ``docker stop`` does; return its exit status."""
        self.process.terminate()
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


def start(words: list[str], folder: Path, variables: Mapping[str, str], log: Path) -> Running:
    """Start a program with these variables and no others but the path to programs."""
    plain = {"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1", **variables}
    with log.open("wb") as sink:
        process = subprocess.Popen(
            words, cwd=folder, env=plain, stdout=sink, stderr=sink, start_new_session=True
        )
    return Running(process, log)
