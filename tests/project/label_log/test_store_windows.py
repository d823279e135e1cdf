"""Two windows, two people, many threads on one label log."""

import threading

import pytest

from scanvi_core.errors import (
    StaleEdit,
)
from scanvi_core.project.label_log import events
from scanvi_core.project.label_log.store import LabelStore
from tests.project.label_log.views import N, names_of, seen


def test_an_edit_of_cells_somebody_else_changed_meanwhile_is_refused(tmp_path, filled):
    other = LabelStore.open(tmp_path, N, actor="ben")
    looked_at = filled.labels().seq
    other.append(events.assign([3, 4, 5], "NK"))
    with pytest.raises(StaleEdit) as caught:
        filled.append(events.assign([5, 6], "T"), expected_seq=looked_at)
    assert caught.value.theirs == "ben: assign NK to 3 cells, 1 of them yours too"
    assert caught.value.yours == "assign T to 2 cells"
    filled.append(events.assign([7], "T"), expected_seq=looked_at)  # other cells: no conflict
    other.close()


def test_an_edit_of_a_label_renamed_meanwhile_is_refused(filled):
    looked_at = filled.labels().seq
    filled.append(events.rename("T", "T cell"))
    with pytest.raises(StaleEdit):
        filled.append(events.assign([30], "T"), expected_seq=looked_at)


def test_two_stores_on_one_file_see_each_other(tmp_path, filled):
    other = LabelStore.open(tmp_path, N)
    for row in range(6):
        writer, reader = (filled, other) if row % 2 else (other, filled)
        writer.append(events.assign([row], "T"))
        assert seen(reader.labels()) == seen(writer.labels())
    assert other.labels().seq == 7
    other.close()


def test_many_writers_at_once_lose_nothing_and_see_the_same_end(tmp_path):
    stores = [LabelStore.open(tmp_path, N, actor=str(i)) for i in range(3)]

    def write(store):
        for row in range(20):
            store.append(events.assign([row], f"type {store.actor}"))

    threads = [threading.Thread(target=write, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [event.seq for event in stores[0].events()] == list(range(1, 61))
    assert len({tuple(names_of(store.labels())) for store in stores}) == 1
    assert set(stores[0].labels().active) == {"type 0", "type 1", "type 2"}
    for store in stores:
        store.close()


def test_the_state_cannot_be_written_to(filled):
    with pytest.raises(ValueError, match="read-only"):
        filled.labels().codes[0] = 3
