"""Review: groups of doubtful cells, one decision each; then retrain and see what changed."""

import streamlit as st

from pages.ui import gate, header, jobs_view, live, review_card, review_trail, review_update
from pages.ui.stations import EVALUATE, EXPORT, TRAIN
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

review_update.top_row(project)
item = review_trail.front(project)
if item is not None:
    review_card.draw(project, item)
elif reviewing.progress(project).n_cells:
    changed = results.changed_labels(project)
    st.success(
        "All groups are decided."
        + (" Update the model to see what your decisions change." if changed else "")
    )
else:
    st.success("Nothing doubtful is left.")
review_update.below(project)
