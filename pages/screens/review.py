"""Review: groups of doubtful cells, one decision each; then retrain and see what changed."""

import streamlit as st

from pages.ui import gate, header, jobs_view, live, review_card
from pages.ui.stations import EVALUATE, EXPORT, TRAIN
from pages.ui.text import count
from scanvi_core.services import results, reviewing, training, workspace

project = gate.data_set("Review")
header.draw("Review", (EVALUATE, "Evaluate"), (EXPORT, "Export"))
if workspace.workspace(project).current_run() is None:
    job = jobs_view.latest(project, training.TRAIN)
    if job is not None and not job.status.final:
        st.info("The first model is in training. The queue appears when it is ready.")
        live.watch(job)
        st.stop()
    gate.locked("Train once to build the queue of doubtful cells.", TRAIN, "Go to Train")

review_card.update_bar(project)
queue = reviewing.queue(project)
open_items = [item for item in queue if not reviewing.is_decided(project, item)]
if queue:
    done = len(queue) - len(open_items)
    st.progress(done / len(queue), text=f"{done} of {count(len(queue), 'group')} decided")
if open_items:
    review_card.draw(project, open_items)
else:
    changed = results.changed_labels(project)
    st.success(
        "Nothing doubtful is left."
        if not queue
        else "All groups are decided."
        + (" Update the model to see what your decisions change." if changed else "")
    )
review_card.draw_changes(project)
