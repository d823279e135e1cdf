"""Running the program, in this process or as a user does."""

import json
import os
import re
import subprocess
import sys

import anndata
import numpy as np
import pytest
import torch

from scanvi_core import cli
from tests import ROOT

LABELS = ("--labels-key", "cell_type")
A_MINUTE = re.compile(r"\d\d:\d\d:\d\d +\d+% ")  # how far it is, where no person watches


def module(*arguments, cwd=ROOT):
    """Run the program as a user does."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "scanvi_core", *map(str, arguments)],
        capture_output=True, text=True, cwd=cwd, env=environment, timeout=300, check=False,
    )  # fmt: skip


def annotate(capsys, source, target, *more, epochs=1, labels=LABELS):
    """Annotate in this process; return the exit status, the summary, and standard error."""
    torch.set_num_threads(1)
    passes = [] if epochs is None else ["--max-epochs", epochs]
    arguments = ["annotate", source, "-o", target, *labels, *passes, "--json"]
    status = cli.main([str(word) for word in (*arguments, *more)])
    out, err = capsys.readouterr()
    return status, json.loads(out, parse_constant=pytest.fail) if status == 0 else out, err


def annotated(capsys, tmp_path, adata, *more, labels=LABELS):
    """Write a bent file and annotate it; return the summary and the annotated file."""
    source = tmp_path / "in.h5ad"
    adata.write_h5ad(source)
    status, summary, err = annotate(capsys, source, tmp_path / "out.h5ad", *more, labels=labels)
    assert status == 0, err
    return summary, anndata.read_h5ad(tmp_path / "out.h5ad")


def refusal(capsys, *arguments):
    """Run a command that must be refused, and return its one line on standard error."""
    assert cli.main([str(word) for word in arguments]) == cli.BAD_INPUT
    out, err = capsys.readouterr()
    assert not out
    assert err.count("\n") == 1 and err.endswith("\n"), err
    assert err.startswith("error: ")
    assert "Traceback" not in err
    return err


def corrected_logs(counts):
    """Logarithms of values that no whole numbers lie behind, as ambient correction leaves them."""
    values = counts.astype(np.float32).tocsr()
    values.data *= np.random.default_rng(0).uniform(0.5, 1.5, values.nnz)
    return values.log1p()
