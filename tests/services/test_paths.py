"""No path that a file names is opened unless it lies in the project or below the data folder."""

import re
import zipfile
from pathlib import Path

import pytest

from scanvi_core import runtime
from scanvi_core.errors import FileRefused, InputError
from scanvi_core.project.files import write_json
from scanvi_core.project.folder import open_project
from scanvi_core.services import paths, workspace
from scanvi_core.services.export import write
from scanvi_core.services.export.write import ExportChoice
from scanvi_core.services.labels import from_export
from scanvi_core.services.paths import stored_path
from scanvi_core.services.projects import library, open_file, questions

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"""\[["'](path|store)["']\]|\.get\(["'](path|store)["']|settings\.store\b""")
SAFE = {  # besides what goes through stored_path
    # the name alone, in a folder of the project
    """name = f"source/{Path(manifest['source']['path']).name}\"""",
    'own = copy.source / Path(manifest["source"]["path"]).name',
    '_file_name(manifest["origin"]["name"] if "origin" in manifest else source["path"])',
    'name = PureWindowsPath(about["path"]).name',
    # written, not read
    'manifest["source"]["path"] = name = name if is_member(name) else SOURCE',
    'manifest["source"]["path"] = str(own)',
    'manifest["source"]["path"] = str(root / "source" / own)',
    'manifest["origin"]["path"] = ""',
    'part["source"]["path"] = ""',
    'source["path"] = str(_link(kept, folder / "source" / "-".join(kept.parts[-2:])))',
    'if not about["path"]:  # the project came from elsewhere',
    # compared with what is to be written, never opened
    'yield from (Path(file.source["path"]) for file in joined_files(opened))',
    'known = {source["path"] for source in source_files(manifest)}',
    # moved only in the folder that the reading made it
    '"source": file["source"] | {"path": _keep(project, part, at, file["source"]["path"])},',
    'ours = now != runs.WAITING and settings["store"] is None',
    # through stored_path in the next line
    "store = trainer.settings.store",
    # named on the command line by who has the rights
    "trainer.store = Path(run.settings.store) if run.settings.store else None",
    # what the program asks its own process for, and the file it has just opened
    'path, memory_mb = Path(request["path"]), request["memory_mb"]',
    'ours = Path(content.manifest["source"]["path"])',
    'preflight(Path(request["path"]), request["memory_mb"] * 1e6, step_seconds)',
    'return read_history(Path(request["path"]), request["memory_mb"])',
    '"""Read what ``request["path"]`` leads to.',
}


@pytest.fixture
def secret(tmp_path, monkeypatch):
    """A file outside of the data folder."""
    (tmp_path / "data").mkdir()
    monkeypatch.setenv(runtime.DATA_ROOT_VARIABLE, str(tmp_path / "data"))
    monkeypatch.setattr(paths, "_imported", set())  # as after a restart
    path = tmp_path / "secret.h5ad"
    path.write_bytes(b"secret of the server")
    return path


def aimed(project, path):
    """Let the manifest of a project name another file."""
    opened = workspace.workspace(project)
    opened.dataset.manifest["source"]["path"] = str(path)
    write_json(opened.dataset.folder / "manifest.json", opened.dataset.manifest)


def test_a_stored_path_lies_in_the_project_or_below_the_data_folder(project, secret, tmp_path):
    here = open_project(project)
    own = here.source / "own.h5ad"
    own.write_bytes(b"x")
    assert stored_path(here, str(own)) == stored_path(here, "source/own.h5ad") == own.resolve()
    below = tmp_path / "data" / "gone.h5ad"
    assert stored_path(here, str(below)) == below  # whether it is there or not
    (here.source / "link.h5ad").symlink_to(secret)
    (tmp_path / "data" / "link").symlink_to(tmp_path)
    for text in (
        str(secret), "../../../secret.h5ad", "source/link.h5ad", "/etc/passwd",
        str(tmp_path / "data" / ".." / "secret.h5ad"), str(tmp_path / "data" / "link" / "x"),
        str(here.root.parent / "another" / "source" / "x.h5ad"),
    ):  # fmt: skip
        with pytest.raises(FileRefused, match="is outside the data folder"):
            stored_path(here, text)
    with pytest.raises(FileRefused, match="no usable path"):
        stored_path(here, "a\0b")


def test_what_was_imported_may_be_opened_again_until_the_program_ends(project, secret):
    paths.was_imported(secret)
    assert stored_path(open_project(project), str(secret)) == secret


def test_no_file_outside_is_packed_read_again_or_exported(labeled, project, secret, tmp_path):
    aimed(labeled, secret)
    with zipfile.ZipFile(library.save(labeled)) as pack:
        assert not [name for name in pack.namelist() if name.startswith("source")]
        assert all(b"secret of" not in pack.read(name) for name in pack.namelist())
    with pytest.raises(FileRefused, match="outside the data folder"):
        write.write(workspace.workspace(labeled), ExportChoice(), tmp_path / "out.h5ad")
    with pytest.raises(FileRefused, match="outside the data folder"):
        from_export.find(workspace.workspace(labeled), "")


def test_a_file_outside_is_not_imported_with_another_matrix(project, secret):
    aimed(project, secret)
    with pytest.raises(FileRefused, match="outside the data folder"):
        open_file.reimport(project, "X")


def test_an_answer_opens_no_file_outside(project, secret):
    asked = {
        "key": "orientation", "text": "?", "options": [{"value": "a", "label": "a"}] * 2,
        "preview": [], "path": str(secret),
    }  # fmt: skip
    open_project(project).update_settings(question=asked)
    with pytest.raises(FileRefused, match="outside the data folder"):
        questions.answer(project, "a")


def test_no_link_in_a_project_is_followed(labeled, secret):
    here = open_project(labeled)
    for path in (
        here.exports / "x.h5ad",
        here.runs / "0001",
        here.derived,
        here.dataset / "l.npy",
    ):
        path.symlink_to(secret if path.suffix else secret.parent)
    assert write.exported_files(workspace.workspace(labeled)) == []
    with pytest.raises(InputError, match="no such file"):
        write.exported_file(workspace.workspace(labeled), "x.h5ad")
    copy = open_project(library.duplicate(labeled))
    assert not [path for path in copy.root.rglob("*") if path.is_symlink() or path.stem == "l"]
    with zipfile.ZipFile(library.save(labeled)) as pack:
        assert not [name for name in pack.namelist() if name.startswith(("runs", "derived"))]
        assert all(b"secret of" not in pack.read(name) for name in pack.namelist())


def test_a_folder_of_exports_that_is_a_link_is_not_followed(labeled, secret):
    exports = open_project(labeled).exports
    exports.rmdir()
    exports.symlink_to(secret.parent)
    with pytest.raises(InputError, match="no such file"):
        write.exported_file(workspace.workspace(labeled), secret.name)


def test_every_path_that_a_file_names_goes_through_one_function():
    lines = [
        line.strip()
        for path in (ROOT / "scanvi_core").rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if NAMED.search(line)
    ]
    assert {line for line in lines if "stored_path(" not in line} == SAFE
    assert sum("stored_path(" in line for line in lines) == 6
