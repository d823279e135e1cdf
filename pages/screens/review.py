"""Review: groups of doubtful cells, one decision each; then retrain and see what changed."""

import streamlit as st

from pages.ui.frame import header, jobs, read_only, requires
from pages.ui.frame.pages import EVALUATE, EXPORT
from pages.ui.review import first_cards, tabs, update
from pages.ui.train import live, resume
from scanvi_core.services.review import queue
from scanvi_core.services.runs import train_request

opened = requires.data_set("Review")
has_model = opened.current_run() is not None
header.draw("Review", *([(EVALUATE, "Evaluate"), (EXPORT, "Export")] if has_model else []))
read_only.note(opened)
resume.draw(opened)
if not has_model:
    job = jobs.latest(opened.id, train_request.TRAIN)
    if job is not None and not job.status.final:
        st.info("The first model is in training. The queue appears when it is ready.")
        live.watch(job)
        st.stop()
    first_cards.draw(opened)
    st.stop()

review = queue.review_state(opened)
update.above(opened)
update.top_row(review)
tabs.draw(review)
update.below(review)
