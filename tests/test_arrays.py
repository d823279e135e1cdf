"""Files of a project that cannot be read: damaged, or only out of reach for now."""

import errno

import numpy as np
import pandas as pd
import pytest

from scanvi_core.arrays import Kind, open_array
from scanvi_core.data.dataset import read_table, write_table
from scanvi_core.errors import DataDamaged
from scanvi_core.services import derived

SHORT = [MemoryError(), OSError(errno.EMFILE, "x"), PermissionError(errno.EACCES, "x")]


def raising(error):
    def fails(*_, **__):
        raise error

    return fails


@pytest.mark.parametrize("error", SHORT, ids=["memory", "handles", "rights"])
def test_what_the_machine_lacks_is_not_called_damage(tmp_path, monkeypatch, error):
    array, table = tmp_path / "kept.npy", tmp_path / "table.parquet"
    np.save(array, np.arange(3))
    write_table(table, pd.DataFrame({"a": [1, 2]}))
    monkeypatch.setattr(np, "load", raising(error))
    monkeypatch.setattr(pd, "read_parquet", raising(error))
    for read in (
        lambda: open_array(array, Kind()),
        lambda: derived.array(array, Kind()),
        lambda: read_table(table, 2),
        lambda: derived.table(table),
    ):
        with pytest.raises(type(error)):
            read()
    assert sorted(tmp_path.iterdir()) == [array, table]


def test_a_damaged_file_is_and_what_can_be_made_again_is_put_aside(tmp_path):
    path = tmp_path / "kept.npy"
    path.write_bytes(b"no array")
    with pytest.raises(DataDamaged, match="cannot be read"):
        open_array(path, Kind())
    assert derived.array(path, Kind()) is None
    assert [file.name for file in tmp_path.iterdir()] == ["kept.npy.damaged"]
