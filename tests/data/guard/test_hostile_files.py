"""Files made to harm, or harmed on the way, are refused with a sentence."""

import os
import sys

import h5py
import numpy as np
import pytest

from scanvi_core.data.child import answer
from scanvi_core.data.guard.subprocess_limits import ending, run_watched
from scanvi_core.data.intake.import_file import import_file
from scanvi_core.errors import FileRefused, InputError
from tests.data.intake.damage import bad_inputs as bad

pytestmark = pytest.mark.usefixtures("fresh_children")


@pytest.fixture
def sound(tmp_path):
    """A small sound file."""
    return bad.sound(tmp_path / "sound.h5ad")


def ask(path, memory_mb=4_000, matrix=None):
    folder = path.parent / "ds"
    request = {"task": "import", "path": str(path), "matrix": matrix, "folder": str(folder)}
    return answer({**request, "memory_mb": memory_mb, "timeout_s": 60})


def refusal(path, **more):
    reply = ask(path, **more)
    assert "error" in reply, "the file was taken in"
    assert reply["error"]["hint"]
    return reply["error"]["message"]


def test_the_sound_file_itself_is_taken(sound):
    assert ask(sound)["result"]["n_obs"] == 60


def test_a_layer_that_is_not_there_is_named(sound):
    reply = ask(sound, matrix="layers/nope")["error"]
    assert reply["class"] == "ColumnMissing"
    assert "layers/nope" in reply["message"]


def test_a_file_that_another_program_writes_is_refused(sound):
    fcntl = pytest.importorskip("fcntl")
    with sound.open("rb") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        assert "Another program is writing" in refusal(sound)


@pytest.mark.parametrize("at", [700, 900, 2_500])
def test_a_zeroed_stretch_ends_in_a_sentence_without_the_librarys_words(sound, tmp_path, at):
    content = bytearray(sound.read_bytes())
    content[at : at + 64] = bytes(64)
    sound.write_bytes(content)
    with pytest.raises(InputError) as caught:
        import_file(sound, tmp_path / "ds")
    assert caught.value.hint
    assert "Error" not in caught.value.message
    assert "heap" not in caught.value.message


def test_a_full_disk_is_a_project_error(sound, monkeypatch):
    def full(*_args, **_more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    failure = ask(sound)["error"]
    assert failure["class"] == "DiskFull"
    assert "No space left" in failure["message"]
    assert not (sound.parent / "ds").exists()


def test_too_little_memory_is_refused_with_numbers(sound):
    assert "needs 0.2 GB, 0.1 GB may be used" in refusal(sound, memory_mb=100)


def test_an_unknown_column_is_left_out_and_named(sound):
    with h5py.File(sound, "r+") as file:
        file["obs/odd"] = np.zeros((60, 2))
        file["uns/odd"] = 1
        file["uns/odd"].attrs["encoding-type"] = "from the future"
    result = ask(sound)["result"]
    assert list(result["obs_columns"]) == ["cell_type", "batch"]
    assert any("obs['odd']" in sentence for sentence in result["repairs"])


def test_an_error_crosses_from_the_child_with_its_class(sound, tmp_path):
    with h5py.File(sound, "r+") as file:
        file["X/data"][3] = -1.5
    with pytest.raises(FileRefused, match="negative") as caught:
        import_file(sound, tmp_path / "ds")
    assert "raw counts" in caught.value.hint
    assert [item.name for item in tmp_path.iterdir()] == ["sound.h5ad"]


def test_a_child_that_takes_too_long_is_stopped(sound, tmp_path):
    with pytest.raises(InputError, match="longer than"):
        import_file(sound, tmp_path / "ds", timeout_s=0.01)
    assert not (tmp_path / "ds").exists()


def test_a_child_that_dies_is_a_sentence(sound, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(InputError, match="exit code 1"):
        import_file(sound, tmp_path / "ds")


def watched(code, **more):
    limits = {"timeout_s": 60.0, "memory_mb": 4_000.0, **more}
    return run_watched([sys.executable, "-c", code], b"hello", os.environ, **limits)


def test_what_a_watched_child_answers_comes_back():
    ended = watched("import sys; print(sys.stdin.read().upper())")
    assert (ended.output.strip(), ended.reason) == (b"HELLO", "")


def test_a_watched_child_that_takes_too_much_memory_is_ended_in_words(monkeypatch):
    monkeypatch.setattr("scanvi_core.data.guard.subprocess_limits.BASE_BYTES", 1e8)
    ended = watched("x = b'1' * 10**9; input()", memory_mb=100.0)
    assert "0.2 GB of memory" in ended.reason


def test_a_watched_child_that_works_too_long_is_ended():
    ended = watched("while True: pass", timeout_s=0.5)
    assert ended.timed_out
    assert ended.reason == "it took longer than 0.5 seconds of processor time"


def test_a_watched_child_that_hangs_is_ended_by_the_clock():
    ended = watched("import time; time.sleep(100)", timeout_s=0.2)
    assert ended.timed_out
    assert ended.reason.startswith("it took longer than 2 seconds, 0")


def test_a_child_that_waits_for_a_busy_machine_goes_on():
    """Twice its seconds by the clock, and nearly none of them on the processor."""
    ended = watched("import time; time.sleep(2); print('done')", timeout_s=1.0)
    assert (ended.output, ended.reason, ended.timed_out) == (b"done\n", "", False)


@pytest.mark.parametrize(
    ("code", "words"), [(-27, "round in circles"), (-9, "lack of memory"), (-11, "SIGSEGV")]
)
@pytest.mark.skipif(sys.platform != "linux", reason="signals have other numbers elsewhere")
def test_the_end_of_a_child_is_put_in_words(code, words):
    assert words in ending(code)


def test_a_missing_file_is_a_sentence(tmp_path):
    with pytest.raises(FileRefused, match=r"no file nothing\.h5ad"):
        import_file(tmp_path / "nothing.h5ad", tmp_path / "ds")


def test_the_users_file_is_not_touched(sound, tmp_path):
    before = (sound.read_bytes(), sound.stat().st_mtime_ns)
    import_file(sound, tmp_path / "ds")
    assert (sound.read_bytes(), sound.stat().st_mtime_ns) == before
