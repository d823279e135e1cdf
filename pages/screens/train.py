"""Train: one button, settings for those who want them, and a live view of the run."""

import streamlit as st

from pages.ui.frame import grown, header, jobs, read_only, requires
from pages.ui.frame.actions import do
from pages.ui.frame.pages import EXPLORE, LABELS, REVIEW
from pages.ui.review import update
from pages.ui.text import md
from pages.ui.train import form, live, resume, where_form
from scanvi_core.services.formatting import count
from scanvi_core.services.projects import sharing
from scanvi_core.services.runs import train_request
from scanvi_core.services.training import train_plan

opened = requires.data_set("Train")
trained = opened.current_run() is not None
ahead = [(REVIEW, "Review the doubtful cells"), (EXPLORE, "Explore the map")]
header.draw("Train", *(ahead if trained else []))
read_only.note(opened)
grown.note(opened, leads=False)
broken = resume.draw(opened)
job = jobs.latest(opened.id, train_request.TRAIN)
if not (opened.labels().codes >= 0).any():
    if job is not None and not job.status.final:
        live.watch(job)
    elif trained:
        live.of_pack(opened)
    else:
        if job is not None:
            jobs.show(job)
        requires.locked("Label some cells first: at least two types.", LABELS, "Go to Labels")
    st.stop()

if job is not None and not job.status.final:
    live.watch(job)
else:
    if update.offered(opened):
        pass  # the newest model is not the one in use
    elif job is not None:
        live.outcome(opened, job)
    elif trained:
        live.notes(opened)
    with st.container(border=True):
        request = form.draw(opened)
        where = where_form.draw()
        plan = train_plan.plan(opened, request)
        for note in plan.notes:
            st.markdown(f":orange[:material/info:] {md(note)}")
        st.markdown(
            f"{count(plan.n_obs, 'cell')}, {count(plan.n_genes, 'gene')}, "
            f"{count(plan.n_labels, 'type')} ({plan.n_labeled:,} labeled, "
            f"{plan.n_holdout:,} set aside), "
            f"{count(plan.n_batches, 'batch', 'batches')}."
        )
        if where.place == where_form.HERE and not plan.problem:
            live.how_long(opened, request, plan.n_obs)
        if plan.problem:
            st.error(f"{md(plan.problem)} {md(plan.hint)}")
        if st.button(
            where.button, type="secondary" if broken or trained else "primary", key="train",
            icon=":material/model_training:",
            disabled=bool(plan.problem) or not sharing.may_change(opened.id),
        ):  # fmt: skip
            do(lambda: where.start(opened, request))
