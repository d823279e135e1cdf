"""The file is read again before it takes its place: what differs is seen."""

import shutil

import h5py
import pytest

from scanvi_core import keys
from scanvi_core.errors import ExportError
from scanvi_core.export.patch import patch
from scanvi_core.export.verify import verify
from tests.export.samples import request_for, saved, small

pytestmark = pytest.mark.filterwarnings("ignore")  # anndata's about old formats and names


def test_verification_sees_a_changed_count(tmp_path):
    request = request_for(saved(tmp_path, small()), tmp_path / "out.h5ad")
    shutil.copyfile(request.source.path, request.target)
    written, _ = patch(request.target, request)
    verify(request.target, request, written)
    with h5py.File(request.target, "r+") as file:
        file["raw/X/data"][3] += 1
    with pytest.raises(ExportError, match="raw/X/data"):
        verify(request.target, request, written)


@pytest.mark.parametrize(
    "path", ["obs/number", f"obs/{keys.CONFIDENCE}", f"obsm/{keys.LATENT_Z1}"]
)
def test_verification_sees_a_changed_value(tmp_path, path):
    request = request_for(saved(tmp_path, small()), tmp_path / "out.h5ad")
    shutil.copyfile(request.source.path, request.target)
    written, _ = patch(request.target, request)
    with h5py.File(request.target, "r+") as file:
        file[path][3] = 0.123
    with pytest.raises(ExportError, match=path):
        verify(request.target, request, written)
