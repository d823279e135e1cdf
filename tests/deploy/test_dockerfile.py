"""What the Dockerfile promises, as far as its text and the repository can prove it."""

import re
import shlex
import tomllib

import pytest

from tests.deploy import image


def test_everything_that_is_copied_exists_and_reaches_the_build():
    for rest in image.of("COPY"):
        assert not rest.startswith("--"), rest
        for source in rest.split()[:-1]:
            below = [
                name for name in image.tracked() if name == source or name.startswith(source + "/")
            ]
            assert below, source
            assert not any(map(image.is_ignored, below)), source
    assert not image.of("ADD")


@pytest.mark.parametrize(
    "path",
    [".env", ".docker/secrets/login.toml", ".streamlit/secrets.toml", ".git/config", "cells.h5ad",
     "screenshots/1.png", "pages/ui/__pycache__/shell.pyc", "tests/test_cli.py"],
)  # fmt: skip
def test_nothing_else_reaches_the_build(path):
    assert image.is_ignored(path)


def test_the_image_holds_every_file_the_app_is_made_of(tmp_path):
    folder = image.unpack(tmp_path)
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    parts = ("app.py", "pages/", "scanvi_core/", "assets/", ".streamlit/config.toml")
    assert {name for name in image.tracked() if name.startswith(parts)} <= there


def test_the_app_runs_as_nobody_special():
    words = [word for word, _ in image.instructions()]
    assert image.of("USER") == ["${UID}"]
    assert words.index("USER") > max(i for i, word in enumerate(words) if word in {"RUN", "COPY"})
    arguments = dict(rest.partition("=")[::2] for rest in image.of("ARG"))
    assert int(arguments["UID"]) >= 1000


def test_no_secret_is_baked_in():
    words = " ".join([*image.of("ENV"), *image.of("ARG")]).upper()
    assert not re.search("PASSWORD|SECRET(?!S)|TOKEN|_KEY", words)


def test_every_version_is_one_that_was_tested():
    project = tomllib.loads((image.ROOT / "pyproject.toml").read_text())["project"]
    installs = [part for rest in image.of("RUN") for part in rest.split("&&") if "pip" in part]
    assert installs
    assert all("-c constraints.txt" in part for part in installs)
    arguments = dict(rest.partition("=")[::2] for rest in image.of("ARG"))
    assert set(arguments["EXTRAS"].split(",")) <= set(project["optional-dependencies"])
    [base] = image.of("FROM")
    assert re.fullmatch(r"python:\$\{PYTHON\}-slim-\w+", base)
    assert re.fullmatch(r"3\.\d+", arguments["PYTHON"])


def test_the_server_inside_is_looked_for_where_it_listens():
    settings = image.environment()
    port = settings["STREAMLIT_SERVER_PORT"]
    assert settings["STREAMLIT_SERVER_ADDRESS"] == "0.0.0.0"
    assert image.of("EXPOSE") == [port]
    assert f":{port}/_stcore/health" in shlex.join(image.command("HEALTHCHECK"))
