"""Whatever sequence of steps hypothesis can think of: replay, undo and merging hold."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from scanvi_core.errors import ProjectError, SettingInvalid
from scanvi_core.project.label_log import events
from scanvi_core.project.label_log.store import LabelStore
from tests.project.label_log.views import names_of, seen

N = 12
WORDS = st.sampled_from(["B", "T", "NK"])
CELLS = st.lists(st.integers(0, N - 1), min_size=1, max_size=5, unique=True).map(np.array)
CODES = st.lists(st.integers(-1, 2), min_size=N, max_size=N).map(np.array)
STEPS = st.one_of(
    st.builds(events.assign, CELLS, WORDS),
    st.builds(events.accept, CELLS, WORDS),
    st.builds(events.clear, CELLS),
    st.builds(events.create, WORDS),
    st.builds(events.rename, WORDS, WORDS),
    st.builds(events.merge, WORDS, into=WORDS),
    st.builds(events.delete, WORDS),
    st.builds(lambda codes: events.import_labels(["B", "T", "NK"], codes), CODES),
    st.builds(lambda word, other: events.parents({word: (other,)}), WORDS, WORDS),
    st.just("undo"),
    st.just("redo"),
)
few = settings(max_examples=12, deadline=None, derandomize=True)


def take(store, steps):
    """Take the steps that can be taken; what a store refuses must leave no trace."""
    for step in steps:
        before = seen(store.labels())
        try:
            if isinstance(step, str):
                getattr(store, step)()
            else:
                store.append(step)
        except (ProjectError, SettingInvalid):
            assert seen(store.labels()) == before


@few
@given(st.lists(STEPS, max_size=14))
def test_any_history_replays_and_undoes(steps):
    with tempfile.TemporaryDirectory() as folder:
        store = LabelStore.open(Path(folder), N)
        start = seen(store.labels())
        take(store, steps)
        end, taken = seen(store.labels()), 0
        assert seen(LabelStore.replay(store.export_log(), N)) == end
        fresh = LabelStore.open(Path(folder), N)
        assert seen(fresh.labels()) == end
        fresh.close()
        while store.undoable() is not None:
            store.undo()
            taken += 1
        assert seen(store.labels()) == start
        for _ in range(taken):
            store.redo()
        assert seen(store.labels()) == end
        store.close()


@few
@given(st.lists(STEPS, max_size=6), st.lists(STEPS, max_size=6))
def test_two_logs_merge_to_the_same_labels_either_way_and_only_once(hers, his):
    with tempfile.TemporaryDirectory() as folder:
        begun = LabelStore.open(Path(folder), N, actor="lab")
        begun.append(events.import_labels(["B", "T"], np.repeat([0, 1, -1], N // 3)))
        begun.close()
        stores = []
        for actor, steps in (("anna", hers), ("ben", his)):
            own = Path(folder, actor)
            own.mkdir()
            shutil.copy(Path(folder, "project.db"), own)
            stores.append(LabelStore.open(own, N, actor=actor))
            take(stores[-1], steps)
        logs = [store.export_log() for store in stores]
        stores[0].merge(logs[1])
        stores[1].merge(logs[0])
        assert names_of(stores[0].labels()) == names_of(stores[1].labels())
        last = stores[0].labels().seq
        stores[0].merge(logs[1])
        assert stores[0].labels().seq == last
        for store in stores:
            store.close()
