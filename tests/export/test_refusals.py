"""What cannot be written is refused with a sentence, and nothing is left behind."""

import hashlib
import json
import os
import resource
import shutil

import h5py
import numpy as np
import pytest

from scanvi_core.errors import ExportError
from scanvi_core.export import child
from scanvi_core.export.child import annotate
from scanvi_core.export.h5ad import export_annotated
from scanvi_core.export.request import ExportRequest, SourceFile
from scanvi_core.export.serialization import save_request
from tests.export.samples import N_OBS, leftovers, request_for, results, saved, small

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # anndata's about old formats and names
    pytest.mark.usefixtures("fresh_children"),
]


@pytest.mark.parametrize("link", ["same", "hard", "soft"])
def test_the_users_file_is_never_the_target(tmp_path, link):
    source = saved(tmp_path, small())
    target = source if link == "same" else tmp_path / "other.h5ad"
    if link != "same":
        (os.link if link == "hard" else os.symlink)(source, target)
    with pytest.raises(ExportError, match="never written"):
        export_annotated(request_for(source, target))


def test_too_little_room_is_told_with_both_numbers(tmp_path, monkeypatch):
    request = request_for(saved(tmp_path, small()), tmp_path / "out.h5ad")
    usage = type("Usage", (), {"free": 1_500_000})()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(ExportError, match=r"\d\.\d MB needed, 1\.5 MB free"):
        export_annotated(request)


def test_a_disk_that_fills_up_leaves_the_old_file(tmp_path):
    source = saved(tmp_path, small())
    target = tmp_path / "out.h5ad"
    target.write_text("an older export")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (source.stat().st_size + 2_000, hard))
    try:
        with pytest.raises(ExportError, match=r"too large|died"):
            export_annotated(request_for(source, target))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert target.read_text() == "an older export"
    assert leftovers(tmp_path) == ["mine.h5ad", "out.h5ad"]


def test_stopping_leaves_nothing(tmp_path):
    source = saved(tmp_path, small())
    with pytest.raises(ExportError, match="stopped"):
        export_annotated(request_for(source, tmp_path / "out.h5ad"), lambda: True)
    assert leftovers(tmp_path) == ["mine.h5ad"]


def test_a_changed_source_is_refused(tmp_path):
    source = saved(tmp_path, small())
    request = request_for(source, tmp_path / "out.h5ad")
    os.utime(source, ns=(0, 0))
    with pytest.raises(ExportError, match="has changed"):
        annotate(request, request.target)


def test_a_copied_source_with_the_same_bytes_is_taken(tmp_path):
    source = saved(tmp_path, small())
    described = SourceFile(
        source, source.stat().st_size, 0, hashlib.sha256(source.read_bytes()).hexdigest()
    )
    request = ExportRequest(described, tmp_path / "out.h5ad", **results(N_OBS))
    assert annotate(request, request.target)[0]["obs"]


def no_names(file):
    file["obs"].attrs["_index"] = "gone"


def odd_kind(file):
    file["obs/words"].attrs["encoding-type"] = "\nof evil"


@pytest.mark.parametrize("damage", [no_names, odd_kind])
def test_a_source_that_was_swapped_is_told_in_one_sentence_and_logged(tmp_path, caplog, damage):
    source = saved(tmp_path, small())
    with h5py.File(source, "r+") as file:
        damage(file)
    (tmp_path / "asked").mkdir()
    save_request(request_for(source, tmp_path / "out.h5ad"), tmp_path / "asked")
    assert child.main(tmp_path / "asked", tmp_path / "out.h5ad") == 1
    kind, message, _ = json.loads((tmp_path / "asked" / "answer.json").read_text())["error"]
    assert (kind, message) == ("ExportError", "The file could not be written.")
    assert caplog.records[-1].exc_info


def test_values_for_other_cells_are_refused(tmp_path):
    request = request_for(saved(tmp_path, small()), tmp_path / "out.h5ad", N_OBS + 1)
    with pytest.raises(ExportError, match="60 cells"):
        annotate(request, request.target)


def test_an_error_of_the_child_arrives_with_its_hint(tmp_path):
    source = tmp_path / "broken.h5ad"
    with h5py.File(source, "w") as file:
        file["X"] = np.zeros(3)
    with pytest.raises(ExportError, match=r"no cell table.*CSV"):
        export_annotated(request_for(source, tmp_path / "out.h5ad"))


def test_a_folder_as_source_is_refused(tmp_path):
    folder = tmp_path / "mtx"
    folder.mkdir()
    with pytest.raises(ExportError, match=r"the folder mtx.*labels as CSV"):
        export_annotated(request_for(folder, tmp_path / "out.h5ad"))


@pytest.mark.parametrize("name", ["", "a/b", "_index", "nul\0"])
def test_impossible_names_are_refused(tmp_path, name):
    request = request_for(saved(tmp_path, small()), tmp_path / "o.h5ad", obs={name: np.ones(60)})
    with pytest.raises(ExportError, match="name of a column"):
        export_annotated(request)
