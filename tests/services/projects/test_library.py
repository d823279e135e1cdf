"""Projects: list, rename, copy, put away, move as one file, repair."""

import io
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from scanvi_core.errors import FileRefused, ProjectError, SettingInvalid
from scanvi_core.project.folder import create_project, list_projects, open_project, projects_home
from scanvi_core.project.locks import MARK
from scanvi_core.services import jobs
from scanvi_core.services.export import write
from scanvi_core.services.export.write import ExportChoice
from scanvi_core.services.labels import edit
from scanvi_core.services.opinions import from_columns
from scanvi_core.services.opinions.kept import kept as opinions_of
from scanvi_core.services.projects import library
from scanvi_core.services.projects.open_file import import_into
from scanvi_core.services.runs import results
from scanvi_core.services.workspace import workspace
from tests import ROOT


def words(project):
    state = workspace(project).labels()
    return np.array([*state.names, ""], dtype=object)[state.codes].tolist()


def entry(project, **where):
    return next(item for item in library.listing(**where) if item.id == project)


def test_the_list_tells_when_labels_were_saved_last(project):
    assert entry(project).saved_at is None or not workspace(project).labels().seq
    edit.use_column(workspace(project), "cell_type", set())
    before = entry(project).saved_at
    edit.name_cells(workspace(project), np.array([1]), "Mine", "lasso")
    assert entry(project).saved_at >= before
    assert not entry(project).cut_off


def test_a_project_is_renamed_and_an_empty_name_refused(labeled):
    library.rename(labeled, " Lung  7 ")
    assert entry(labeled).name == "Lung 7"
    with pytest.raises(SettingInvalid):
        library.rename(labeled, " ")


def test_opinions_go_with_a_packed_project_and_with_a_copy(labeled):
    opened = workspace(labeled)
    kept = from_columns.take(opened, from_columns.of_file(opened), "expert_label")
    packed = io.BytesIO(library.save(labeled).read_bytes())
    for made in (library.take_in(packed), library.duplicate(labeled)):
        (found,) = opinions_of(workspace(made))
        np.testing.assert_array_equal(found.labels, kept.labels)
        assert (found.name, found.names, found.about) == (kept.name, kept.names, kept.about)


def test_a_project_whose_file_is_older_than_zip_files_is_packed(home, example, tmp_path):
    source = shutil.copy(example, tmp_path)
    os.utime(source, ns=(0, 0))
    opened = import_into(create_project("Cells"), Path(source))
    manifest = opened.dataset.manifest["source"]
    packed = library.save(opened.project.id)
    with zipfile.ZipFile(packed) as file:
        [name] = [item for item in file.namelist() if item.startswith("source/")]
        assert file.getinfo(name).file_size == manifest["size"]


def test_a_project_is_put_away_and_taken_out_with_all_in_it(labeled):
    before = words(labeled)
    library.archive(labeled)
    assert labeled not in [item.id for item in library.listing()]
    assert entry(labeled, archived=True).archived
    library.archive(labeled, away=False)
    assert not entry(labeled).archived and words(labeled) == before


def test_a_copy_has_labels_history_and_model_and_goes_its_own_way(trained):
    copy = library.duplicate(trained)
    assert entry(copy).name == f"{entry(trained).name} (copy)"
    assert words(copy) == words(trained)
    assert np.array_equal(
        results.current(workspace(copy)).prediction, results.current(workspace(trained)).prediction
    )
    edit.name_cells(workspace(copy), np.array([0]), "Only there", "lasso")
    assert words(trained)[0] != "Only there"
    edit.undo(workspace(copy))
    assert words(copy) == words(trained)


def test_a_project_moves_to_another_computer_as_one_file(trained, tmp_path, monkeypatch):
    edit.name_cells(workspace(trained), np.array([0]), "Mine", "lasso")
    expected, folder = words(trained), open_project(trained).root
    job = jobs.wait(library.start_saving(trained), 60)
    assert job.error is None
    packed = library.saved_file(trained)
    assert packed.name == job.result
    assert write.exported_file(workspace(trained), packed.name) == packed  # the download finds it
    content = packed.read_bytes()
    monkeypatch.setenv("SCANVI_HOME", str(tmp_path / "elsewhere"))
    source = Path(workspace(trained).dataset.manifest["source"]["path"])
    told = []
    there = library.take_in(io.BytesIO(content), lambda part, words: told.append((part, words)))
    assert told == sorted(told, key=lambda item: item[0]) and 0 <= told[0][0] < told[-1][0] <= 1
    assert {"Unpacking the file", "Looking through the data"} < {words for _, words in told}
    shutil.move(folder, tmp_path / "gone")
    hidden = source.with_suffix(".hidden")
    source.rename(hidden)  # nothing of the first computer is left
    try:
        assert words(there) == expected
        edit.undo(workspace(there))
        assert words(there)[0] != "Mine"
        assert results.current(workspace(there)) is not None
        written = write.write(workspace(there), ExportChoice(), tmp_path / "out.h5ad")
        assert written.stat().st_size > 0
    finally:
        hidden.rename(source)


def packed_with(name, content=b"x"):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as z:
        z.writestr(name, content)
    return stream


def test_who_leaves_while_it_is_unpacked_leaves_nothing_behind(labeled):
    def leave(part, words):
        raise KeyboardInterrupt

    before = sorted(projects_home().iterdir())
    with library.save(labeled).open("rb") as packed, pytest.raises(KeyboardInterrupt):
        library.take_in(packed, leave)
    assert sorted(projects_home().iterdir()) == before


@pytest.mark.parametrize(
    "stream",
    [io.BytesIO(b"no zip"), packed_with("../../evil"), packed_with("/etc/passwd"),
     packed_with("runs/../../evil"), packed_with("other/file"), packed_with("C:\\evil"),
     packed_with("settings.json", b"{}")],
    ids=["no zip", "up", "root", "hidden up", "strange", "drive", "no data"],
)  # fmt: skip
def test_a_file_that_is_no_packed_project_leaves_nothing_behind(home, stream):
    with pytest.raises(FileRefused, match="no project file"):
        library.take_in(stream)
    assert list_projects() == []


def test_a_packed_project_with_a_damaged_data_set_leaves_nothing_behind(labeled):
    before = {item.id for item in list_projects()}
    stream = io.BytesIO()
    with zipfile.ZipFile(library.save(labeled)) as old, zipfile.ZipFile(stream, "w") as new:
        for name in old.namelist():
            content = b"" if name == "dataset/manifest.json" else old.read(name)
            new.writestr(name, content)
    with pytest.raises((ProjectError, FileRefused)):
        library.take_in(stream)
    assert {item.id for item in list_projects()} == before


def test_a_project_whose_program_was_killed_says_so_and_has_all_that_was_saved(labeled):
    script = (
        "import sys, os, numpy as np\n"
        "from scanvi_core.services.labels import edit\n"
        "from scanvi_core.services.workspace import workspace\n"
        f"edit.name_cells(workspace({labeled!r}), np.array([0]), 'Saved', 'lasso')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    (open_project(labeled).root / MARK).unlink(missing_ok=True)
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False, timeout=60)
    assert entry(labeled).cut_off
    assert words(labeled)[0] == "Saved"


def test_a_damaged_log_is_repaired_from_the_page(labeled, tmp_path):
    from sqlalchemy import create_engine, text

    copy = library.duplicate(labeled)
    engine = create_engine(f"sqlite:///{open_project(copy).db}")
    with engine.begin() as connection:
        connection.execute(text("UPDATE events SET kind = 'note' WHERE seq = 2"))
    engine.dispose()
    assert "entry 2" in library.damage(copy)
    assert edit.read_only(workspace(copy))
    assert library.repair(copy).n_events == 1
    assert library.damage(copy) == "" and edit.read_only(workspace(copy)) == ""
    edit.name_cells(workspace(copy), np.array([0]), "Again", "lasso")
