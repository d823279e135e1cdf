"""Logs of several people: one set of labels whatever the order, conflicts in sight, kappa."""

import shutil

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from scanvi_core.errors import ProjectError, SettingInvalid
from scanvi_core.project.label_log import events
from scanvi_core.project.label_log.exchange.import_log import kappa
from scanvi_core.project.label_log.store import LabelStore

N = 30
WORDS = ["B", "T", "NK", "Mono"]


def words(store):
    """Return per cell the label and where it came from."""
    state = store.labels()
    names = np.array([*state.names, ""], dtype=object)[state.codes]
    return list(zip(names, state.sources.tolist(), strict=True))


@pytest.fixture
def desks(tmp_path):
    """Open copies of one begun project for several people."""
    begun = LabelStore.open(tmp_path, N, actor="lab")
    begun.append(events.import_labels(["B", "T"], np.repeat([0, 1, -1], 10)))
    begun.close()
    stores = []

    def sit_down(actor):
        folder = tmp_path / f"{actor}{len(stores)}"
        folder.mkdir()
        shutil.copy(tmp_path / "project.db", folder)
        stores.append(LabelStore.open(folder, N, actor=actor))
        return stores[-1]

    yield sit_down
    for store in stores:
        store.close()


def test_what_only_one_did_is_taken_over(desks):
    anna, ben = desks("anna"), desks("ben")
    anna.append(events.assign([20, 21], "NK"))
    ben.append(events.assign([0, 22], "Mono"))
    taken = anna.merge(ben.export_log())
    assert (taken.who, taken.n_events, taken.n_conflicts) == ("ben", 1, 0)
    names = [name for name, _ in words(anna)]
    assert names == ["Mono", *["B"] * 9, *["T"] * 10, "NK", "NK", "Mono", *[""] * 7]
    anna.undo()
    assert [name for name, _ in words(anna)][:1] == ["B"]


def test_cells_named_differently_have_no_label_until_somebody_decides(desks):
    anna, ben = desks("anna"), desks("ben")
    anna.append(events.assign([0, 1, 25], "NK"))
    ben.append(events.assign([1, 2, 25], "Mono"))
    assert anna.merge(ben.export_log()).n_conflicts == 2
    assert [words(anna)[row][0] for row in (0, 1, 2, 25)] == ["NK", "", "Mono", ""]
    (conflict,) = anna.conflicts()
    assert conflict.rows.tolist() == [1, 25]
    assert conflict.versions == (("anna", "NK"), ("ben", "Mono"))
    anna.append(events.assign([1], "T"))  # a third name, knowing both
    assert [item.rows.tolist() for item in anna.conflicts()] == [[25]]
    ben.append(events.assign([3], "NK"))  # what was decided stays decided
    assert anna.merge(ben.export_log()).n_conflicts == 1
    assert [words(anna)[row][0] for row in (1, 3, 25)] == ["T", "NK", ""]


def test_both_naming_a_cell_alike_is_no_conflict_and_taking_back_is_no_statement(desks):
    anna, ben = desks("anna"), desks("ben")
    anna.append(events.assign([25], "NK"))
    anna.append(events.assign([26], "NK"))
    anna.undo()
    ben.append(events.assign([25], "NK"))
    ben.append(events.assign([26], "Mono"))
    assert anna.merge(ben.export_log()).n_conflicts == 0
    assert [words(anna)[row][0] for row in (25, 26)] == ["NK", "Mono"]


def test_a_column_read_twice_yields_to_any_decision(tmp_path):
    stores = []
    for actor in ("anna", "ben"):
        (tmp_path / actor).mkdir()
        stores.append(LabelStore.open(tmp_path / actor, N, actor=actor))
        stores[-1].append(events.import_labels(["B", "T"], np.repeat([0, 1, -1], 10)))
    stores[1].append(events.assign([0], "NK"))
    assert stores[0].merge(stores[1].export_log()).n_conflicts == 0
    assert words(stores[0])[0] == ("NK", 2) and words(stores[0])[1] == ("B", 1)


def test_a_log_of_other_cells_is_refused(desks, tmp_path):
    (tmp_path / "other").mkdir()
    other = LabelStore.open(tmp_path / "other", N + 9)
    other.append(events.assign([N + 3], "B"))
    with pytest.raises(ProjectError):
        desks("anna").merge(other.export_log())


def busy(store, rng, n):
    """Do `n` random things, refused ones left out."""
    for _ in range(n):
        word, other = (str(word) for word in rng.choice(WORDS, 2))
        rows = rng.choice(N, int(rng.integers(1, 9)), replace=False)
        action = [
            lambda rows=rows, word=word: store.append(events.assign(rows, word)),
            lambda rows=rows, word=word: store.append(events.accept(rows, word)),
            lambda rows=rows: store.append(events.clear(rows)),
            lambda word=word, other=other: store.append(events.rename(word, other + "2")),
            lambda word=word, other=other: store.append(events.merge(word, into=other)),
            lambda word=word: store.append(events.delete(word)),
            store.undo,
        ][int(rng.choice(7, p=[0.4, 0.1, 0.1, 0.1, 0.1, 0.05, 0.15]))]
        try:
            action()
        except (ProjectError, SettingInvalid):
            continue


@pytest.mark.parametrize("seed", range(6))
def test_merging_random_logs_is_order_free_and_doing_it_again_changes_nothing(desks, seed):
    rng = np.random.default_rng(seed)
    three = [desks(actor) for actor in ("anna", "ben", "cleo")]
    for store in three:
        busy(store, rng, 8)
    if seed % 2:  # two of them have met before
        three[0].merge(three[1].export_log())
        for store in three:
            busy(store, rng, 4)
    logs = [store.export_log() for store in three]
    ends = []
    for i, store in enumerate(three):
        first, second = (logs[j] for j in (((i + 1) % 3), ((i + 2) % 3)))
        if i == 1:
            first, second = second, first
        store.merge(first)
        store.merge(second)
        ends.append((words(store), [item.rows.tolist() for item in store.conflicts()]))
        before = store.labels().seq
        for log in logs:
            store.merge(log)
        assert store.labels().seq == before
    assert ends[0][0] == ends[1][0] == ends[2][0]
    rows = [sorted(row for group in end[1] for row in group) for end in ends]
    assert rows[0] == rows[1] == rows[2]
    # through a colleague: what one has taken over travels with it
    late = desks("dora")
    late.merge(three[0].export_log())
    assert words(late) == ends[0][0]
    replayed = LabelStore.replay(three[0].export_log(), N)
    assert np.array_equal(replayed.codes, three[0].labels().codes)


def test_kappa_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    for share in (0.1, 0.5, 0.9):
        a = rng.random(200) < share
        b = np.where(rng.random(200) < 0.8, a, ~a)
        assert kappa(a, b) == pytest.approx(cohen_kappa_score(a, b))
    assert np.isnan(kappa(np.ones(3, bool), np.ones(3, bool)))


def test_agreement_counts_only_what_both_judged_themselves(desks):
    anna, ben = desks("anna"), desks("ben")
    anna.append(events.assign(np.arange(20, 28), "NK"))
    anna.append(events.assign([28, 29], "Mono"))
    ben.append(events.assign(np.arange(20, 26), "NK"))
    ben.append(events.assign([26, 27, 28, 29], "Mono"))
    found = anna.merge(ben.export_log()).agreement
    assert set(found) == {"NK", "Mono"}
    ours, theirs = ["NK"] * 8 + ["Mono"] * 2, ["NK"] * 6 + ["Mono"] * 4
    assert found["NK"][:2] == (8, 6)
    assert found["NK"][2] == pytest.approx(cohen_kappa_score(ours, theirs))
