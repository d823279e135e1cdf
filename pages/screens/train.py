"""Train: one button, settings for those who want them, and a live view of the run."""

import streamlit as st

from pages.ui import cut_off, gate, header, jobs_view, live, locked, train_form, train_where
from pages.ui.deed import do
from pages.ui.stations import EXPLORE, LABELS, REVIEW
from pages.ui.text import count, md
from scanvi_core.services import training, workspace

project = gate.data_set("Train")
trained = workspace.workspace(project).current_run() is not None
ahead = [(REVIEW, "Review the doubtful cells"), (EXPLORE, "Explore the map")]
header.draw("Train", *(ahead if trained else []))
locked.note(project)
broken = cut_off.draw(project)
if not (workspace.workspace(project).labels().codes >= 0).any():
    gate.locked("Label some cells first: at least two types.", LABELS, "Go to Labels")

job = jobs_view.latest(project, training.TRAIN)
if job is not None and not job.status.final:
    live.watch(job)
else:
    if job is not None:
        live.outcome(project, job)
    elif trained:
        live.notes(project)
    with st.container(border=True):
        request = train_form.draw(project)
        where = train_where.draw()
        plan = training.plan(project, request)
        for note in plan.notes:
            st.markdown(f":orange[:material/info:] {md(note)}")
        st.markdown(
            f"{count(plan.n_obs, 'cell')}, {count(plan.n_genes, 'gene')}, "
            f"{count(plan.n_labels, 'type')} ({plan.n_labelled:,} labelled, "
            f"{plan.n_holdout:,} set aside), {plan.n_batches} "
            f"{'batch' if plan.n_batches == 1 else 'batches'}. "
            f"{plan.duration if where.place == train_where.HERE else ''}"
        )
        if plan.problem:
            st.error(f"{md(plan.problem)} {md(plan.hint)}")
        if st.button(
            where.button, type="secondary" if broken else "primary", key="train",
            icon=":material/model_training:", disabled=bool(plan.problem),
        ):  # fmt: skip
            do(lambda: where.start(project, request))
