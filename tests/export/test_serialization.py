"""The request on its way into the writing process."""

import numpy as np

from scanvi_core import keys
from scanvi_core.export.serialization import load_request, save_request
from tests.export.samples import request_for, saved, small


def test_a_request_survives_the_way_to_the_child(tmp_path):
    source = saved(tmp_path, small())
    folder = tmp_path / "folder"
    folder.mkdir()
    request = request_for(source, tmp_path / "out.h5ad")
    save_request(request, folder)
    loaded = load_request(folder)
    assert (loaded.source, loaded.target, loaded.uns) == (
        request.source, request.target, request.uns
    )  # fmt: skip
    np.testing.assert_array_equal(loaded.obs[keys.CURATED][0], request.obs[keys.CURATED][0])
    np.testing.assert_array_equal(loaded.obs[keys.CONFIDENCE], request.obs[keys.CONFIDENCE])
