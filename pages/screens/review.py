"""Review: groups of doubtful cells, one decision each; then retrain and see what changed."""

import streamlit as st

from pages.ui import (
    cut_off,
    gate,
    header,
    jobs_view,
    live,
    locked,
    review_tabs,
    review_update,
)
from pages.ui.stations import EVALUATE, EXPORT, TRAIN
from scanvi_core.services import reviewing, training, workspace

project = gate.data_set("Review")
header.draw("Review", (EVALUATE, "Evaluate"), (EXPORT, "Export"))
locked.note(project)
cut_off.draw(project)
if workspace.workspace(project).current_run() is None:
    job = jobs_view.latest(project, training.TRAIN)
    if job is not None and not job.status.final:
        st.info("The first model is in training. The queue appears when it is ready.")
        live.watch(job)
        st.stop()
    gate.locked("Train once to build the queue of doubtful cells.", TRAIN, "Go to Train")

desk = reviewing.desk(project)
review_update.top_row(desk)
review_tabs.draw(desk)
review_update.below(desk)
