"""`scanvi_core.launch`: the app on an object, and what was named in it, back in the object."""

import urllib.error
import urllib.request

import anndata
import numpy as np
import pytest

import scanvi_core
from scanvi_core import runtime
from scanvi_core.errors import InputError
from scanvi_core.services.labels import edit
from scanvi_core.services.workspace import Workspace, recent_projects

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_what_is_named_in_the_app_is_in_the_object(example, page):
    adata = anndata.read_h5ad(example)[:120].copy()
    known = (
        adata.obs["cell_type"]
        .astype(str)
        .where((np.arange(120) % 2 > 0) & adata.obs["cell_type"].notna())
    )
    adata.obs["known"] = known
    with scanvi_core.launch(adata) as session:
        assert session.url in session._repr_html_() and "<iframe" in session._repr_html_()
        with pytest.raises(InputError, match="not read the data yet"):
            session.labels()
        page.goto(session.url)
        page.get_by_text("120 cells").first.wait_for(timeout=90_000)
        with runtime.home_at(session.folder / "home"):
            opened = Workspace.open(recent_projects()[0])
            edit.use_column(opened, "known", set())
        labels = session.labels()
        assert labels.index.equals(adata.obs_names)
        assert labels.dropna().tolist() == known.dropna().tolist()
        assert labels.isna().any()
        session.annotate(adata)
        written = adata.obs["cell_type_curated"].astype("string")
        assert written.fillna("").tolist() == labels.fillna("").tolist()
        with pytest.raises(InputError, match="other cells"):
            session.annotate(adata[::-1].copy())
        folder, url = session.folder, session.url
    assert not folder.exists()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(url, timeout=2)


def test_another_object_or_a_port_in_use_is_refused(example, tmp_path):
    adata = anndata.read_h5ad(example)[:30].copy()
    with scanvi_core.launch(adata, folder=tmp_path) as session:
        port = int(session.url.rpartition(":")[2])
        with pytest.raises(InputError, match=f"port {port} is in use"):
            scanvi_core.launch(adata, port=port)
    assert (tmp_path / "cells.h5ad").exists()
    with pytest.raises(InputError, match="holds another object"):
        scanvi_core.launch(adata[:20].copy(), folder=tmp_path)
    changed = adata.copy()
    changed.X = changed.X * 2
    with pytest.raises(InputError, match="holds another object"):
        scanvi_core.launch(changed, folder=tmp_path)
