"""What a project file may hold: every file by its name, how large it may be, what is left out.

A project file is one zip file with the files of a project folder. Those that can be worked out
again are not in it; those of earlier versions had them, so they are known and left out.
"""

import stat
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from scanvi_core.errors import FileRefused
from scanvi_core.project.foreign.members import Layout
from scanvi_core.project.records import Settings, opinion_kinds, run_kinds

TEXT_BYTES = 64 * 2**20  # of one JSON file
TABLE_BYTES = 2**40  # of one that grows with the cells: the disk is the limit
SOURCE = "source/cells.h5ad"  # the user's file, where its name cannot be kept
HINT = "Choose a file from “Save as one file” on the Open page."

_RUN = r"runs/[0-9]{4,8}/"  # there is room for runs to come
MEMBERS = {
    r"settings\.json": 2**22,
    r"project\.db": TABLE_BYTES,
    r"dataset/manifest\.json": TEXT_BYTES,
    r"dataset/(obs|var)\.parquet": TABLE_BYTES,
    r"dataset/counts_(data|indices|indptr)\.npy": TABLE_BYTES,
    r"dataset/obsm_[0-9]{1,4}\.npy": TABLE_BYTES,
    r"source/[^/]{1,255}": TABLE_BYTES,
    _RUN + r"run\.json": TEXT_BYTES,
    _RUN + r"status": 2**20,
    _RUN + r"summary\.json": 2**22,
    _RUN + r"metrics\.jsonl": TEXT_BYTES,
    _RUN + rf"({'|'.join(run_kinds({}, None))})\.npy": TABLE_BYTES,
    _RUN + r"model/annotator\.json": TEXT_BYTES,
    _RUN + r"model/(model|companions|shapes)\.safetensors": 2**33,
    r"pack/pack\.json": TEXT_BYTES,
    r"opinions/[0-9a-f]{8}/opinion\.json": TEXT_BYTES,
    rf"opinions/[0-9a-f]{{8}}/({'|'.join(opinion_kinds(None, None))})\.npy": TABLE_BYTES,
    r"derived/(base_map|clusters|card_cluster|card_distance)-[0-9a-f]{12}\.npy": TABLE_BYTES,
    r"derived/doublets-[0-9a-f]{12}-[0-9a-f]{8}\.npy": TABLE_BYTES,
    r"derived/doublets-[0-9a-f]{12}-[0-9a-f]{8}\.json": 2**22,
}
LEFT_OUT = (
    r"dataset/by_gene_(data|indices|indptr)\.npy",
    r"dataset/(totals|n_genes_by_counts|pct_counts_mt)\.npy",
    r"dataset/(variable_genes|rows_of)_[A-Za-z0-9_.]+",
    r"dataset/cut_[0-9a-f]{16}/[a-z.]+",
    r"source/.+/.+",
    r"pack/model/.+",  # the model of its first run came from it
    _RUN + r"(README\.txt|submit-[a-z]+\.(sh|yaml)|processes\.log|progress\.json|alive|stop"
    r"|checkpoint\.safetensors)",
    _RUN + r"preview_[a-z]+\.npy",
    r"derived/map_scores_[0-9]+\.json",
    r"derived/genes-[0-9a-f]{12}-[0-9a-f]{8}\.parquet",
    r"(.+/)?\.[^/]+",  # what was being written
)
LAYOUT = Layout(
    what="project file",
    whole="data set",
    hint=HINT,
    again="Have it saved as one file once more, or copied again; it may also be made to do harm.",
    sizes=MEMBERS,
    needed=frozenset({"settings.json", "dataset/manifest.json"}),
    left_out=LEFT_OUT,
    room=2,  # counts are kept by gene as well
)
PLACE = frozenset(
    {"question", "answers", "awaited", "archived", "added_to"}
)  # settings that stay behind


def is_member(name: str) -> bool:
    """Tell whether a file of a project, by its path in it, belongs into its project file."""
    return LAYOUT.is_member(name)


def portable(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a project that go with it to another place."""
    known = {key: settings[key] for key in Settings.__annotations__ if key in settings}
    return {key: value for key, value in known.items() if key not in PLACE}


def plain_files(root: Path) -> Iterator[Path]:
    """Yield the files in a folder and below: no link, nor anything behind one."""
    if root.is_symlink() or not root.is_dir():
        return
    for path in sorted(root.iterdir()):
        kind = path.lstat().st_mode
        if stat.S_ISDIR(kind):
            yield from plain_files(path)
        elif stat.S_ISREG(kind):
            yield path


def checked_members(packed: zipfile.ZipFile, n_bytes: int, folder: Path) -> list[zipfile.ZipInfo]:
    """Return the members of a project file to be unpacked; see `Layout.checked`."""
    return LAYOUT.checked(packed, n_bytes, folder)


def unpack_member(packed: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path) -> None:
    """Write one member into a folder; see `Layout.unpack`."""
    LAYOUT.unpack(packed, entry, folder)


def check_free(folder: Path, n_bytes: int) -> None:
    """Raise `ProjectError` where a disk has no room for so many bytes."""
    LAYOUT.check_free(folder, n_bytes)


def no_project_file(why: str) -> FileRefused:
    """Return the error for a file that is no project file."""
    return LAYOUT.is_none(why)


def cannot_open(why: str) -> FileRefused:
    """Return the error for a project file with something in it that is not as it has to be."""
    return LAYOUT.damaged(why)
