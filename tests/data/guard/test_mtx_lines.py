"""What ends a reader in C never reaches it: NUL bytes, a last line without an end."""

import gzip
import multiprocessing
import sys

import pytest

from scanvi_core.errors import FileRefused

HEAD = b"%%MatrixMarket matrix coordinate integer general\n3 2 3\n"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork")


def _read(path, answers):
    from scipy.io import mmread

    from scanvi_core.data.guard.mtx_lines import open_mtx

    try:
        with open_mtx(path) as stream:
            answers.put(mmread(stream).toarray().tolist())
    except (FileRefused, ValueError) as error:
        answers.put(type(error).__name__)


def read(path):
    """Return what reading ends in; in a child, which may die of it."""
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    child = context.Process(target=_read, args=(path, answers))
    child.start()
    child.join(60)
    return f"died: {child.exitcode}" if child.exitcode else answers.get()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (b"1 1 5\n2 2 6\n3 1 7\n", [[5, 0], [0, 6], [7, 0]]),
        (b"1 1 5\r\n2 2 6\r\n3 1 7", [[5, 0], [0, 6], [7, 0]]),
        (b"1 1 5\n2 2 6\n3 1 7 10 2", [[5, 0], [0, 6], [7, 0]]),
        (b"1 1 5\n2 2 6" + bytes(40) + b"\n3 1 7\n", "FileRefused"),
        (b"1 1 5\n2 2 6\x00\x003 1 7\n", "FileRefused"),
        (b"1 1 5\n2 2 6\n3 1 7\x00", "FileRefused"),
        (b"1 1 5\n2 2 6\n3 1", "ValueError"),
        (b"1 1 5\n2 2 6\n3", "ValueError"),
        (b"1 1 5\n2 2 6\n", "ValueError"),
    ],
)
def test_any_end_of_a_matrix_is_read_or_refused(tmp_path, body, answer, packed):
    content = HEAD + body
    (tmp_path / "x.mtx").write_bytes(gzip.compress(content) if packed else content)
    assert read(tmp_path / "x.mtx") == answer
