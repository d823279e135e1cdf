"""The rules compose.yaml keeps, and the files beside it that fill it in."""

import os
import re
import subprocess
import tomllib
from base64 import b64encode
from hashlib import sha256
from pathlib import Path, PurePosixPath

import pytest
import streamlit

from tests.deploy import image
from tests.deploy.conftest import values

WRITTEN = ("HOME", "TMPDIR", "NUMBA_CACHE_DIR", "MPLCONFIGDIR", "SCANVI_HOME")


@pytest.fixture(scope="module")
def whole():
    return image.compose(values(image.ROOT))


@pytest.fixture(scope="module")
def services(whole):
    return whole["services"]


def mounts(service):
    """Return what lies where in a container, as source, target and mode."""
    return [(*volume.split(":"), "rw")[:3] for volume in service.get("volumes", [])]


def test_the_proxy_alone_can_be_reached_from_outside(services):
    assert [name for name, service in services.items() if "ports" in service] == ["proxy"]
    assert not any({"network_mode", "expose", "privileged"} & set(s) for s in services.values())


def test_the_database_speaks_with_the_app_alone(whole, services):
    assert services["postgres"]["networks"] == ["back"]
    assert [name for name, service in services.items() if "back" in service["networks"]] == [
        "app", "postgres",
    ]  # fmt: skip
    assert whole["networks"]["back"] == {"internal": True}


def test_no_secret_stands_where_docker_inspect_shows_it(services):
    for name, service in services.items():
        for key, value in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|TOKEN", key):
                assert key.endswith("_FILE"), (name, key)
            assert not re.search(r"://[^/@]*:[^/@]*@", value), (name, key)
        assert not set(map(str.upper, service.get("build", {}).get("args", {}))) & {"PASSWORD"}


def test_every_secret_file_that_is_named_is_there(whole, services):
    settings = {"app": image.environment() | services["app"]["environment"]}
    for name, service in services.items():
        text = " ".join(settings.get(name, service["environment"]).values())
        named = set(re.findall(r"/run/secrets/([\w.]+)", text))
        assert named == set(service.get("secrets", [])), name
    used = {secret for service in services.values() for secret in service.get("secrets", [])}
    assert used == set(whole["secrets"])
    assert all(file["file"] == f"./secrets/{name}" for name, file in whole["secrets"].items())


def test_what_is_kept_lies_in_volumes_with_names_and_all_else_is_only_read(whole, services):
    named = set()
    for service in services.values():
        for source, _, mode in mounts(service):
            if source in whole["volumes"]:
                named.add(source)
            else:
                assert mode == "ro", source
    assert named == set(whole["volumes"])


def test_the_app_writes_into_its_volumes_and_nowhere_else(services):
    app, settings = services["app"], image.environment()
    assert app["read_only"] is True
    kept = [PurePosixPath(target) for _, target, mode in mounts(app) if mode == "rw"]
    for variable in WRITTEN:
        place = PurePosixPath(settings[variable])
        assert any(place.is_relative_to(target) for target in kept), variable
    assert ("/data", "ro") in [(target, mode) for _, target, mode in mounts(app)]
    assert settings["SCANVI_DATA_ROOT"] == "/data"


def test_every_service_comes_back_and_has_limits_a_version_and_a_health_check(services):
    for name, service in services.items():
        assert service["restart"] == "unless-stopped", name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert set(service["deploy"]["resources"]["limits"]) == {"memory", "pids"}, name
        assert "max-size" in service["logging"]["options"], name
        if "build" not in service:
            assert re.fullmatch(r"\w+:\d+[\w.-]*", service["image"]), name
            assert service["healthcheck"]["test"][0] == "CMD", name
    assert image.of("HEALTHCHECK")


def test_the_proxy_waits_for_the_app_and_the_app_for_the_database(services):
    for name, other in (("proxy", "app"), ("app", "postgres")):
        assert services[name]["depends_on"] == {other: {"condition": "service_healthy"}}


@pytest.mark.parametrize(
    "name", ["SCANVI_HOST", "SCANVI_TLS", "SCANVI_ALLOWED_EMAILS", "SCANVI_DATA"]
)
def test_a_server_does_not_start_without_saying(name):
    with pytest.raises(KeyError, match=name):
        image.compose({**values(image.ROOT), name: ""})


def test_the_template_of_settings_has_every_variable_and_no_other():
    template = (image.FOLDER / "env.example").read_text()
    asked = set(re.findall(r"\$\{(\w+)", image.compose_text()))
    assert set(re.findall(r"^(\w+)=", template, re.MULTILINE)) == asked


def test_the_proxy_lets_through_what_the_app_takes_and_names_it_rightly(services):
    config = tomllib.loads((image.ROOT / ".streamlit" / "config.toml").read_text())
    caddy = (image.FOLDER / "Caddyfile").read_text()
    [limit] = re.findall(r"max_size (\d+)MB", caddy)
    assert int(limit) * 1e6 > config["server"]["maxUploadSize"] * 2**20
    assert f"app:{image.environment()['STREAMLIT_SERVER_PORT']}" in caddy
    assert set(re.findall(r"\{\$(\w+)\}", caddy)) == set(services["proxy"]["environment"])


def test_the_policy_allows_the_script_in_streamlits_page_and_no_other_inline():
    page = Path(streamlit.__file__).parent / "static" / "index.html"
    scripts = re.findall("<script>(.*?)</script>", page.read_text(), re.DOTALL)
    known = [b64encode(sha256(script.encode()).digest()).decode() for script in scripts]
    [policy] = re.findall("script-src ([^;]*);", (image.FOLDER / "Caddyfile").read_text())
    assert re.findall(r"'sha256-([^']*)'", policy) == known
    assert "unsafe-inline" not in policy


@pytest.fixture
def set_up(tmp_path):
    """A copy of the folder after the script was run in it."""
    for name in ("setup.sh", "env.example", "login.toml.example"):
        (tmp_path / name).write_text((image.FOLDER / name).read_text())
    subprocess.run(["sh", tmp_path / "setup.sh", "cells.example.org"], check=True)
    return tmp_path


def test_the_script_makes_secrets_that_only_their_owner_reads(set_up, whole):
    files = {path.name: path for path in (set_up / "secrets").iterdir()}
    assert set(files) == set(whole["secrets"])
    assert {path.stat().st_mode & 0o777 for path in files.values()} == {0o600}
    password = files["db_password"].read_text()
    assert re.fullmatch("[0-9a-f]{48}", password)
    assert files["pgpass"].read_text() == f"*:*:*:*:{password}\n"
    login = tomllib.loads(files["login.toml"].read_text())["auth"]
    assert login["redirect_uri"] == "https://cells.example.org/oauth2callback"
    assert re.fullmatch("[0-9a-f]{48}", login["cookie_secret"])
    assert login["cookie_secret"] != password
    settings = (set_up / ".env").read_text()
    assert "\nSCANVI_HOST=cells.example.org\n" in settings
    assert f"\nSCANVI_UID={os.getuid() or 10001}\n" in settings


def test_the_script_changes_nothing_that_is_there(set_up):
    before = {path: path.read_bytes() for path in set_up.rglob("*") if path.is_file()}
    subprocess.run(["sh", set_up / "setup.sh", "other.example.org"], check=True)
    assert {path: path.read_bytes() for path in set_up.rglob("*") if path.is_file()} == before
