"""What keeps the program quick to open and easy to read; import-linter checks the layers."""

import ast
import subprocess
import sys

import pytest

from tests import ROOT

HEAVY = ("torch", "scanpy", "anndata", "sklearn", "umap", "numba", "h5py")
MAX_LINES = 350
WORK = ("in_process", "trainer", "worker")  # of training jobs, imported there
SERVICES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in (ROOT / "scanvi_core" / "services").rglob("*.py")
    if path.stem not in ("__init__", *WORK)
)
SOURCES = sorted(path for part in ("scanvi_core", "pages") for path in (ROOT / part).rglob("*.py"))


def heavy_after(*modules):
    """Return the heavy libraries that a fresh process has loaded after some imports."""
    lines = [f"import {name}" for name in modules]
    lines += ["import sys", f"print(*[name for name in {HEAVY} if name in sys.modules])"]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        capture_output=True, text=True, cwd=ROOT, check=True,
    )  # fmt: skip
    return done.stdout.split()


def test_the_shell_of_the_app_loads_no_heavy_library():
    assert heavy_after("pages.ui.frame.shell", "pages.ui.server.routes") == []


def test_every_service_loads_no_heavy_library():
    assert heavy_after(*SERVICES) == []


def test_the_command_line_answers_before_it_loads_heavy_libraries():
    assert heavy_after("scanvi_core.cli") == []


def test_the_probe_itself_sees_a_heavy_library():
    assert "h5py" in heavy_after("h5py")


def test_only_init_lies_directly_in_pages():
    """Else Streamlit's own discovery runs a page without app.py on the first deep link."""
    assert [path.name for path in (ROOT / "pages").glob("*.py")] == ["__init__.py"]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_source_file_is_too_long_to_read(path):
    n = len(path.read_text(encoding="utf-8").splitlines())
    assert n <= MAX_LINES, f"{n} lines"


def test_no_choice_among_ways_can_be_taken_back_by_a_second_click():
    open_ended = [
        f"{path.name}: {call.args[0].value}"
        for path in (ROOT / "pages").rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "segmented_control"
        if not any(given.arg == "required" for given in call.keywords)
    ]
    assert open_ended == []


def test_session_state_is_touched_in_two_places_only():
    users = {
        path.relative_to(ROOT).as_posix()
        for path in SOURCES
        if "session_state" in path.read_text(encoding="utf-8")
    }
    assert users <= {"pages/ui/frame/state.py", "pages/ui/cell_map/component.py"}
