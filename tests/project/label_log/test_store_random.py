"""Random histories: replay, memory, text and undo must all tell the same story."""

import numpy as np
import pytest

from scanvi_core.errors import ProjectError
from scanvi_core.project.label_log import events
from scanvi_core.project.label_log.store import LabelStore

N = 60
WORDS = ["B", "T", "NK", "Mono", "DC"]


def view(state):
    """Return everything a user can see of a state."""
    names = [state.names[code] if code >= 0 else None for code in state.codes]
    mappings = (state.parents, state.prior, state.colors)
    return names, state.sources.tolist(), state.holdout.tolist(), state.active, mappings


def random_event(rng):
    word, other = (str(word) for word in rng.choice(WORDS, 2))
    rows = rng.choice(N, int(rng.integers(1, 15)), replace=False)
    return [
        lambda: events.import_labels(WORDS[:3], rng.integers(-1, 3, N)),
        lambda: events.assign(rows, word),
        lambda: events.accept(rows, word),
        lambda: events.accept(rows, rng.choice(WORDS, len(rows)).tolist()),
        lambda: events.clear(rows),
        lambda: events.create(word, color="#abcdef"),
        lambda: events.rename(word, other),
        lambda: events.merge(word, into=other),
        lambda: events.delete(word),
        lambda: events.recolor({word: "#000000"}),
        lambda: events.holdout(rows, how="random", seed=1),
        lambda: events.parents({word: (other,)}),
        lambda: events.prior({word: float(rng.uniform(0.1, 1))}),
        lambda: events.note("seen"),
    ][int(rng.integers(14))]()


@pytest.fixture(scope="module", params=range(4))
def story(request, tmp_path_factory):
    """A store after some 60 random steps, refused ones left out, and its folder.

    Shared, because every commit waits for the disk: tests leave the labels as they find them.
    """
    rng = np.random.default_rng(request.param)
    folder = tmp_path_factory.mktemp("story")
    store = LabelStore.open(folder, N)
    for _ in range(60):
        move = rng.random()
        try:
            if move < 0.75:
                store.append(random_event(rng))
            elif move < 0.85:
                store.undo()
            elif move < 0.92:
                store.undo(int(rng.integers(1, 30)))
            else:
                store.redo()
        except ProjectError:
            continue
        state = store.labels()
        alive = set(state.active_codes) | {-1}
        assert set(state.codes.tolist()) <= alive
        assert len(set(state.active)) == len(state.active)
        assert ((state.codes < 0) == (state.sources == 0)).all()
    yield store, folder
    store.close()


def test_memory_equals_a_fresh_replay(story):
    story, folder = story
    fresh = LabelStore.open(folder, N)
    assert view(fresh.labels()) == view(story.labels())
    assert fresh.labels().names == story.labels().names
    assert (fresh.undoable() is None) == (story.undoable() is None)
    fresh.close()


def test_the_log_as_text_leads_to_the_same_labels(story):
    story, _ = story
    lines = story.export_log()
    assert view(LabelStore.replay(lines, N)) == view(story.labels())
    middle = len(lines) // 2
    assert view(LabelStore.replay(lines[:middle], N)) == view(story.labels(at=middle))


def test_undoing_everything_returns_to_the_start_and_redoing_to_the_end(story):
    story, _ = story
    end, steps = view(story.labels()), 0
    while story.undoable() is not None:
        story.undo()
        steps += 1
    assert view(story.labels()) == view(LabelStore.replay([], N))
    for _ in range(steps):
        story.redo()
    assert view(story.labels()) == end


def test_each_undo_restores_exactly_what_was_before(tmp_path):
    rng = np.random.default_rng(9)
    store = LabelStore.open(tmp_path, N)
    for _ in range(50):
        before, was = view(store.labels()), store.undoable()
        try:
            store.append(random_event(rng))
        except ProjectError:
            continue
        now = store.undoable()
        if now is not None and (was is None or now.seq != was.seq):
            after = view(store.labels())
            store.undo()
            assert view(store.labels()) == before
            store.redo()
            assert view(store.labels()) == after
    store.close()


def test_a_line_out_of_order_or_damaged_is_refused(story):
    story, _ = story
    lines = story.export_log()
    with pytest.raises(ProjectError, match="out of order"):
        LabelStore.replay([lines[0], lines[1], lines[0]], N)
    with pytest.raises(ProjectError, match="not what was written"):
        LabelStore.replay([lines[0], lines[2]], N)
    with pytest.raises(ProjectError, match="cannot be read"):
        LabelStore.replay([lines[0][:-20]], N)
