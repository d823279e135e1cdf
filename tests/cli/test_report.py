"""`report`: one page about a project, by its folder, its name or a project file."""

import subprocess
import sys

import pytest

from scanvi_core import cli, runtime
from scanvi_core.services.projects import project_file
from scanvi_core.services.workspace import source_path, workspace
from tests import ROOT
from tests.cli.program import module, refusal
from tests.projects import copy_of


@pytest.fixture
def project(trained_folder, tmp_path, monkeypatch):
    monkeypatch.setenv(runtime.HOME_VARIABLE, str(tmp_path / "home"))
    return copy_of(trained_folder, "Blood of <two>")


def test_a_report_is_written_from_a_name(capsys, project, tmp_path):
    target = tmp_path / "report.html"
    assert cli.main(["report", "Blood of <two>", "-o", str(target)]) == 0
    assert capsys.readouterr().out == f"Written: {target}\n"
    page = target.read_text(encoding="utf-8")
    assert "<h1>Blood of &lt;two&gt;</h1>" in page and page.count("<figure>") == 6


def test_a_report_is_written_from_a_project_file_and_nothing_of_it_stays(
    capsys, project, tmp_path, monkeypatch
):
    file, target = project_file.save(project), tmp_path / "report.html"
    file = file.rename(tmp_path / file.name)
    monkeypatch.setenv(runtime.HOME_VARIABLE, str(tmp_path / "elsewhere"))
    assert cli.main(["report", str(file), "-o", str(target), "--no-names"]) == 0
    page = target.read_text(encoding="utf-8")
    assert "Blood of &lt;two&gt;" in page and "person 1" in page
    assert not (tmp_path / "elsewhere" / "projects").exists()


def test_the_module_writes_one_from_a_folder(project, tmp_path):
    root = workspace(project).project.root
    done = module("report", root, "-o", tmp_path / "report.html")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "report.html").stat().st_size > 50_000


def test_what_is_no_project_is_refused_with_those_there_are(capsys, project, tmp_path):
    target = tmp_path / "report.html"
    told = refusal(capsys, "report", "nosuch", "-o", target)
    assert "no project 'nosuch'" in told and "Blood of <two>" in told
    assert not target.exists()


def test_nothing_that_is_needed_is_written_over(capsys, project, tmp_path):
    opened = workspace(project)
    file = project_file.save(project)
    file = file.rename(tmp_path / file.name)
    link = tmp_path / "link.html"
    link.symlink_to(tmp_path / "elsewhere.html")
    source = source_path(opened)
    for named, target, said in (
        (project, source, "is your own file"),
        (project, opened.project.root / "settings.json", "lies among the projects"),
        (project, link, "is a link"),
        (file, file, "The output is the project file"),
    ):
        before = target.read_bytes() if target.exists() else b""
        assert said in refusal(capsys, "report", named, "-o", target)
        assert not before or target.read_bytes() == before


def test_a_run_that_is_done_and_says_nothing_of_it_is_damaged(capsys, project, tmp_path):
    workspace(project).current_run().paths.summary.unlink()
    assert cli.main(["report", project, "-o", str(tmp_path / "r.html")]) == cli.FAULT
    said = capsys.readouterr().err
    assert "summary.json" in said and "fault" not in said


def test_a_reader_that_goes_away_is_no_fault(project, tmp_path):
    command = f"{sys.executable} -m scanvi_core --help | head -c 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, check=False, cwd=ROOT
    )
    assert b"Something went wrong" not in done.stderr
