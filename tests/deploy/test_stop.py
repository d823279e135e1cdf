"""A server that is stopped in order leaves no project that says it was not closed properly."""

import http.client
import os
import re
import shutil
import signal
import sys
import time
from contextlib import contextmanager, suppress

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from websockets.sync.client import connect

from scanvi_core import runtime
from scanvi_core.project.folder import open_project
from scanvi_core.project.locks import MARK, was_cut_off
from scanvi_core.project.runs import INTERRUPTED, Run, status_seen
from tests.deploy import image

pytestmark = [pytest.mark.browser, pytest.mark.slow]
if sys.platform == "win32":
    pytest.skip("Windows ends a process without asking it", allow_module_level=True)
STREAMLIT = ["-m", "streamlit", "run", "app.py"]
SERVE = ["-m", "scanvi_core", "serve", "--"]
END_S = 25  # less than the 30 that compose.yaml gives
BIG = 400 * 2**20


@pytest.fixture
def cells(tmp_path, secret_project):
    """A project in a home of its own that nobody works with."""
    home, name = secret_project
    shutil.copytree(home, tmp_path / "home")
    with runtime.home_at(tmp_path / "home"):
        project = open_project(name)
    (project.root / MARK).unlink(missing_ok=True)
    return project


@pytest.fixture
def serve(tmp_path):
    """Start the app; ``serve(words)`` gives the running process and its port."""
    begun = []

    def begin(words):
        port = image.free_port()
        flags = [f"--server.port={port}", "--server.headless=true"]
        variables = {"SCANVI_HOME": str(tmp_path / "home"), "HOME": str(tmp_path)}
        variables |= {"PYTHONPATH": str(image.ROOT)}
        words = [sys.executable, *words, *flags]
        running = image.start(words, image.ROOT, variables, tmp_path / "log.txt")
        begun.append(running)
        running.wait_for(f"http://127.0.0.1:{port}/_stcore/health")
        return running, port

    yield begin
    for running in begun:
        with suppress(ProcessLookupError):
            os.killpg(running.process.pid, signal.SIGKILL)
        running.process.wait()


@contextmanager
def tab(port, project):
    """Open a project as a browser tab does, and keep its websocket open."""
    address = f"ws://127.0.0.1:{port}/_stcore/stream"
    asked = BackMsg()
    asked.rerun_script.query_string = f"project={project.id}"
    with connect(address, subprotocols=["streamlit"], max_size=None) as line:
        line.send(asked.SerializeToString())
        wait_until((project.root / MARK).is_file, 60)
        yield line


def wait_until(true, seconds):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)


def was_left(project):
    return not (project.root / MARK).exists() and not was_cut_off(project.root)


def test_after_a_stop_with_a_tab_open_the_project_was_closed(serve, cells):
    running, port = serve(SERVE)
    with tab(port, cells):
        assert not was_left(cells)
        running.process.terminate()
        assert running.process.wait(END_S) == 0
    assert was_left(cells)


def test_after_ctrl_c_the_project_was_closed(serve, cells):
    """Ctrl-C reaches every process of the terminal: the command and the app it started."""
    running, port = serve(SERVE)
    with tab(port, cells):
        os.killpg(running.process.pid, signal.SIGINT)
        assert running.process.wait(END_S) == 0
    assert was_left(cells)
    assert not {"Traceback", "error:"} & set(running.log.read_text().split())


def test_a_slow_download_does_not_keep_the_project_open(serve, cells):
    cells.exports.mkdir(exist_ok=True)
    with (cells.exports / "big.h5ad").open("wb") as file:
        file.truncate(BIG)
    running, port = serve(STREAMLIT)
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with tab(port, cells):
        line.request("GET", f"/download/{cells.id}/big.h5ad")
        assert line.getresponse().status == 200  # and nothing more is read
        running.process.send_signal(signal.SIGTERM)
        wait_until(lambda: was_left(cells), END_S)
    line.close()
    running.process.wait(END_S)


def test_a_training_that_is_stopped_with_the_server_leaves_its_project_closed(serve, cells, drive):
    running, port = serve(STREAMLIT)

    def visit(page):
        page.goto(f"http://127.0.0.1:{port}/labels?project={cells.id}")
        page.get_by_role("button", name="Use these labels").click()
        page.get_by_role("heading", name="Types").wait_for()
        page.goto(f"http://127.0.0.1:{port}/train?project={cells.id}")
        page.get_by_role("radio", name=re.compile("Thorough")).click()  # it is to be cut off
        page.get_by_test_id("stMain").get_by_role("button", name="Train", exact=True).click()
        wait_until(lambda: Run.list(cells) and Run.list(cells)[-1].records(), 120)
        running.process.send_signal(signal.SIGTERM)
        running.process.wait(END_S)

    drive(visit)
    assert was_left(cells)
    run = Run.list(cells)[-1]
    seen = status_seen(run)
    assert (seen.status, run.paths.checkpoint.is_file()) == (INTERRUPTED, True)
    assert "The program was closed" in seen.message
