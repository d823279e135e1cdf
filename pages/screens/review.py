"""Review: groups of doubtful cells, one decision each; then retrain and see what changed."""

import streamlit as st

from pages.ui.frame import header, read_only, requires
from pages.ui.frame.pages import EVALUATE, EXPORT
from pages.ui.look import said
from pages.ui.review import first_cards, tabs, update
from pages.ui.train import resume
from scanvi_core.services.review import queue
from scanvi_core.services.review.queue import SUGGESTED

opened = requires.data_set("Review")
has_model = opened.current_run() is not None
review = queue.review_state(opened)
header.draw(
    "Review", *([(EVALUATE, "Evaluate"), (EXPORT, "Export")] if has_model else []),
    primary=not review.n_open(SUGGESTED),
)  # fmt: skip
read_only.note(opened)
resume.draw(opened)
if not has_model:
    if requires.first_model(opened, "The doubtful cells appear here"):
        st.stop()
    first_cards.draw(opened)
    said.draw(opened)
    st.stop()

update.above(opened)
update.top_row(review)
tabs.draw(review)
update.below(review)
said.draw(opened)
